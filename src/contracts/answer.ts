/** @file An answer with its proof. Produced by `knowledge`, shown by chat, API and command line. */
import type { ChatMessage, LanguageModel, Usage } from "./model.ts";
import type { RetrieveFilter, RetrieveHit, Viewer } from "./retrieval.ts";

export type Citation = {
  /** 1-based numeral shown in the text as [n]. */
  readonly marker: number;
  readonly kbId: string;
  readonly documentId: string;
  readonly versionId: string;
  readonly document: string;
  readonly title: string;
  readonly page: number | null;
  /** Offsets into the version's extracted text; `quote` is that slice verbatim: one source sentence. */
  readonly start: number;
  readonly end: number;
  readonly quote: string;
  readonly edition: RetrieveHit["edition"];
};

export type AnswerRequest = {
  readonly kbIds: readonly string[];
  /** The conversation; the last message is the question. Follow-ups are completed from the rest. */
  readonly messages: readonly ChatMessage[];
  readonly viewer: Viewer;
  readonly filter?: RetrieveFilter;
  /** null: no model at hand; the answer is then extracted sentences only. */
  readonly model: LanguageModel | null;
  readonly maxTokens?: number;
  readonly temperature?: number;
  readonly seed?: number;
  readonly signal?: AbortSignal;
};

export type AnswerPart =
  | { readonly type: "retrieved"; readonly query: string; readonly hits: readonly RetrieveHit[] }
  /** Text already checked against its sources, with its markers; unsupported text never comes. */
  | { readonly type: "text-delta"; readonly text: string }
  | { readonly type: "citation"; readonly citation: Citation }
  | { readonly type: "finish"; readonly answer: Answer };

export type Answer = {
  /** Of its row, once recorded: the lineage is read by it. */
  readonly id?: string;
  readonly question: string;
  /** The question as searched, completed from the history. */
  readonly query: string;
  /** Text with [n] markers; a refusal's plain words when refused. */
  readonly text: string;
  readonly refused: boolean;
  /** Why, for a refusal; `nearest` then holds the passages that came closest. */
  readonly refusal?: { readonly reason: "nothing-found" | "evidence-too-weak" | "unsupported"; readonly nearest: readonly RetrieveHit[] };
  readonly citations: readonly Citation[];
  /** How it came about: a fixed answer of the knowledge owner, extracted, or written by the model and checked. */
  readonly origin: "curated" | "extracted" | "generated" | "refused";
  readonly confidence: number;
  readonly usage: Usage;
  readonly ms: { readonly retrieve: number; readonly firstToken: number; readonly total: number };
  readonly lineage: {
    readonly model: string | null;
    readonly adapter: string | null;
    readonly promptVersion: string;
    readonly passages: readonly {
      readonly documentId: string;
      readonly versionId: string;
      readonly chunkId: number;
      readonly start: number;
      readonly end: number;
    }[];
  };
};

export type Answerer = { answer(request: AnswerRequest): AsyncIterable<AnswerPart> };
