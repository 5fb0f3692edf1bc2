/** @file What other rows quote of a document that is removed. The asker's own words and the answer they got stay theirs. */
import type { Connection } from "./connection.ts";

/** Quoted passages of the document go; citations keep their place (document, page, offsets) with an empty quote. */
export function forgetDocument(connection: Connection, documentId: string): void {
  const like = `%"${documentId}"%`;
  const rewrite = (table: string, column: string): void => {
    for (const row of connection.all<{ id: string; value: string }>(`SELECT id, ${column} AS value FROM ${table} WHERE ${column} LIKE ?`, like)) {
      connection.run(`UPDATE ${table} SET ${column} = ? WHERE id = ?`, JSON.stringify(forget(JSON.parse(row.value), documentId)), row.id);
    }
  };
  rewrite("gaps", "nearest");
  rewrite("turns", "nearest");
  rewrite("turns", "citations");
  rewrite("answers", "answer");
}

function forget(value: unknown, documentId: string): unknown {
  if (Array.isArray(value)) return value.map((item) => forget(item, documentId));
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value);
  const isQuote = (value as { documentId?: unknown }).documentId === documentId;
  return Object.fromEntries(entries.map(([key, item]) => (isQuote && (key === "text" || key === "quote") ? [key, ""] : [key, forget(item, documentId)])));
}
