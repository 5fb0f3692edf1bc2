/** @file What retrieval asks of the store, from a thread of its own. Storage has it; nothing here knows SQL. */
import type { RetrieveFilter, Viewer } from "#contracts";

export type Scope = { readonly kbIds: readonly string[]; readonly viewer: Viewer; readonly filter?: RetrieveFilter };

export type WordCount = { readonly word: string; readonly chunks: number };

/** What ranking needs of one candidate. */
export type Candidate = {
  readonly chunkId: number;
  readonly document: number;
  readonly version: number;
  readonly ordinal: number;
  readonly text: string;
  /** Index words as stored, separated by blanks. */
  readonly body: string;
  readonly context: string;
  /** The exact vector of the base's embedder; null until it is made. */
  readonly vector: Float32Array | null;
};

/** Everything a hit shows. */
export type HitRow = {
  readonly chunkId: number;
  readonly kbId: string;
  readonly documentId: string;
  readonly versionId: string;
  readonly path: string;
  readonly title: string;
  readonly context: readonly string[];
  readonly label: string | null;
  readonly page: number | null;
  readonly start: number;
  readonly end: number;
  readonly text: string;
  readonly date: string | null;
  readonly edition: "in-force" | "superseded" | null;
  readonly supersededBy: { readonly documentId: string; readonly date: string | null } | null;
};

export type Dictionary = { readonly words: readonly string[]; readonly synonyms: readonly (readonly string[])[] };

export type IndexReader = {
  /** Runs `work` on one unchanging state of the data. */
  snapshot<T>(work: () => T): T;
  /** Versions that may be searched, as JSON rows of [version, base, 1 where superseded]: equal texts are equal scopes. */
  listScope(scope: Scope): string;
  readDictionary(kbs: readonly number[]): Dictionary;
  countWords(words: readonly string[]): readonly WordCount[];
  /** Every place of a word, chunk by chunk: twice the chunk's id, plus one where it stands in the text and not in the titles above it. */
  readPlaces(word: string): readonly number[];
  /** Chunks with an id above `after`, oldest first, with the number of words of text and titles together. */
  eachLength(after: number, use: (chunkId: number, words: number) => void): void;
  /** Chunks with an id above `after`, oldest first, with their version and base. */
  eachChunk(after: number, use: (chunkId: number, version: number, kb: number) => void): void;
  /** Codes of vectors written after `after` (a running number), oldest first. */
  eachVector(kb: number, after: number, use: (seq: number, chunkId: number, code: Uint8Array) => void): void;
  /** Current versions whose work other works name, with how many do. */
  countCitations(): readonly { readonly version: number; readonly works: number }[];
  readCandidates(chunkIds: readonly number[]): readonly Candidate[];
  /** In no order; without those the viewer may not read (any more). */
  readHits(chunkIds: readonly number[], viewer: Viewer): readonly HitRow[];
  close(): void;
};
