/** @file What the rest of Starbox may assume about a model. Knows nothing about engines or HTTP. */

export type JsonSchema = Readonly<Record<string, unknown>>;

export type ToolCall = { readonly id: string; readonly name: string /** JSON text, as the model wrote it. */; readonly arguments: string };

export type ChatMessage =
  | { readonly role: "system" | "user"; readonly content: string }
  | { readonly role: "assistant"; readonly content: string; readonly toolCalls?: readonly ToolCall[] }
  | { readonly role: "tool"; readonly content: string; readonly toolCallId: string };

export type ToolDefinition = { readonly name: string; readonly description?: string; readonly parameters?: JsonSchema };

export type ToolChoice = "auto" | "none" | "required" | { readonly name: string };

export type GenerateRequest = {
  /** A conversation, rendered by the model's own template, or a raw prompt for completion. */
  readonly input: { readonly messages: readonly ChatMessage[] } | { readonly prompt: string };
  readonly maxTokens?: number;
  readonly temperature?: number;
  readonly topP?: number;
  readonly seed?: number;
  /** Only the k likeliest; 0: all. */
  readonly topK?: number;
  /** Least probability, as a share of the likeliest's. */
  readonly minP?: number;
  /** Divides the logits of tokens that prompt or answer have; 1: none. */
  readonly repetitionPenalty?: number;
  /** Subtracted from the logits of tokens the answer has: once, and for every time. */
  readonly presencePenalty?: number;
  readonly frequencyPenalty?: number;
  /** Added to the logits of tokens, by id. */
  readonly logitBias?: Readonly<Record<string, number>>;
  readonly stop?: readonly string[];
  readonly tools?: readonly ToolDefinition[];
  readonly toolChoice?: ToolChoice;
  /** The answer must be JSON of this shape; `{}` means any JSON object. */
  readonly jsonSchema?: JsonSchema;
  /** Number of top log-probabilities wanted. An engine that cannot give true ones throws `unsupported`. */
  readonly logprobs?: number;
  /** Who asks: the queue shares the engine fairly between persons. */
  readonly person?: string;
  readonly signal?: AbortSignal;
  /** Told while others are served first. An engine elsewhere may keep silent. */
  readonly onWait?: (place: QueuePlace) => void;
  /** Called when the work ended before its finish: what the engine had worked until then. */
  readonly onStopped?: (usage: Usage) => void;
};

/** 1: next. 0: its turn has come. */
export type QueuePlace = { readonly position: number; readonly etaSeconds: number | null };

export type Usage = {
  readonly promptTokens: number;
  readonly completionTokens: number /** Prompt tokens found in the prefix cache. */;
  readonly cachedTokens?: number;
};

export type FinishReason = "stop" | "length" | "tool-calls";

export type TokenLogprob = {
  readonly token: string;
  readonly logprob: number;
  readonly bytes: readonly number[];
  readonly top: readonly { readonly token: string; readonly logprob: number; readonly bytes: readonly number[] }[];
};

/** What a model sends while it works, in this order: start, then text and tool calls mixed, then exactly one finish. Errors are thrown by the iterator. */
export type StreamPart =
  | { readonly type: "start" }
  | { readonly type: "text-delta"; readonly text: string; readonly logprobs?: readonly TokenLogprob[] }
  | { readonly type: "tool-call"; readonly call: ToolCall }
  | { readonly type: "finish"; readonly reason: FinishReason; readonly usage: Usage };

export type LanguageModel = {
  readonly id: string;
  readonly contextTokens: number;
  stream(request: GenerateRequest): AsyncIterable<StreamPart>;
  countTokens(text: string): Promise<number>;
  /** Natural log-probability of each whole continuation after the input, true ones from raw logits; absent where an engine cannot give them. */
  scoreContinuations?(
    input: GenerateRequest["input"],
    continuations: readonly string[],
    options?: { readonly person?: string; readonly signal?: AbortSignal; readonly onUsage?: (usage: Usage) => void },
  ): Promise<readonly { readonly logprob: number; readonly tokens: number }[]>;
};

export type EmbeddingModel = {
  readonly id: string;
  readonly dimensions: number;
  /** Longest input in tokens; longer texts are cut at the end. */
  readonly maxTokens: number;
  /** Unit-length vectors in input order. `query` and `passage` differ for models trained with prefixes. */
  embed(
    texts: readonly string[],
    options: {
      readonly kind: "query" | "passage";
      readonly person?: string;
      readonly signal?: AbortSignal /** Somebody waits for these vectors; default: for queries yes, for passages (read in at low priority) no. */;
      readonly urgent?: boolean;
      /** What the engine worked, by its own count: with prefixes, and without what was cut off. */
      readonly onUsage?: (usage: Usage) => void;
    },
  ): Promise<readonly Float32Array[]>;
  countTokens(texts: readonly string[]): Promise<readonly number[]>;
};

export type Reranker = {
  readonly id: string;
  /** One score a passage, larger is better, in input order. */
  rerank(
    query: string,
    passages: readonly string[],
    options?: { readonly signal?: AbortSignal; readonly onUsage?: (usage: Usage) => void },
  ): Promise<readonly number[]>;
};

export type ModelKind = "language" | "embedding" | "reranker";

export type ModelState = "available" | "pulling" | "ready" | "loaded" | "failed";

/** A model as people see it (`models list`, the console). */
export type ModelInfo = {
  readonly id: string;
  readonly kind: ModelKind;
  readonly state: ModelState;
  readonly sizeBytes: number | null;
  readonly sha256: string | null;
  readonly memoryBytes: number | null;
  readonly sources: readonly string[];
  readonly engine: string;
  readonly licence: string;
  readonly languages: readonly string[];
  readonly quantisation: string | null;
  readonly contextTokens: number | null;
  /** True for the box's default language model or embedder. */
  readonly isDefault: boolean;
  readonly progress?: {
    readonly receivedBytes: number;
    readonly totalBytes: number | null;
    readonly bytesPerSecond: number;
    readonly etaSeconds: number | null;
    readonly source: string;
  };
  readonly error?: { readonly code: string; readonly message: string; readonly hint?: string };
};
