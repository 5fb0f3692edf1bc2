/** @file Knowledge bases, documents and their states as people see them. */
import type { ErrorRecord } from "#base";
import type { Level } from "./platform.ts";

export type KnowledgeBaseInfo = {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly embedder: string | null;
  readonly documents: number;
  readonly chunks: number;
  /** Files not yet readable by words. */
  readonly pending: number;
  readonly failed: number;
  /** Chunks with vectors; equal to `chunks` when search by meaning is complete. */
  readonly embedded: number;
  readonly etaSeconds: number | null;
  readonly sizeBytes: number;
  /** What the asker may do with the base as a whole. Counts are over what the asker may read. */
  readonly level: Level;
  /** New documents and fixed answers are seen by readers once approved. */
  readonly approval: boolean;
  readonly createdAt: string;
  readonly updatedAt: string;
};

/** waiting -> reading -> words (searchable by words) -> ready (vectors too); failed with a reason; needs-ocr: only pictures. */
export type DocumentState = "waiting" | "reading" | "words" | "ready" | "failed" | "needs-ocr";

export type DocumentInfo = {
  readonly id: string;
  readonly kbId: string;
  readonly path: string;
  readonly title: string;
  readonly type: string;
  readonly state: DocumentState;
  readonly pages: number | null;
  readonly scannedPages: readonly number[];
  readonly chunks: number;
  readonly embedded: number;
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly version: number;
  readonly date: string | null;
  readonly edition: {
    readonly work: string;
    readonly state: "in-force" | "superseded";
    readonly others: readonly { readonly documentId: string; readonly path: string; readonly date: string | null }[];
  } | null;
  readonly tags: readonly string[];
  /** What the asker may do with it. */
  readonly level: Level;
  /** false: readers do not see it yet. */
  readonly approved: boolean;
  /** A newer version that readers see once it is approved; until then they find the one before it. Told only to those who may change the document. */
  readonly waiting: { readonly versionId: string; readonly version: number; readonly sizeBytes: number; readonly createdAt: string } | null;
  readonly owner: { readonly id: string; readonly name: string } | null;
  readonly reviewAt: string | null;
  readonly warnings: readonly { readonly code: string; readonly message: string }[];
  readonly error: ErrorRecord | null;
  readonly createdAt: string;
  readonly updatedAt: string;
};

export type ChunkInfo = {
  readonly id: number;
  readonly ordinal: number;
  readonly start: number;
  readonly end: number;
  readonly page: number | null;
  readonly context: readonly string[];
  readonly label: string | null;
  readonly text: string;
  readonly edited: boolean;
  readonly embedded: boolean;
};
