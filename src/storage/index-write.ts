/** @file The writing side of the search index. Statements only: cutting words and embedding happen before. */
import type { ChunkIndex } from "./chunk-index.ts";
import type { Connection } from "./connection.ts";
import { findCitations } from "./index-citations.ts";
import { encodeVector } from "./index-code.ts";

/** Everything runs on the caller's connection, inside the caller's transaction. */
export function createChunkIndex(connection: Connection): ChunkIndex {
  const removeWords = (chunkId: number): void => {
    const old = connection.get<{ body: string; context: string }>("SELECT body, context FROM chunk_terms WHERE chunk = ?", chunkId);
    if (old === undefined) return;
    connection.run("INSERT INTO chunk_words (chunk_words, rowid, body, context) VALUES ('delete', ?, ?, ?)", chunkId, old.body, old.context);
    connection.run("DELETE FROM chunk_terms WHERE chunk = ?", chunkId);
    connection.run("DELETE FROM chunk_citations WHERE chunk = ?", chunkId);
  };
  const addCitations = (chunkId: number): void => {
    const text = connection.get<{ text: string }>("SELECT text FROM chunks WHERE id = ?", chunkId)?.text ?? "";
    for (const name of findCitations(text)) connection.run("INSERT INTO chunk_citations (chunk, name) VALUES (?, ?)", chunkId, name);
  };
  const removeVector = (chunkId: number): void => {
    connection.run("DELETE FROM chunk_vectors WHERE chunk = ?", chunkId);
  };
  return {
    addChunks(_kb, rows) {
      for (const { chunkId, words, contextWords } of rows) {
        removeWords(chunkId); // an edited chunk comes again
        const body = words.join(" ");
        const context = contextWords.join(" ");
        connection.run("INSERT INTO chunk_terms (chunk, body, context) VALUES (?, ?, ?)", chunkId, body, context);
        connection.run("INSERT INTO chunk_words (rowid, body, context) VALUES (?, ?, ?)", chunkId, body, context);
        addCitations(chunkId);
      }
    },
    removeChunks(chunkIds) {
      for (const id of chunkIds) {
        removeWords(id);
        removeVector(id);
      }
    },
    addVectors(rows) {
      for (const { chunkId, vector } of rows) {
        removeVector(chunkId);
        connection.run("INSERT INTO chunk_vectors (chunk, kb, code) SELECT id, kb, ? FROM chunks WHERE id = ?", encodeVector(vector), chunkId);
      }
    },
    removeVectors(chunkIds) {
      for (const id of chunkIds) removeVector(id);
    },
    /** Readers ask each document for its current version at every question: nothing to move. */
    makeVisible() {},
  };
}
