/** @file What storage expects of the search index (words and vectors). Implemented in index-write.ts. */

export type WordsRow = { readonly chunkId: number; readonly words: readonly string[]; readonly contextWords: readonly string[] };
export type VectorRow = { readonly chunkId: number; readonly vector: Float32Array };

/** Synchronous, on the caller's connection and inside the caller's transaction. */
export type ChunkIndex = {
  addChunks(kb: number, rows: readonly WordsRow[]): void;
  /** Takes chunks out of every list again: called in batches, before their rows go. */
  removeChunks(chunkIds: readonly number[]): void;
  addVectors(rows: readonly VectorRow[]): void;
  removeVectors(chunkIds: readonly number[]): void;
  /** The version became its document's current one, in this transaction. Must not take time by the number of chunks. */
  makeVisible(versionId: number): void;
};
