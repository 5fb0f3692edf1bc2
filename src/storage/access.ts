/** @file Rows of the lists that say who may read and write what: read for a viewer, written for a base, folder or file. */
import type { Level, Viewer } from "#contracts";
import { levelName, levelNumber, openLists, viewerValues } from "./access-sql.ts";
import type { Connection } from "./connection.ts";

/** Lists that grant the viewer something, with the level (1 read, 2 write, 3 manage). */
export type OpenLists = ReadonlyMap<number, number>;

export type EntryRow = { readonly subject: string; readonly level: Level };
export type ListRow = { readonly path: string; readonly entries: readonly EntryRow[] };

export type DocumentAccess = {
  readonly num: number;
  readonly kbId: string;
  readonly list: number | null;
  /** Readers may see the version that is searched. */
  readonly approved: boolean;
};

export type AccessRepository = ReturnType<typeof createAccessRepository>;

const approved = `(k.approval = 0 OR EXISTS (SELECT 1 FROM approvals a WHERE a.version = coalesce(d.current_version, d.newest_version)))`;

/** Lists above a path, nearest first; the base's own is always there. */
const listsAbove = `SELECT id, path FROM access_lists WHERE kb = ?1 AND (path IN ('', ?2) OR substr(?2, 1, length(path) + 1) = path || '/') ORDER BY length(path) DESC`;

export function createAccessRepository(connection: Connection) {
  const open = connection.raw.prepare(`${openLists} SELECT list, level FROM open`);
  const find = (kb: number, path: string): number | null =>
    connection.get<{ id: number }>("SELECT id FROM access_lists WHERE kb = ? AND path = ?", kb, path)?.id ?? null;
  const insert = (kb: number, path: string): number => {
    const parent = connection.all<{ id: number; path: string }>(listsAbove, kb, path).find((row) => row.path !== path)?.id ?? null;
    const { id } = connection.run("INSERT INTO access_lists (kb, path, parent) VALUES (?, ?, ?)", kb, path, parent);
    connection.run(
      "UPDATE access_lists SET parent = ?1 WHERE kb = ?4 AND parent IS ?2 AND id <> ?1 AND substr(path, 1, length(?3) + 1) = ?3 || '/'",
      id,
      parent,
      path,
      kb,
    );
    connection.run(
      "UPDATE documents SET access = ?1 WHERE kb = ?4 AND access IS ?2 AND (path = ?3 OR substr(path, 1, length(?3) + 1) = ?3 || '/')",
      id,
      parent,
      path,
      kb,
    );
    return id;
  };
  return {
    generation: (): number => connection.get<{ n: number }>("SELECT n FROM access_generation")?.n ?? 0,
    openLists(viewer: Viewer): OpenLists {
      const rows = open.all(viewerValues(viewer)) as { list: number; level: number }[];
      return new Map(rows.map((row) => [row.list, row.level]));
    },
    /** The list that counts for a folder or file of a base; null: no such base. */
    nearestList: (kbId: string, path: string): number | null =>
      connection.get<{ id: number }>(
        `SELECT l.id FROM access_lists l JOIN kbs k ON k.num = l.kb WHERE k.id = ?1 AND (l.path IN ('', ?2) OR substr(?2, 1, length(l.path) + 1) = l.path || '/')
         ORDER BY length(l.path) DESC LIMIT 1`,
        kbId,
        path,
      )?.id ?? null,
    document: (id: string): DocumentAccess | undefined => presentDocument(connection.get(documentSql("d.id = ?"), id)),
    chunkDocument: (chunk: number): DocumentAccess | undefined =>
      presentDocument(connection.get(documentSql("d.num = (SELECT document FROM chunks WHERE id = ?)"), chunk)),
    isApprovalOn: (kb: number): boolean => connection.get<{ approval: number }>("SELECT approval FROM kbs WHERE num = ?", kb)?.approval === 1,

    /** Every list of a base, the base's own first. */
    lists(kb: number): readonly ListRow[] {
      const rows = connection.all<{ path: string; subject: string | null; level: number | null }>(
        "SELECT l.path, e.subject, e.level FROM access_lists l LEFT JOIN access_entries e ON e.list = l.id WHERE l.kb = ? ORDER BY l.path, e.subject",
        kb,
      );
      const byPath = new Map<string, EntryRow[]>();
      for (const { path, subject, level } of rows) {
        const entries = byPath.get(path) ?? [];
        byPath.set(path, entries);
        if (subject !== null && level !== null) entries.push({ subject, level: levelName(level) ?? "read" });
      }
      return [...byPath].map(([path, entries]) => ({ path, entries }));
    },
    /** Replaces the list at a path; makes it when there was none. */
    writeList(kb: number, path: string, entries: readonly EntryRow[]): void {
      connection.transaction(() => {
        const list = find(kb, path) ?? insert(kb, path);
        connection.run("DELETE FROM access_entries WHERE list = ?", list);
        for (const { subject, level } of entries)
          connection.run("INSERT INTO access_entries (list, subject, level) VALUES (?, ?, ?)", list, subject, levelNumber(level));
      });
    },
    /** What was under it inherits again. The base's own list stays. False: there was none. */
    removeList(kb: number, path: string): boolean {
      return connection.transaction(() => {
        const list = path === "" ? null : find(kb, path);
        if (list === null) return false;
        const parent = connection.get<{ parent: number | null }>("SELECT parent FROM access_lists WHERE id = ?", list)?.parent ?? null;
        connection.run("UPDATE access_lists SET parent = ? WHERE parent = ?", parent, list);
        connection.run("UPDATE documents SET access = ? WHERE access = ?", parent, list);
        connection.run("DELETE FROM access_lists WHERE id = ?", list);
        return true;
      });
    },
    /** What is there already counts as approved. */
    setApproval(kb: number, on: boolean, by: string, at: string): void {
      connection.transaction(() => {
        connection.run("UPDATE kbs SET approval = ? WHERE num = ?", on ? 1 : 0, kb);
        if (on) {
          connection.run(
            "INSERT OR IGNORE INTO approvals (version, by, at) SELECT current_version, ?, ? FROM documents WHERE kb = ? AND current_version IS NOT NULL",
            by,
            at,
            kb,
          );
        }
      });
    },
    approve: (version: number, by: string, at: string): void =>
      void connection.run("INSERT OR IGNORE INTO approvals (version, by, at) VALUES (?, ?, ?)", version, by, at),
    isApproved: (version: number): boolean => connection.get("SELECT 1 FROM approvals WHERE version = ?", version) !== undefined,
    withdraw: (version: number): void => void connection.run("DELETE FROM approvals WHERE version = ?", version),
  };
}

const documentSql = (where: string): string =>
  `SELECT d.num, k.id AS kbId, d.access AS list, ${approved} AS approved FROM documents d JOIN kbs k ON k.num = d.kb WHERE ${where}`;

function presentDocument(row: unknown): DocumentAccess | undefined {
  if (row === undefined) return undefined;
  const found = row as Omit<DocumentAccess, "approved"> & { approved: number };
  return { ...found, approved: found.approved === 1 };
}
