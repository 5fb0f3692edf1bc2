/** @file What other rows quote of a document that is removed. The asker's own words and the answer they got stay theirs. */
import type { Connection } from "./connection.ts";

/** Quoted passages of the documents go; citations keep their place (document, page, offsets) with an empty quote. */
export function forgetDocuments(connection: Connection, documentIds: readonly string[]): void {
  if (documentIds.length === 0) return;
  const ids = new Set(documentIds);
  // One document is looked for by its id; a whole base by looking at every row once.
  const like = documentIds.length === 1 ? `%"${documentIds[0]}"%` : `%"documentId"%`;
  for (const [table, column] of [
    ["gaps", "nearest"],
    ["turns", "nearest"],
    ["turns", "citations"],
    ["answers", "answer"],
  ] as const) {
    for (const row of connection.all<{ id: string; value: string }>(`SELECT id, ${column} AS value FROM ${table} WHERE ${column} LIKE ?`, like)) {
      const next = JSON.stringify(forget(JSON.parse(row.value), ids));
      if (next !== row.value) connection.run(`UPDATE ${table} SET ${column} = ? WHERE id = ?`, next, row.id);
    }
  }
}

function forget(value: unknown, ids: ReadonlySet<string>): unknown {
  if (Array.isArray(value)) return value.map((item) => forget(item, ids));
  if (typeof value !== "object" || value === null) return value;
  const owner = (value as { documentId?: unknown }).documentId;
  const isQuote = typeof owner === "string" && ids.has(owner);
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => (isQuote && (key === "text" || key === "quote") ? [key, ""] : [key, forget(item, ids)])),
  );
}
