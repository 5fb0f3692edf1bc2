/** @file Everything the box can do, as `app` hands it to HTTP and to a command line working alone. Both show the same shapes. */

import type { Answer, AnswerPart, Citation } from "./answer.ts";
import type { AuditService } from "./audit.ts";
import type { Block } from "./document.ts";
import type { JobInfo } from "./jobs.ts";
import type { ChunkInfo, DocumentInfo, KnowledgeBaseInfo } from "./knowledge.ts";
import type { ChatMessage, EmbeddingModel, LanguageModel, ModelInfo } from "./model.ts";
import type { OperationsService } from "./operations.ts";
import type { PageService } from "./pages.ts";
import type { PeopleService } from "./people.ts";
import type { Actor } from "./platform.ts";

import type { PrivacyService } from "./privacy.ts";
import type { RetrieveFilter, RetrieveResult } from "./retrieval.ts";
import type { KeysService, Meter, UsageService } from "./usage.ts";

export type Page<T> = { readonly items: readonly T[]; readonly nextCursor: string | null };

export type AddedFile = {
  readonly path: string;
  readonly documentId: string /** false: the same bytes were already there; nothing to do. */;
  readonly changed: boolean;
};

export type KnowledgeService = {
  listBases(actor: Actor): Promise<readonly KnowledgeBaseInfo[]>;
  /** By id or by name; throws kb_not_found. */
  readBase(actor: Actor, idOrName: string): Promise<KnowledgeBaseInfo>;
  /** Seen by whoever makes it, until it is shared; `readers` shares it at once. */
  createBase(
    actor: Actor,
    input: { readonly name: string; readonly description?: string; readonly readers?: "everyone" },
  ): Promise<KnowledgeBaseInfo>;
  updateBase(
    actor: Actor,
    kbId: string,
    patch: { readonly name?: string; readonly description?: string; readonly embedder?: string; readonly approval?: boolean },
  ): Promise<KnowledgeBaseInfo>;
  removeBase(actor: Actor, kbId: string): Promise<void>;

  /** Resolves when bytes and row are durable; reading goes on as a job. A ZIP or mail adds its members too. */
  addFile(
    actor: Actor,
    kbId: string,
    file: {
      readonly path: string;
      readonly content: { readonly filePath: string } | { readonly bytes: Uint8Array } | { readonly stream: ReadableStream<Uint8Array> };
      readonly tags?: readonly string[];
    },
  ): Promise<AddedFile>;
  listDocuments(
    actor: Actor,
    kbId: string,
    query?: { readonly cursor?: string; readonly limit?: number; readonly state?: string; readonly search?: string; readonly folder?: string },
  ): Promise<Page<DocumentInfo>>;
  readDocument(actor: Actor, documentId: string): Promise<DocumentInfo>;
  updateDocument(
    actor: Actor,
    documentId: string,
    patch: {
      readonly tags?: readonly string[];
      readonly title?: string;
      readonly date?: string | null;
      readonly ownerId?: string | null;
      /** The day on which somebody should look whether it still holds. */
      readonly reviewAt?: string | null;
    },
  ): Promise<DocumentInfo>;
  /** Lets readers see the version that waits, or the current one; `false` turns down the one that waits, or takes the current one out of their sight. For those who manage the base. */
  approveDocument(actor: Actor, documentId: string, approved: boolean): Promise<DocumentInfo>;
  /** Documents whose review day has come: one's own, and those of bases one manages. */
  listReviews(actor: Actor): Promise<readonly DueReview[]>;
  removeDocument(actor: Actor, documentId: string): Promise<void>;
  retryDocument(actor: Actor, documentId: string): Promise<void>;
  /** Extracted text of the current (or a given) version with its blocks, for the source pane. */
  readText(
    actor: Actor,
    documentId: string,
    versionId?: string,
  ): Promise<{ readonly versionId: string; readonly text: string; readonly blocks: readonly Block[]; readonly pages: number | null }>;
  /** The original bytes. */
  openOriginal(
    actor: Actor,
    documentId: string,
    versionId?: string,
  ): Promise<{ readonly filePath: string; readonly type: string; readonly name: string; readonly sizeBytes: number }>;

  listChunks(actor: Actor, documentId: string): Promise<readonly ChunkInfo[]>;
  updateChunk(actor: Actor, chunkId: number, patch: { readonly text: string }): Promise<ChunkInfo>;
  splitChunk(actor: Actor, chunkId: number, at: number): Promise<readonly ChunkInfo[]>;
  /** Joins a chunk with the next one. */
  mergeChunk(actor: Actor, chunkId: number): Promise<ChunkInfo>;

  search(
    actor: Actor,
    kbId: string,
    query: {
      readonly query: string;
      readonly limit?: number;
      readonly filter?: RetrieveFilter;
      readonly lexicalOnly?: boolean;
      readonly signal?: AbortSignal;
    },
  ): Promise<RetrieveResult>;

  /** Synonym groups and words of the house, used when text is cut into words. */
  readDictionary(actor: Actor, kbId: string): Promise<{ readonly words: readonly string[]; readonly synonyms: readonly (readonly string[])[] }>;
  writeDictionary(
    actor: Actor,
    kbId: string,
    dictionary: { readonly words: readonly string[]; readonly synonyms: readonly (readonly string[])[] },
  ): Promise<void>;

  listCurated(actor: Actor, kbId: string): Promise<readonly CuratedAnswer[]>;
  writeCurated(
    actor: Actor,
    kbId: string,
    answer: { readonly id?: string; readonly question: string; readonly answer: string; readonly documentIds?: readonly string[] },
  ): Promise<CuratedAnswer>;
  removeCurated(actor: Actor, id: string): Promise<void>;
  approveCurated(actor: Actor, id: string): Promise<void>;

  listGaps(actor: Actor, kbId: string): Promise<readonly KnowledgeGap[]>;
  resolveGap(actor: Actor, gapId: string): Promise<void>;

  /** The statutes that come with the box. Creates (or finds) the base and adds them. */
  addSamples(actor: Actor): Promise<KnowledgeBaseInfo>;
};

export type DueReview = {
  readonly documentId: string;
  readonly kbId: string;
  readonly base: string;
  readonly path: string;
  readonly title: string;
  readonly reviewAt: string;
  readonly owner: { readonly id: string; readonly name: string } | null;
};

export type CuratedAnswer = {
  readonly id: string;
  readonly kbId: string;
  readonly question: string;
  readonly answer: string;
  readonly createdBy: string;
  /** false: waits for approval and is not given as an answer. */
  readonly approved: boolean;
  readonly updatedAt: string;
};

/** Questions that got no answer, grouped by likeness. */
export type KnowledgeGap = {
  readonly id: string;
  readonly kbId: string;
  readonly question: string;
  readonly variants: readonly string[];
  readonly count: number;
  readonly lastAskedAt: string;
  readonly nearest: readonly { readonly document: string; readonly documentId: string; readonly text: string }[];
};

export type ChatInfo = {
  readonly id: string;
  readonly title: string;
  readonly kbIds: readonly string[];
  readonly model: string | null;
  readonly createdAt: string;
  readonly updatedAt: string;
};

export type ChatTurn = {
  readonly id: string;
  readonly parentId: string | null;
  readonly role: "user" | "assistant";
  readonly content: string;
  readonly citations: readonly Citation[];
  readonly refused: boolean;
  readonly nearest: readonly {
    readonly documentId: string;
    readonly document: string;
    readonly page: number | null;
    readonly start: number;
    readonly end: number;
    readonly text: string;
  }[];
  readonly rating: "up" | "down" | null;
  readonly correction: string | null;
  readonly model: string | null;
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly createdAt: string;
};

/** Streamed while a turn is being answered. `turn-start` names both rows; they are durable from then on. */
export type ChatPart =
  | { readonly type: "turn-start"; readonly userTurnId: string; readonly assistantTurnId: string }
  /** Others are served first: 1 is next, 0 says that the turn has come. */
  | { readonly type: "queued"; readonly position: number; readonly etaSeconds: number | null }
  | { readonly type: "text-delta"; readonly text: string }
  | { readonly type: "citation"; readonly citation: Citation }
  | { readonly type: "finish"; readonly turn: ChatTurn; readonly title: string }
  | {
      readonly type: "error";
      readonly error: {
        readonly code: string;
        readonly message: string;
        readonly hint?: string;
        readonly zh?: { readonly message: string; readonly hint?: string };
      };
    };

export type ChatService = {
  listChats(actor: Actor): Promise<readonly ChatInfo[]>;
  createChat(actor: Actor, input: { readonly kbIds: readonly string[]; readonly model?: string }): Promise<ChatInfo>;
  updateChat(
    actor: Actor,
    chatId: string,
    patch: { readonly title?: string; readonly kbIds?: readonly string[]; readonly model?: string | null },
  ): Promise<ChatInfo>;
  removeChat(actor: Actor, chatId: string): Promise<void>;
  /** The newest branch, oldest turn first. */
  readTurns(actor: Actor, chatId: string): Promise<readonly ChatTurn[]>;
  /** A new question; `replaceTurnId` edits an earlier question (its branch starts again), `retryTurnId` answers again. */
  ask(
    actor: Actor,
    chatId: string,
    input: { readonly content?: string; readonly replaceTurnId?: string; readonly retryTurnId?: string; readonly signal?: AbortSignal },
  ): AsyncIterable<ChatPart>;
  rateTurn(actor: Actor, turnId: string, rating: "up" | "down" | null): Promise<void>;
  correctTurn(actor: Actor, turnId: string, correction: { readonly text: string; readonly reason?: string }): Promise<void>;
};

export type AnswerService = {
  /** One question against knowledge bases, recorded with its lineage; a gap is noted when refused. */
  answer(
    actor: Actor,
    request: {
      readonly kbs: readonly string[];
      readonly messages: readonly ChatMessage[];
      readonly model?: string;
      readonly filter?: RetrieveFilter;
      readonly maxTokens?: number;
      readonly temperature?: number;
      readonly seed?: number;
      readonly signal?: AbortSignal;
    },
  ): AsyncIterable<AnswerPart>;
  readLineage(actor: Actor, answerId: string): Promise<Answer>;
};

export type ModelsService = {
  list(): Promise<readonly ModelInfo[]>;
  /** Starts (or joins) a pull; progress is in `list` and as a job. */
  pull(id: string): Promise<ModelInfo>;
  cancelPull(id: string): Promise<void>;
  /** Resolves when the model is on disk and checked. */
  waitFor(id: string, signal?: AbortSignal): Promise<ModelInfo>;
  import(filePath: string, id?: string): Promise<ModelInfo>;
  verify(id: string): Promise<{ readonly id: string; readonly ok: boolean; readonly expected: string | null; readonly found: string | null }>;
  remove(id: string): Promise<void>;
  /** Throws model_not_found, or model_not_ready with what is coming. No id: the default. For an actor: counted as their request, within their quota and their key's models. */
  languageModel(id?: string, actor?: Actor): Promise<LanguageModel>;
  embeddingModel(id?: string, actor?: Actor): Promise<EmbeddingModel>;
  defaults(): { readonly language: string | null; readonly embedding: string | null };
};

export type ReadyState = {
  readonly ready: boolean;
  readonly missing: readonly {
    readonly what: "language-model" | "embedder" | "database";
    readonly detail: string;
    readonly etaSeconds: number | null;
  }[];
};

export type SystemInfo = {
  readonly version: string;
  readonly commit: string | null;
  readonly uptimeSeconds: number;
  readonly machine: {
    readonly cpu: string;
    readonly cores: number;
    readonly memoryBytes: number;
    readonly freeMemoryBytes: number;
    readonly platform: string;
    readonly gpu: string | null;
  };
  readonly disk: { readonly totalBytes: number; readonly freeBytes: number; readonly dataBytes: number };
  /** Every process of the box with its resident bytes. */
  readonly processes: readonly { readonly name: string; readonly pid: number; readonly residentBytes: number }[];
  readonly queue: readonly { readonly model: string; readonly running: number; readonly waiting: number; readonly limit: number }[];
  readonly jobs: { readonly running: number; readonly queued: number; readonly failed: number };
  readonly dataFolder: string;
};

export type Check = {
  readonly name: string;
  readonly ok: boolean;
  readonly found: string;
  readonly hint: string;
  /** The same in Chinese; `name` stays what programs look for. */
  readonly zh: { readonly name: string; readonly found: string; readonly hint: string };
};

export type SystemService = {
  ready(): Promise<ReadyState>;
  info(): Promise<SystemInfo>;
  doctor(): Promise<readonly Check[]>;
  /** Those about what the actor may read. */
  listJobs(actor: Actor, query?: { readonly state?: string; readonly limit?: number }): Promise<readonly JobInfo[]>;
  cancelJob(actor: Actor, id: string): Promise<void>;
  retryJob(actor: Actor, id: string): Promise<void>;
  metrics(): Promise<string>;
};

export type Services = {
  readonly knowledge: KnowledgeService;
  readonly answers: AnswerService;
  readonly chats: ChatService;
  readonly models: ModelsService;
  readonly system: SystemService;
  readonly operations: OperationsService;
  readonly pages: PageService;
  readonly people: PeopleService;
  readonly keys: KeysService;
  readonly usage: UsageService;
  readonly audit: AuditService;
  readonly privacy: PrivacyService;
  /** Counts requests and sends back what is over its quota. A remote box does it itself. */
  readonly meter: Meter;
};
