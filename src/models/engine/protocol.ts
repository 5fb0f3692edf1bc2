/** @file What the box and an engine process say to each other. Plain data over Node's IPC channel. */
import type { ErrorRecord } from "#base";
import type { GenerateRequest, JsonSchema, StreamPart } from "#contracts";

export type EngineLoad = {
  readonly type: "load";
  readonly kind: "language" | "embedding" | "reranker";
  readonly engine: "llama.cpp" | "own";
  readonly filePath: string;
  /** A trained adapter that the context is made with. */
  readonly adapterPath: string | null;
  /** Where a faster copy of the same weights lies or may be put; null: do not look for one. */
  readonly fastPath: string | null;
  /** Where our own engine keeps weights as its kernels rearrange them; null: nowhere. */
  readonly packCache: { readonly folder: string; readonly maxBytes: number } | null;
  readonly contextTokens: number;
  readonly parallel: number;
  /** 0: all cores. */
  readonly threads: number;
  /** Unix niceness: work that nobody waits for yields to work somebody waits for. */
  readonly nice: number;
  readonly gpu: "auto" | false;
  /** The embedder was trained with `query: ` and `passage: ` before its texts (the e5 family). */
  readonly prefixed: boolean;
};

export type WireRequest = Omit<GenerateRequest, "signal" | "person" | "onWait" | "onStopped">;

export type EngineCall =
  | { readonly type: "generate"; readonly request: WireRequest }
  | { readonly type: "score"; readonly input: GenerateRequest["input"]; readonly continuations: readonly string[] }
  | { readonly type: "embed"; readonly texts: readonly string[]; readonly kind: "query" | "passage" }
  | { readonly type: "rank"; readonly query: string; readonly passages: readonly string[] }
  | { readonly type: "count"; readonly texts: readonly string[] }
  | { readonly type: "totals" };

export type ToEngine =
  | EngineLoad
  | { readonly type: "call"; readonly id: number; readonly call: EngineCall }
  | { readonly type: "cancel"; readonly id: number };

export type EngineInfo = { readonly contextTokens: number; readonly dimensions: number; readonly maxTokens: number; readonly device: string };

export type FromEngine =
  | { readonly type: "loaded"; readonly info: EngineInfo }
  | { readonly type: "load-failed"; readonly error: ErrorRecord }
  | { readonly type: "part"; readonly id: number; readonly part: StreamPart }
  | { readonly type: "done"; readonly id: number; readonly result: unknown }
  | { readonly type: "error"; readonly id: number; readonly error: ErrorRecord };

export type { JsonSchema };
