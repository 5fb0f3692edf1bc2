/** @file Asking a knowledge base: what a retriever takes and returns. The same path serves chat, API, command line, console and benchmarks. */
import type { Level } from "./platform.ts";

/**
 * Who looks. Teams and lists are read inside each query, so what was taken away a moment ago is gone;
 * `everything` is for administrators and the box's own operator.
 */
export type Viewer = {
  readonly person: string | null;
  readonly access: "everything" | "granted";
  /** Of a team's key. */
  readonly team?: string;
  /** What the role and the key allow at most. */
  readonly ceiling?: Level;
  /** Bases a key is limited to. */
  readonly bases?: readonly string[];
};

export type RetrieveFilter = {
  readonly folder?: string;
  readonly types?: readonly string[];
  readonly tags?: readonly string[];
  /** ISO dates, inclusive, on the document's own date. */
  readonly dateFrom?: string;
  readonly dateTo?: string;
  readonly documentIds?: readonly string[];
};

export type RetrieveRequest = {
  readonly kbIds: readonly string[];
  readonly query: string;
  readonly limit: number;
  readonly viewer: Viewer;
  readonly filter?: RetrieveFilter;
  /** Words only (also what happens while the embedder is missing). */
  readonly lexicalOnly?: boolean;
  readonly signal?: AbortSignal;
};

export type Edition = {
  /** Earlier or later text of the same work. */ readonly state: "in-force" | "superseded";
  readonly date: string | null;
  readonly supersededBy?: { readonly documentId: string; readonly date: string | null };
};

export type RetrieveHit = {
  readonly chunkId: number;
  readonly kbId: string;
  readonly documentId: string;
  readonly versionId: string;
  /** Path relative to what was added. */
  readonly document: string;
  readonly title: string;
  readonly context: readonly string[];
  readonly label: string | null;
  readonly page: number | null;
  /** Half-open UTF-16 offsets into the version's extracted text; `text` is that slice verbatim. */
  readonly start: number;
  readonly end: number;
  readonly text: string;
  readonly score: number;
  /** 1-based ranks in each list; null: not in it. */
  readonly ranks: { readonly lexical: number | null; readonly dense: number | null; readonly rerank: number | null };
  /** Cosine of query and passage, mean not subtracted; null without vectors. */
  readonly cosine: number | null;
  readonly edition: Edition | null;
};

export type RetrieveResult = {
  readonly query: string;
  readonly hits: readonly RetrieveHit[];
  readonly ms: { readonly embed: number; readonly lexical: number; readonly dense: number; readonly fuse: number; readonly total: number };
  /** "hybrid", or "words" with the reason in `note`. */
  readonly mode: "hybrid" | "words";
  readonly note?: string;
};

export type Retriever = { retrieve(request: RetrieveRequest): Promise<RetrieveResult> };
