/** @file What reading documents in needs from outside; `app` hands it over. */
import type { Logger } from "#base";
import type { Chunk, EmbeddingModel, JobRunner, ParsedDocument } from "#contracts";
import type { Storage } from "#storage";
import type { Gate } from "./gate.ts";
import type { Pace } from "./pace.ts";

/** A file taken apart by a process of its own: text, chunks, and each chunk's words for the index, separated by blanks. */
export type ReadFile = {
  readonly parsed: Omit<ParsedDocument, "blocks">;
  /** The box stores the blocks and need not understand them. */
  readonly blocksJson: string;
  readonly chunks: readonly Chunk[];
  readonly words: readonly { readonly body: string; readonly context: string }[];
};

export type FileReader = {
  read(file: {
    readonly filePath: string;
    readonly name: string /** How many archives and mails it lies in. */;
    readonly depth: number;
    readonly houseWords: readonly string[];
    readonly signal: AbortSignal;
  }): Promise<ReadFile>;
  /** Words of single texts, for a chunk that a person edited. */
  cutWords(texts: readonly string[], houseWords: readonly string[]): Promise<readonly string[]>;
  close(): Promise<void>;
};

export type IngestDeps = {
  readonly storage: Storage;
  readonly jobs: JobRunner;
  readonly reader: FileReader;
  readonly embedders: {
    /** Throws model_not_ready while it is on its way. No id: the default. */
    embeddingModel(id?: string): Promise<EmbeddingModel>;
    /** Of the default embedder; null: search by words only. */
    defaultId(): string | null;
  };
  readonly maxFileBytes: number;
  /** Files read at the same time. */
  readonly readers: number;
  /** Throws disk_full before the disk is. */
  readonly requireRoom?: () => void;
  /** True while somebody waits for an answer: vectors pause, reading slows down. */
  readonly isBusy?: () => boolean;
  readonly now: () => number;
  readonly logger: Logger;
};

/** What the jobs share among themselves. */
export type JobDeps = IngestDeps & { readonly pace: Pace; readonly gate: Gate };
