/** @file Rows of chunks, and the vectors kept by what was embedded. */
import type { Connection } from "./connection.ts";

export type ChunkRow = {
  readonly id: number;
  readonly kb: number;
  readonly document: number;
  readonly version: number;
  readonly ordinal: number;
  readonly start: number;
  readonly end: number;
  readonly page: number | null;
  readonly context: readonly string[];
  readonly label: string | null;
  readonly text: string;
  /** Of what is embedded: the same hash never costs a second embedding. */
  readonly hash: Uint8Array;
  readonly edited: boolean;
  readonly embedded: boolean;
};

const columns = `id, kb, document, version, ordinal, start, "end", page, context, label, text, hash, edited, embedded`;

type Stored = { [K in keyof ChunkRow]: unknown };
const readChunk = (row: Stored): ChunkRow => ({
  ...(row as unknown as ChunkRow),
  context: JSON.parse(row.context as string),
  edited: row.edited === 1,
  embedded: row.embedded === 1,
});

/** Of a current version, or of one that waits for approval: its vectors are there when it comes. */
const isFound = `(EXISTS (SELECT 1 FROM documents d WHERE d.num = c.document AND d.current_version = c.version)
  OR EXISTS (SELECT 1 FROM versions v WHERE v.num = c.version AND v.held IS NOT NULL AND v.state = 'building'))`;

export type ChunkRepository = ReturnType<typeof createChunkRepository>;

export function createChunkRepository(connection: Connection) {
  return {
    find(id: number): ChunkRow | undefined {
      const row = connection.get<Stored>(`SELECT ${columns} FROM chunks WHERE id = ?`, id);
      return row === undefined ? undefined : readChunk(row);
    },
    list: (version: number) =>
      connection.all<Stored>(`SELECT ${columns} FROM chunks WHERE version = ? ORDER BY ordinal, start`, version).map(readChunk),
    insert: (row: Omit<ChunkRow, "id" | "embedded">) =>
      connection.run(
        `INSERT INTO chunks (kb, document, version, ordinal, start, "end", page, context, label, text, hash, edited) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        row.kb,
        row.document,
        row.version,
        row.ordinal,
        row.start,
        row.end,
        row.page,
        JSON.stringify(row.context),
        row.label,
        row.text,
        row.hash,
        row.edited ? 1 : 0,
      ).id,
    update(id: number, patch: Partial<Pick<ChunkRow, "end" | "text" | "hash" | "edited" | "embedded">>) {
      const row = this.find(id);
      if (row === undefined) return;
      const next = { ...row, ...patch };
      connection.run(
        `UPDATE chunks SET "end" = ?, text = ?, hash = ?, edited = ?, embedded = ? WHERE id = ?`,
        next.end,
        next.text,
        next.hash,
        next.edited ? 1 : 0,
        next.embedded ? 1 : 0,
        id,
      );
    },
    /** Makes room behind a chunk that is split, or closes it up after a merge. */
    shiftOrdinals: (version: number, after: number, by: number) =>
      connection.run("UPDATE chunks SET ordinal = ordinal + ? WHERE version = ? AND ordinal > ?", by, version, after),
    remove: (id: number) => connection.run("DELETE FROM chunks WHERE id = ?", id),
    /** The next chunks of a base that can be found by words and have no vector yet. */
    listUnembedded: (kb: number, limit: number) =>
      connection
        .all<Stored>(`SELECT ${columns} FROM chunks c WHERE c.kb = ? AND c.embedded = 0 AND ${isFound} ORDER BY c.id LIMIT ?`, kb, limit)
        .map(readChunk),
    countUnembedded: (kb: number) =>
      connection.get<{ count: number }>(`SELECT count(*) AS count FROM chunks c WHERE c.kb = ? AND c.embedded = 0 AND ${isFound}`, kb)?.count ?? 0,
    markEmbedded: (id: number) => connection.run("UPDATE chunks SET embedded = 1 WHERE id = ?", id),
    markUnembedded: (id: number) => connection.run("UPDATE chunks SET embedded = 0 WHERE id = ?", id),
    /** The first of a version's chunks: the purge takes them in batches. */
    listSome: (version: number, limit: number) =>
      connection.all<{ id: number; hash: Uint8Array }>("SELECT id, hash FROM chunks WHERE version = ? LIMIT ?", version, limit),
    count: (version: number) =>
      connection.get<{ count: number; embedded: number }>(
        "SELECT count(*) AS count, coalesce(sum(embedded), 0) AS embedded FROM chunks WHERE version = ?",
        version,
      ) as { count: number; embedded: number },
    countAll: (kb: number) => connection.get<{ count: number }>("SELECT count(*) AS count FROM chunks WHERE kb = ?", kb) as { count: number },
    /** Every chunk of a base, whatever the state of its version. */
    listAll: (kb: number, after: number, limit: number) =>
      connection.all<Stored>(`SELECT ${columns} FROM chunks WHERE kb = ? AND id > ? ORDER BY id LIMIT ?`, kb, after, limit).map(readChunk),
    /** Chunks of current versions of one base, for embedding them anew with another model. */
    listCurrent: (kb: number, after: number, limit: number) =>
      connection
        .all<Stored>(
          `SELECT ${columns} FROM chunks c WHERE c.kb = ? AND c.id > ? AND EXISTS (SELECT 1 FROM documents d WHERE d.num = c.document AND d.current_version = c.version) ORDER BY c.id LIMIT ?`,
          kb,
          after,
          limit,
        )
        .map(readChunk),
  };
}

export type VectorRepository = ReturnType<typeof createVectorRepository>;

export function createVectorRepository(connection: Connection) {
  return {
    find(embedder: string, hash: Uint8Array): Float32Array | undefined {
      const row = connection.get<{ vector: Uint8Array }>("SELECT vector FROM vectors WHERE embedder = ? AND hash = ?", embedder, hash);
      return row === undefined ? undefined : new Float32Array(row.vector.slice().buffer);
    },
    write: (embedder: string, hash: Uint8Array, vector: Float32Array) =>
      connection.run(
        "INSERT OR IGNORE INTO vectors (embedder, hash, vector) VALUES (?, ?, ?)",
        embedder,
        hash,
        new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength),
      ),
    remove: (embedder: string, hash: Uint8Array) => connection.run("DELETE FROM vectors WHERE embedder = ? AND hash = ?", embedder, hash),
    /** After their chunks went: those no other chunk shares. */
    removeUnused: (hash: Uint8Array) =>
      connection.run("DELETE FROM vectors WHERE hash = ? AND NOT EXISTS (SELECT 1 FROM chunks WHERE chunks.hash = vectors.hash)", hash).changes,
  };
}
