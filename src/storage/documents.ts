/** @file Rows of documents and of their versions. What a state means is the ingest code's business. */
import type { ErrorRecord } from "#base";
import type { Block, DocumentState, ReadableLists } from "#contracts";
import { readableSql, readableValues, waitsSql, waitsValues } from "./access-sql.ts";
import type { Connection, SqlValue } from "./connection.ts";

export type DocumentRow = {
  readonly num: number;
  readonly id: string;
  readonly kb: number;
  readonly path: string;
  readonly folder: string;
  readonly title: string;
  readonly titleByPerson: boolean;
  readonly type: string;
  readonly tags: readonly string[];
  readonly date: string | null;
  readonly dateByPerson: boolean;
  readonly work: string | null;
  readonly edition: "in-force" | "superseded" | null;
  readonly supersededBy: number | null;
  readonly currentVersion: number | null;
  readonly newestVersion: number | null;
  readonly parent: number | null;
  readonly state: DocumentState;
  readonly error: ErrorRecord | null;
  readonly addedBy: string | null;
  readonly owner: string | null;
  readonly reviewAt: string | null;
  readonly createdAt: string;
  readonly updatedAt: string;
};

export type VersionRow = {
  readonly num: number;
  readonly id: string;
  /** null: its document is gone and it waits for the purge. */
  readonly document: number | null;
  readonly number: number;
  readonly sha256: string;
  readonly bytes: number;
  readonly state: "building" | "current" | "old" | "failed";
  readonly pages: number | null;
  readonly scanned: readonly number[];
  readonly warnings: readonly { readonly code: string; readonly message: string }[];
  readonly language: string | null;
  readonly chunks: number;
  readonly embedded: number;
  /** It was read and waits for approval; the version before it is the one that is found. */
  readonly held: HeldVersion | null;
  readonly createdAt: string;
};

/** What the document takes over when a held version is approved. */
export type HeldVersion = { readonly title: string | null; readonly date: string | null; readonly members: readonly string[] };

const documentColumns = `num, id, kb, path, folder, title, title_by_person AS titleByPerson, type, tags, date, date_by_person AS dateByPerson, work, edition,
  superseded_by AS supersededBy, current_version AS currentVersion, newest_version AS newestVersion, parent, state, error, added_by AS addedBy, owner, review_at AS reviewAt, created_at AS createdAt, updated_at AS updatedAt`;
const versionColumns = `num, id, document, number, sha256, bytes, state, pages, scanned, warnings, language, chunks, embedded, held, created_at AS createdAt`;

/** Column of each property that may be changed, and how it is stored. */
const documentFields = {
  title: "title",
  titleByPerson: "title_by_person",
  type: "type",
  tags: "tags",
  date: "date",
  dateByPerson: "date_by_person",
  work: "work",
  edition: "edition",
  supersededBy: "superseded_by",
  currentVersion: "current_version",
  newestVersion: "newest_version",
  state: "state",
  error: "error",
  owner: "owner",
  reviewAt: "review_at",
  updatedAt: "updated_at",
} as const;
const versionFields = {
  state: "state",
  pages: "pages",
  scanned: "scanned",
  warnings: "warnings",
  language: "language",
  chunks: "chunks",
  embedded: "embedded",
  held: "held",
} as const;

type Stored<T> = { [K in keyof T]: unknown };

function readDocument(row: Stored<DocumentRow>): DocumentRow {
  return {
    ...(row as unknown as DocumentRow),
    titleByPerson: row.titleByPerson === 1,
    dateByPerson: row.dateByPerson === 1,
    tags: JSON.parse(row.tags as string),
    error: row.error === null ? null : JSON.parse(row.error as string),
  };
}

function readVersion(row: Stored<VersionRow>): VersionRow {
  return {
    ...(row as unknown as VersionRow),
    scanned: JSON.parse(row.scanned as string),
    warnings: JSON.parse(row.warnings as string),
    held: row.held === null ? null : JSON.parse(row.held as string),
  };
}

function toSql(value: unknown): SqlValue {
  if (value === null || typeof value === "string" || typeof value === "number") return value;
  if (typeof value === "boolean") return value ? 1 : 0;
  return JSON.stringify(value);
}

function update(connection: Connection, table: string, fields: Readonly<Record<string, string>>, num: number, patch: object): void {
  const entries = Object.entries(patch).filter(([, value]) => value !== undefined);
  if (entries.length === 0) return;
  const sets = entries.map(([name]) => `${fields[name]} = ?`).join(", ");
  connection.run(`UPDATE ${table} SET ${sets} WHERE num = ?`, ...entries.map(([, value]) => toSql(value)), num);
}

export type DocumentRepository = ReturnType<typeof createDocumentRepository>;

export function createDocumentRepository(connection: Connection) {
  const one = (where: string, ...values: SqlValue[]): DocumentRow | undefined => {
    const row = connection.get<Stored<DocumentRow>>(`SELECT ${documentColumns} FROM documents WHERE ${where}`, ...values);
    return row === undefined ? undefined : readDocument(row);
  };
  return {
    find: (id: string) => one("id = ?", id),
    findByNum: (num: number) => one("num = ?", num),
    findByPath: (kb: number, path: string) => one("kb = ? AND path = ?", kb, path),
    children: (num: number) =>
      connection.all<Stored<DocumentRow>>(`SELECT ${documentColumns} FROM documents WHERE parent = ? ORDER BY path`, num).map(readDocument),
    /** Other editions of the same work, newest first. */
    editions: (kb: number, work: string) =>
      connection
        .all<Stored<DocumentRow>>(`SELECT ${documentColumns} FROM documents WHERE kb = ? AND work = ? ORDER BY date DESC, num DESC`, kb, work)
        .map(readDocument),
    /** Review day come, oldest first. */
    listDueReviews: (today: string) =>
      connection
        .all<Stored<DocumentRow>>(
          `SELECT ${documentColumns} FROM documents WHERE review_at IS NOT NULL AND review_at <= ? ORDER BY review_at, num`,
          today,
        )
        .map(readDocument),
    /** Documents with a new version that waits for approval. */
    listHeld: (kb: number) =>
      connection
        .all<Stored<DocumentRow>>(
          `SELECT ${documentColumns} FROM documents WHERE kb = ? AND newest_version IN (SELECT num FROM versions WHERE held IS NOT NULL) ORDER BY num`,
          kb,
        )
        .map(readDocument),
    listIds: (kb: number) => connection.all<{ id: string }>("SELECT id FROM documents WHERE kb = ?", kb).map((row) => row.id),
    /** Neither readable nor set aside: somebody still has to read them. */
    listUnread: (kb: number) =>
      connection
        .all<Stored<DocumentRow>>(`SELECT ${documentColumns} FROM documents WHERE kb = ? AND state IN ('waiting', 'reading') ORDER BY num`, kb)
        .map(readDocument),
    /** Works with an edition whose day has come since they were last looked at. */
    listDueWorks: (today: string) =>
      connection.all<{ kb: number; work: string }>(
        "SELECT kb, work FROM documents WHERE work IS NOT NULL AND date IS NOT NULL GROUP BY kb, work HAVING count(DISTINCT date) > 1 AND sum(edition IS NULL AND date <= ?) > 0",
        today,
      ),
    /** In order of path, from behind `after`; only what may be read. */
    list(
      kb: number,
      readable: ReadableLists | null,
      query: { readonly after?: string; readonly limit: number; readonly state?: string; readonly search?: string; readonly folder?: string },
    ) {
      const pattern = query.search === undefined || query.search === "" ? null : `%${escapeLike(query.search)}%`;
      const folder = query.folder === undefined || query.folder === "" ? null : query.folder;
      return connection
        .all<Stored<DocumentRow>>(
          `SELECT ${documentColumns} FROM documents WHERE kb = ? AND path > ? AND (? IS NULL OR state = ? OR (? = 'unapproved' AND ${waitsSql("documents")}))
             AND (? IS NULL OR path LIKE ? ESCAPE '\\' OR title LIKE ? ESCAPE '\\') AND (? IS NULL OR folder = ? OR folder LIKE ? ESCAPE '\\')
             AND ${readableSql("documents")} ORDER BY path LIMIT ?`,
          kb,
          query.after ?? "",
          query.state ?? null,
          query.state ?? null,
          query.state ?? null,
          ...waitsValues(readable),
          pattern,
          pattern,
          pattern,
          folder,
          folder,
          `${escapeLike(folder ?? "")}/%`,
          ...readableValues(readable),
          query.limit,
        )
        .map(readDocument);
    },
    insert: (
      row: Pick<DocumentRow, "id" | "kb" | "path" | "folder" | "title" | "type" | "tags" | "parent" | "state" | "createdAt"> & {
        readonly addedBy?: string | null;
      },
    ) =>
      connection.run(
        "INSERT INTO documents (id, kb, path, folder, title, type, tags, parent, state, added_by, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        row.id,
        row.kb,
        row.path,
        row.folder,
        row.title,
        row.type,
        JSON.stringify(row.tags),
        row.parent,
        row.state,
        row.addedBy ?? null,
        row.createdAt,
        row.createdAt,
      ).id,
    update: (num: number, patch: Partial<Pick<DocumentRow, keyof typeof documentFields>>) =>
      update(connection, "documents", documentFields, num, patch),
    /** The row and its members' rows; their versions stay as `old`, without a document, for the purge job. */
    remove(num: number) {
      connection.transaction(() => {
        const gone = `WITH RECURSIVE gone(num) AS (SELECT ? UNION SELECT d.num FROM documents d JOIN gone ON d.parent = gone.num) SELECT num FROM gone`;
        connection.run(`UPDATE versions SET state = 'old' WHERE document IN (${gone})`, num);
        connection.run("DELETE FROM documents WHERE num = ?", num);
      });
    },
    counts: () =>
      connection.get<{ documents: number; chunks: number }>(
        "SELECT (SELECT count(*) FROM documents) AS documents, (SELECT coalesce(sum(chunks), 0) FROM versions) AS chunks",
      ),
  };
}

const escapeLike = (raw: string): string => raw.replace(/[\\%_]/g, (character) => `\\${character}`);

export type VersionRepository = ReturnType<typeof createVersionRepository>;

export function createVersionRepository(connection: Connection) {
  const one = (where: string, ...values: SqlValue[]): VersionRow | undefined => {
    const row = connection.get<Stored<VersionRow>>(`SELECT ${versionColumns} FROM versions WHERE ${where}`, ...values);
    return row === undefined ? undefined : readVersion(row);
  };
  return {
    find: (id: string) => one("id = ?", id),
    findByNum: (num: number) => one("num = ?", num),
    list: (document: number) =>
      connection.all<Stored<VersionRow>>(`SELECT ${versionColumns} FROM versions WHERE document = ? ORDER BY number`, document).map(readVersion),
    insert: (row: Pick<VersionRow, "id" | "document" | "number" | "sha256" | "bytes" | "createdAt">) =>
      connection.run(
        "INSERT INTO versions (id, document, number, sha256, bytes, state, created_at) VALUES (?, ?, ?, ?, ?, 'building', ?)",
        row.id,
        row.document,
        row.number,
        row.sha256,
        row.bytes,
        row.createdAt,
      ).id,
    update: (num: number, patch: Partial<Pick<VersionRow, keyof typeof versionFields>>) => update(connection, "versions", versionFields, num, patch),
    addEmbedded: (num: number, count: number) => connection.run("UPDATE versions SET embedded = embedded + ? WHERE num = ?", count, num),
    remove: (num: number) => connection.run("DELETE FROM versions WHERE num = ?", num),
    /** Versions the purge job has to take apart. */
    listOld: (limit: number) =>
      connection.all<Stored<VersionRow>>(`SELECT ${versionColumns} FROM versions WHERE state = 'old' ORDER BY num LIMIT ?`, limit).map(readVersion),
    isBlobUsed: (sha256: string) => connection.get("SELECT 1 FROM versions WHERE sha256 = ? LIMIT 1", sha256) !== undefined,
  };
}

export type TextRow = { readonly text: string; readonly blocks: readonly Block[] };

export type TextRepository = ReturnType<typeof createTextRepository>;

export function createTextRepository(connection: Connection) {
  return {
    find(version: number): TextRow | undefined {
      const row = connection.get<{ text: string; blocks: string }>("SELECT text, blocks FROM texts WHERE version = ?", version);
      return row === undefined ? undefined : { text: row.text, blocks: JSON.parse(row.blocks) };
    },
    /** The page a place in the text lies on; null where the format has none. */
    pageAt(version: number, offset: number): number | null {
      const row = connection.get<{ page: number | null }>(
        `SELECT b.value ->> 'page' AS page FROM texts, json_each(texts.blocks) AS b
         WHERE texts.version = ? AND b.value ->> 'start' <= ? ORDER BY b.value ->> 'start' DESC LIMIT 1`,
        version,
        offset,
      );
      return row?.page ?? null;
    },
    write: (version: number, text: string, blocksJson: string) =>
      connection.run(
        "INSERT INTO texts (version, text, blocks) VALUES (?, ?, ?) ON CONFLICT (version) DO UPDATE SET text = excluded.text, blocks = excluded.blocks",
        version,
        text,
        blocksJson,
      ),
    remove: (version: number) => connection.run("DELETE FROM texts WHERE version = ?", version),
  };
}
