/** @file The reading side of the search index, on a connection of its own so that a long scan stalls nobody. */
import path from "node:path";
import type { RetrieveFilter, Viewer } from "#contracts";
import { openLists, viewerValues } from "./access-sql.ts";
import { type Connection, openConnection } from "./connection.ts";
import { citationKey } from "./index-citations.ts";

type Scope = { readonly kbIds: readonly string[]; readonly viewer: Viewer; readonly filter?: RetrieveFilter };

/** Who may read what is decided here, in the query, not after it. */
const permitted = `JOIN open o ON o.list = d.access
  AND (o.level >= 2 OR k.approval = 0 OR EXISTS (SELECT 1 FROM approvals a WHERE a.version = d.current_version))`;

/** Of a later edition no more than its number is said, and that only to those who may read it. */
const laterPermitted = `AND EXISTS (SELECT 1 FROM open so WHERE so.list = s.access
  AND (so.level >= 2 OR k.approval = 0 OR EXISTS (SELECT 1 FROM approvals a WHERE a.version = s.current_version)))`;

const scopeSql = (granted: boolean): string => `${granted ? openLists : ""}
SELECT json_group_array(json_array(d.current_version, d.kb, d.edition IS 'superseded')) AS scope
FROM documents d JOIN kbs k ON k.num = d.kb ${granted ? permitted : ""}
WHERE k.id IN (SELECT value FROM json_each($kbs)) AND ($bases IS NULL OR k.id IN (SELECT value FROM json_each($bases))) AND d.current_version IS NOT NULL
  AND ($documents IS NULL OR d.id IN (SELECT value FROM json_each($documents)))
  AND ($folder IS NULL OR d.folder = $folder OR substr(d.folder, 1, length($folder) + 1) = $folder || '/')
  AND ($types IS NULL OR d.type IN (SELECT value FROM json_each($types)))
  AND ($tags IS NULL OR EXISTS (SELECT 1 FROM json_each(d.tags) t JOIN json_each($tags) w ON w.value = t.value))
  AND ($from IS NULL OR d.date >= $from) AND ($to IS NULL OR d.date <= $to)`;

const candidateSql = `
SELECT c.id, c.document, c.version, c.ordinal, c.text, t.body, t.context, v.vector
FROM json_each(?) e JOIN chunks c ON c.id = e.value JOIN chunk_terms t ON t.chunk = c.id
LEFT JOIN kbs k ON k.num = c.kb LEFT JOIN vectors v ON v.embedder = k.embedder AND v.hash = c.hash`;

/** Asked again when the hits are shown: between finding and showing lies the time the question took to embed. */
const hitSql = (granted: boolean): string => `${granted ? openLists : ""}
SELECT c.id AS chunkId, k.id AS kbId, d.id AS documentId, v.id AS versionId, d.path, d.title, c.context, c.label, c.page, c.start, c."end", c.text, d.date, d.edition,
  s.id AS laterId, s.date AS laterDate
FROM chunks c JOIN versions v ON v.num = c.version JOIN documents d ON d.num = v.document AND d.current_version = v.num JOIN kbs k ON k.num = d.kb ${granted ? permitted : ""}
LEFT JOIN documents s ON s.num = d.superseded_by ${granted ? laterPermitted : ""}
WHERE c.id IN (SELECT value FROM json_each($chunks))`;

const citationsSql = `
SELECT x.name, count(DISTINCT coalesce(d.work, d.id)) AS works
FROM chunk_citations x JOIN chunks c ON c.id = x.chunk JOIN documents d ON d.num = c.document AND d.current_version = c.version
GROUP BY x.name`;

/** FTS5 keeps the number of words of each column so: seven bits a byte, the largest first, the high bit says that more follow. */
function sumOfVarints(bytes: Uint8Array): number {
  let sum = 0;
  let value = 0;
  for (const byte of bytes) {
    value = value * 128 + (byte & 0x7f);
    if (byte >= 0x80) continue;
    sum += value;
    value = 0;
  }
  return sum;
}

const list = (values: readonly string[] | undefined): string | null => (values === undefined ? null : JSON.stringify(values));

export type IndexReader = ReturnType<typeof openIndexReader>;

export function openIndexReader(dataDir: string) {
  const connection = openConnection(path.join(dataDir, "box.db"), { readOnly: true });
  const { raw } = connection;
  // One JSON text instead of a row each: handing rows over costs more than finding them.
  raw.exec("CREATE VIRTUAL TABLE temp.chunk_word_places USING fts5vocab(main, chunk_words, instance)");
  const places = raw.prepare("SELECT json_group_array(doc * 2 + (col = 'body')) AS places FROM temp.chunk_word_places WHERE term = ?");
  const lengths = raw.prepare("SELECT id, sz FROM chunk_words_docsize WHERE id > ? ORDER BY id");
  const statements = { everything: prepareFor(raw, false), granted: prepareFor(raw, true) };
  const chunks = raw.prepare("SELECT id, version, kb FROM chunks WHERE id > ? ORDER BY id");
  const vectors = raw.prepare("SELECT seq, chunk, code FROM chunk_vectors WHERE kb = ? AND seq > ? ORDER BY seq");
  const candidates = raw.prepare(candidateSql);
  candidates.setReturnArrays(true);
  const newest = raw.prepare("SELECT max(seq) AS seq FROM chunk_vectors");
  return {
    snapshot<T>(work: () => T): T {
      raw.exec("BEGIN");
      try {
        return work();
      } finally {
        raw.exec("COMMIT");
      }
    },
    listScope({ kbIds, viewer, filter = {} }: Scope) {
      const { $bases, ...mine } = viewerValues(viewer);
      const row = statements[viewer.access].scope.get({
        ...(viewer.access === "granted" ? mine : {}),
        $bases,
        $kbs: JSON.stringify(kbIds),
        $documents: list(filter.documentIds),
        $folder: filter.folder === undefined ? null : filter.folder.replace(/\/+$/, ""),
        $types: list(filter.types),
        $tags: list(filter.tags),
        $from: filter.dateFrom ?? null,
        $to: filter.dateTo ?? null,
      }) as { scope: string };
      return row.scope;
    },
    readDictionary(kbs: readonly number[]) {
      const merged = { words: [] as string[], synonyms: [] as (readonly string[])[] };
      for (const kb of kbs) {
        const row = connection.get<{ words: string; synonyms: string }>("SELECT words, synonyms FROM dictionaries WHERE kb = ?", kb);
        if (row === undefined) continue;
        merged.words.push(...(JSON.parse(row.words) as string[]));
        merged.synonyms.push(...(JSON.parse(row.synonyms) as string[][]));
      }
      return merged;
    },
    countWords: (list: readonly string[]) =>
      list.map((word) => ({ word, chunks: connection.get<{ doc: number }>("SELECT doc FROM chunk_words_count WHERE term = ?", word)?.doc ?? 0 })),
    readPlaces: (word: string) => JSON.parse((places.get(word) as { places: string }).places) as number[],
    eachLength(after: number, use: (chunkId: number, words: number) => void) {
      for (const row of lengths.iterate(after) as Iterable<{ id: number; sz: Uint8Array }>) use(row.id, sumOfVarints(row.sz));
    },
    eachChunk(after: number, use: (chunkId: number, version: number, kb: number) => void) {
      for (const row of chunks.iterate(after) as Iterable<{ id: number; version: number; kb: number }>) use(row.id, row.version, row.kb);
    },
    eachVector(kb: number, after: number, use: (seq: number, chunkId: number, code: Uint8Array) => void) {
      if (((newest.get() as { seq: number | null } | undefined)?.seq ?? 0) <= after) return;
      for (const row of vectors.iterate(kb, after) as Iterable<{ seq: number; chunk: number; code: Uint8Array }>) use(row.seq, row.chunk, row.code);
    },
    /** How many other works of the bases name this document's work; documents nobody names are left out. */
    countCitations() {
      const counts = new Map<string, number>();
      const rows = connection.all<{ name: string; works: number }>(citationsSql);
      for (const { name, works } of rows) counts.set(name, works);
      if (counts.size === 0) return [];
      const documents = connection.all<{ version: number; title: string }>(
        "SELECT current_version AS version, title FROM documents WHERE current_version IS NOT NULL",
      );
      return documents.map(({ version, title }) => ({ version, works: counts.get(citationKey(title)) ?? 0 })).filter(({ works }) => works > 0);
    },
    readCandidates(chunkIds: readonly number[]) {
      const rows = candidates.all(JSON.stringify(chunkIds)) as unknown as CandidateRow[];
      return rows.map(([chunkId, document, version, ordinal, text, body, context, vector]) => ({
        chunkId,
        document,
        version,
        ordinal,
        text,
        body,
        context,
        vector: vector === null ? null : floatsOf(vector),
      }));
    },
    readHits(chunkIds: readonly number[], viewer: Viewer) {
      const rows = statements[viewer.access].hits.all({
        ...(viewer.access === "granted" ? viewerValues(viewer) : {}),
        $chunks: JSON.stringify(chunkIds),
      }) as HitRow[];
      return rows.map(({ laterId, laterDate, context, ...row }) => ({
        ...row,
        context: JSON.parse(context) as string[],
        supersededBy: laterId === null ? null : { documentId: laterId, date: laterDate },
      }));
    },
    close: () => connection.close(),
  };
}

function prepareFor(raw: Connection["raw"], granted: boolean) {
  return { scope: raw.prepare(scopeSql(granted)), hits: raw.prepare(hitSql(granted)) };
}

type CandidateRow = readonly [
  chunkId: number,
  document: number,
  version: number,
  ordinal: number,
  text: string,
  body: string,
  context: string,
  vector: Uint8Array | null,
];

/** A row's bytes are its own, and aligned unless SQLite's driver changes: then they are copied. */
const floatsOf = (bytes: Uint8Array): Float32Array =>
  bytes.byteOffset % 4 === 0
    ? new Float32Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength / 4)
    : new Float32Array(bytes.slice().buffer);

type HitRow = {
  readonly chunkId: number;
  readonly kbId: string;
  readonly documentId: string;
  readonly versionId: string;
  readonly path: string;
  readonly title: string;
  readonly context: string;
  readonly label: string | null;
  readonly page: number | null;
  readonly start: number;
  readonly end: number;
  readonly text: string;
  readonly date: string | null;
  readonly edition: "in-force" | "superseded" | null;
  readonly laterId: string | null;
  readonly laterDate: string | null;
};
