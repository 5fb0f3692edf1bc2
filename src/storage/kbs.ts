/** @file Rows of knowledge bases and what belongs to a whole base: dictionary, curated answers, gaps. */
import type { CuratedAnswer, KnowledgeBaseInfo, KnowledgeGap, ReadableLists } from "#contracts";
import { readableSql, readableValues } from "./access-sql.ts";
import type { Connection } from "./connection.ts";

export type KbRow = {
  readonly num: number;
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly embedder: string | null;
  readonly createdAt: string;
  readonly updatedAt: string;
};

export type Dictionary = { readonly words: readonly string[]; readonly synonyms: readonly (readonly string[])[] };

const columns = `num, id, name, description, embedder, created_at AS createdAt, updated_at AS updatedAt`;

export type KbRepository = ReturnType<typeof createKbRepository>;

export function createKbRepository(connection: Connection) {
  return {
    list: () => connection.all<KbRow>(`SELECT ${columns} FROM kbs ORDER BY created_at, num`),
    find: (id: string) => connection.get<KbRow>(`SELECT ${columns} FROM kbs WHERE id = ?`, id),
    findByName: (name: string) => connection.get<KbRow>(`SELECT ${columns} FROM kbs WHERE name = ?`, name),
    findByNum: (num: number) => connection.get<KbRow>(`SELECT ${columns} FROM kbs WHERE num = ?`, num),
    insert: (row: Omit<KbRow, "num">) =>
      connection.run(
        "INSERT INTO kbs (id, name, description, embedder, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?)",
        row.id,
        row.name,
        row.description,
        row.embedder,
        row.createdAt,
        row.updatedAt,
      ).id,
    update(
      id: string,
      patch: { readonly name?: string; readonly description?: string; readonly embedder?: string | null; readonly updatedAt: string },
    ) {
      const row = this.find(id);
      if (row === undefined) return;
      const next = { ...row, ...patch };
      connection.run(
        "UPDATE kbs SET name = ?, description = ?, embedder = ?, updated_at = ? WHERE id = ?",
        next.name,
        next.description,
        next.embedder,
        next.updatedAt,
        id,
      );
    },
    /** The base and its documents' rows; versions stay as `old` for the purge job. */
    remove(num: number) {
      connection.transaction(() => {
        connection.run("UPDATE versions SET state = 'old' WHERE document IN (SELECT num FROM documents WHERE kb = ?)", num);
        connection.run("DELETE FROM kbs WHERE num = ?", num);
      });
    },
    /** The numbers people see beside a base: over what they may read. */
    counts(num: number, readable: ReadableLists | null) {
      const row = connection.get<Counts>(
        `SELECT count(*) AS documents, coalesce(sum(d.state IN ('waiting', 'reading') AND d.current_version IS NULL), 0) AS pending,
                coalesce(sum(d.state = 'failed'), 0) AS failed, coalesce(sum(v.chunks), 0) AS chunks, coalesce(sum(v.embedded), 0) AS embedded,
                coalesce(sum(v.bytes), 0) AS sizeBytes
         FROM documents d LEFT JOIN versions v ON v.num = coalesce(d.current_version, d.newest_version) WHERE d.kb = ? AND ${readableSql("d")}`,
        num,
        ...readableValues(readable),
      );
      return row as Counts;
    },
    /** Bytes of files that are not readable by words yet. */
    pendingBytes: (num: number) =>
      connection.get<{ bytes: number }>(
        "SELECT coalesce(sum(v.bytes), 0) AS bytes FROM documents d JOIN versions v ON v.num = d.newest_version WHERE d.kb = ? AND d.state IN ('waiting', 'reading')",
        num,
      )?.bytes ?? 0,
    readDictionary(num: number): Dictionary {
      const row = connection.get<{ words: string; synonyms: string }>("SELECT words, synonyms FROM dictionaries WHERE kb = ?", num);
      return row === undefined ? { words: [], synonyms: [] } : { words: JSON.parse(row.words), synonyms: JSON.parse(row.synonyms) };
    },
    writeDictionary: (num: number, dictionary: Dictionary) =>
      connection.run(
        "INSERT INTO dictionaries (kb, words, synonyms) VALUES (?, ?, ?) ON CONFLICT (kb) DO UPDATE SET words = excluded.words, synonyms = excluded.synonyms",
        num,
        JSON.stringify(dictionary.words),
        JSON.stringify(dictionary.synonyms),
      ),
  };
}

type Counts = Pick<KnowledgeBaseInfo, "documents" | "chunks" | "pending" | "failed" | "embedded" | "sizeBytes">;

export type CuratedRow = CuratedAnswer & { readonly documentIds: readonly string[]; readonly createdAt: string };

const curatedColumns = `c.id, k.id AS kbId, c.question, c.answer, c.document_ids AS documentIds, c.created_by AS createdBy, c.approved, c.created_at AS createdAt, c.updated_at AS updatedAt`;
const readCurated = (row: CuratedRow & { documentIds: unknown; approved: unknown }): CuratedRow => ({
  ...row,
  approved: row.approved === (1 as unknown),
  documentIds: JSON.parse(row.documentIds as unknown as string),
});

export type CuratedRepository = ReturnType<typeof createCuratedRepository>;

export function createCuratedRepository(connection: Connection) {
  return {
    list: (kbId: string): readonly CuratedRow[] =>
      connection
        .all<CuratedRow>(`SELECT ${curatedColumns} FROM curated c JOIN kbs k ON k.num = c.kb WHERE k.id = ? ORDER BY c.updated_at DESC`, kbId)
        .map(readCurated),
    find(id: string): CuratedRow | undefined {
      const row = connection.get<CuratedRow>(`SELECT ${curatedColumns} FROM curated c JOIN kbs k ON k.num = c.kb WHERE c.id = ?`, id);
      return row === undefined ? undefined : readCurated(row);
    },
    write: (row: CuratedRow) =>
      connection.run(
        `INSERT INTO curated (id, kb, question, answer, document_ids, created_by, approved, created_at, updated_at) VALUES (?, (SELECT num FROM kbs WHERE id = ?), ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET question = excluded.question, answer = excluded.answer, document_ids = excluded.document_ids, approved = excluded.approved, updated_at = excluded.updated_at`,
        row.id,
        row.kbId,
        row.question,
        row.answer,
        JSON.stringify(row.documentIds),
        row.createdBy,
        row.approved ? 1 : 0,
        row.createdAt,
        row.updatedAt,
      ),
    remove: (id: string) => connection.run("DELETE FROM curated WHERE id = ?", id).changes > 0,
  };
}

export type GapRow = KnowledgeGap & { readonly createdAt: string };

const gapColumns = `g.id, k.id AS kbId, g.question, g.variants, g.count, g.nearest, g.created_at AS createdAt, g.last_asked_at AS lastAskedAt`;
const readGap = (row: GapRow): GapRow => ({
  ...row,
  variants: JSON.parse(row.variants as unknown as string),
  nearest: JSON.parse(row.nearest as unknown as string),
});

export type GapRepository = ReturnType<typeof createGapRepository>;

export function createGapRepository(connection: Connection) {
  return {
    /** Open gaps only, most asked first. */
    list: (kbId: string): readonly GapRow[] =>
      connection
        .all<GapRow>(
          `SELECT ${gapColumns} FROM gaps g JOIN kbs k ON k.num = g.kb WHERE k.id = ? AND g.resolved_at IS NULL ORDER BY g.count DESC, g.last_asked_at DESC`,
          kbId,
        )
        .map(readGap),
    find(id: string): GapRow | undefined {
      const row = connection.get<GapRow>(`SELECT ${gapColumns} FROM gaps g JOIN kbs k ON k.num = g.kb WHERE g.id = ?`, id);
      return row === undefined ? undefined : readGap(row);
    },
    write: (row: GapRow) =>
      connection.run(
        `INSERT INTO gaps (id, kb, question, variants, count, nearest, created_at, last_asked_at) VALUES (?, (SELECT num FROM kbs WHERE id = ?), ?, ?, ?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET question = excluded.question, variants = excluded.variants, count = excluded.count, nearest = excluded.nearest, last_asked_at = excluded.last_asked_at`,
        row.id,
        row.kbId,
        row.question,
        JSON.stringify(row.variants),
        row.count,
        JSON.stringify(row.nearest),
        row.createdAt,
        row.lastAskedAt,
      ),
    resolve: (id: string, at: string) => connection.run("UPDATE gaps SET resolved_at = ? WHERE id = ? AND resolved_at IS NULL", at, id).changes > 0,
  };
}
