/** @file The contracts over engine processes: queue, retry, cancel. */
import { StarboxError } from "#base";
import type { EmbeddingModel, GenerateRequest, LanguageModel, Reranker, StreamPart, Usage } from "#contracts";
import type { WireRequest } from "./engine/protocol.ts";
import { type EngineProcess, retryOnce } from "./engine-process.ts";
import type { FairQueue } from "./fair-queue.ts";

const nobody = "";

/** Parts as they arrive; ends or throws as the call does. */
class PartChannel {
  readonly #parts: StreamPart[] = [];
  #wake: (() => void) | null = null;
  #end: { readonly error: unknown } | "done" | null = null;
  push(part: StreamPart): void {
    this.#parts.push(part);
    this.#wake?.();
  }
  finish(end: { readonly error: unknown } | "done"): void {
    this.#end = end;
    this.#wake?.();
  }
  async *read(): AsyncGenerator<StreamPart> {
    for (;;) {
      for (let part = this.#parts.shift(); part !== undefined; part = this.#parts.shift()) yield part;
      if (this.#end === "done") return;
      if (this.#end !== null) throw this.#end.error;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = null;
    }
  }
}

/** What an engine that was stopped says it had worked. */
function usageOf(error: unknown): Usage | null {
  if (!StarboxError.is(error, "cancelled")) return null;
  const { promptTokens, completionTokens } = error.details;
  return typeof promptTokens === "number" && typeof completionTokens === "number" ? { promptTokens, completionTokens } : null;
}

type Scored = { readonly scores: readonly { readonly logprob: number; readonly tokens: number }[]; readonly tokens: number };

export class EngineLanguageModel implements LanguageModel {
  readonly id: string;
  readonly contextTokens: number;
  readonly #process: EngineProcess;
  readonly #queue: FairQueue;

  constructor(options: { readonly id: string; readonly contextTokens: number; readonly process: EngineProcess; readonly queue: FairQueue }) {
    this.id = options.id;
    this.contextTokens = options.contextTokens;
    this.#process = options.process;
    this.#queue = options.queue;
  }

  async *stream(request: GenerateRequest): AsyncGenerator<StreamPart> {
    const { signal, person, onWait, onStopped, ...wire } = request;
    const release = await this.#queue.enter(person ?? nobody, signal, onWait);
    const leave = new AbortController();
    const stop = (): void => leave.abort();
    if (signal?.aborted === true) stop();
    else signal?.addEventListener("abort", stop, { once: true });
    const channel = new PartChannel();
    let started = false;
    let unread: Usage | null = null; // finished, but the reader has not seen it
    const onPart = (part: StreamPart): void => {
      if (part.type === "finish") unread = part.usage;
      if (part.type === "start" && started) return; // a retry begins again, the reader need not know
      started = true;
      channel.push(part);
    };
    // The turn ends when the engine has really stopped, not when the reader has left.
    const work = retryOnce(() =>
      this.#process.call<void>({ type: "generate", request: wire satisfies WireRequest }, { onPart, signal: leave.signal }),
    )
      .then(
        () => channel.finish("done"),
        (error: unknown) => {
          const usage = usageOf(error);
          if (usage !== null) onStopped?.(usage);
          channel.finish({ error });
        },
      )
      .finally(() => {
        signal?.removeEventListener("abort", stop);
        release();
      });
    try {
      for await (const part of channel.read()) {
        if (part.type === "finish") unread = null;
        yield part;
      }
    } finally {
      stop();
      await work;
      if (unread !== null) onStopped?.(unread);
    }
  }

  async countTokens(text: string): Promise<number> {
    const [count] = await retryOnce(() => this.#process.call<readonly number[]>({ type: "count", texts: [text] }));
    return count ?? 0;
  }

  async scoreContinuations(
    input: GenerateRequest["input"],
    continuations: readonly string[],
    options: { readonly person?: string; readonly signal?: AbortSignal; readonly onUsage?: (usage: Usage) => void } = {},
  ): Promise<readonly { readonly logprob: number; readonly tokens: number }[]> {
    const release = await this.#queue.enter(options.person ?? nobody, options.signal);
    try {
      const { scores, tokens } = await retryOnce(() =>
        this.#process.call<Scored>({ type: "score", input, continuations }, { signal: options.signal }),
      );
      options.onUsage?.({ promptTokens: tokens, completionTokens: 0 });
      return scores;
    } finally {
      release();
    }
  }
}

/** Fewer texts than this are not worth a second process. */
const smallestShare = 16;

/** Questions people wait for and passages read in at night go to different processes, so that the one never waits for the other. */
export class EngineEmbeddingModel implements EmbeddingModel {
  readonly id: string;
  readonly dimensions: number;
  readonly maxTokens: number;
  readonly #now: EngineProcess;
  readonly #bulk: readonly EngineProcess[];
  #turn = 0;

  constructor(options: {
    readonly id: string;
    readonly dimensions: number;
    readonly maxTokens: number;
    readonly now: EngineProcess;
    readonly bulk: readonly EngineProcess[];
  }) {
    this.id = options.id;
    this.dimensions = options.dimensions;
    this.maxTokens = options.maxTokens;
    this.#now = options.now;
    this.#bulk = options.bulk;
  }

  async embed(texts: readonly string[], options: Parameters<EmbeddingModel["embed"]>[1]): Promise<readonly Float32Array[]> {
    if (texts.length === 0) return [];
    const urgent = options.urgent ?? options.kind === "query";
    if (urgent || texts.length < 2 * smallestShare) return this.#embedOn(urgent ? this.#now : this.#nextBulk(), texts, options);
    // Every process takes every n-th text, so that long and short ones are spread evenly.
    const shares = Math.min(this.#bulk.length, Math.floor(texts.length / smallestShare));
    const parts = await Promise.all(
      Array.from({ length: shares }, (_, share) =>
        this.#embedOn(
          this.#nextBulk(),
          texts.filter((_, i) => i % shares === share),
          options,
        ),
      ),
    );
    return texts.map((_, i) => parts[i % shares]?.[Math.floor(i / shares)] ?? new Float32Array());
  }

  #nextBulk(): EngineProcess {
    const engine = this.#bulk[this.#turn++ % this.#bulk.length];
    if (engine === undefined) throw new StarboxError("internal", "An embedder has no process for passages.");
    return engine;
  }

  async #embedOn(engine: EngineProcess, texts: readonly string[], options: Parameters<EmbeddingModel["embed"]>[1]): Promise<readonly Float32Array[]> {
    const { vectors, tokens } = await retryOnce(() =>
      engine.call<{ vectors: Float32Array[]; tokens: number }>({ type: "embed", texts, kind: options.kind }, { signal: options.signal }),
    );
    options.onUsage?.({ promptTokens: tokens, completionTokens: 0 });
    return vectors;
  }

  async countTokens(texts: readonly string[]): Promise<readonly number[]> {
    return retryOnce(() => this.#now.call<readonly number[]>({ type: "count", texts }));
  }
}

export class EngineReranker implements Reranker {
  readonly id: string;
  readonly #process: EngineProcess;
  constructor(options: { readonly id: string; readonly process: EngineProcess }) {
    this.id = options.id;
    this.#process = options.process;
  }
  async rerank(
    query: string,
    passages: readonly string[],
    options: { readonly signal?: AbortSignal; readonly onUsage?: (usage: Usage) => void } = {},
  ): Promise<readonly number[]> {
    const { scores, tokens } = await retryOnce(() =>
      this.#process.call<{ scores: readonly number[]; tokens: number }>({ type: "rank", query, passages }, { signal: options.signal }),
    );
    options.onUsage?.({ promptTokens: tokens, completionTokens: 0 });
    return scores;
  }
}
