/** @file The box's side of retrieval: embeds the question while the thread looks for its words, then lets the thread rank. Starts the thread when asked, stops it when idle. */
import { Worker } from "node:worker_threads";
import { fromErrorRecord, type Logger, StarboxError } from "#base";
import type { EmbeddingModel, RetrieveRequest, RetrieveResult, Retriever } from "#contracts";
import type { RankDone, WordsDone } from "./engine.ts";
import type { FromThread, ToThread } from "./serve.ts";

export type RetrieverDeps = {
  readonly dataDir: string;
  /** Address of the module that exports `openIndexReader(dataDir)`: storage's door, handed over by `app`. */
  readonly readerModule: string;
  /** Throws model_not_ready while it is on its way. */
  readonly embeddingModel: (id: string | null) => Promise<EmbeddingModel>;
  /** The embedder a base's vectors were made with; null: words only. */
  readonly embedderOf: (kbId: string) => string | null;
  readonly logger: Logger;
  readonly idleMs?: number;
};

export type ClosableRetriever = Retriever & { close(): Promise<void> };

const cacheSize = 500;
const neverEmbed = new Set(["model_not_ready", "model_not_found", "embedder_not_ready"]);

export function createRetriever(deps: RetrieverDeps): ClosableRetriever {
  const thread = new RetrievalThread(() => startThread(deps), deps.idleMs ?? 120_000, deps.logger);
  const vectors = new Map<string, Float32Array>();

  const embed = async (request: RetrieveRequest): Promise<{ readonly vector: Float32Array | null; readonly note?: string }> => {
    if (request.lexicalOnly === true) return { vector: null, note: "words only, as asked" };
    const embedder = request.kbIds.map(deps.embedderOf).find((id) => id !== null) ?? null;
    const key = `${embedder ?? ""}\n${request.query}`;
    const known = vectors.get(key);
    if (known !== undefined) {
      vectors.delete(key); // back to the young end
      vectors.set(key, known);
      return { vector: known };
    }
    try {
      const model = await deps.embeddingModel(embedder);
      const [vector] = await model.embed([request.query], {
        kind: "query",
        ...(request.viewer.person === null ? {} : { person: request.viewer.person }),
        ...(request.signal === undefined ? {} : { signal: request.signal }),
      });
      if (vector === undefined) return { vector: null, note: "the embedder returned nothing" };
      vectors.set(key, vector);
      for (const oldest of vectors.keys()) {
        if (vectors.size <= cacheSize) break;
        vectors.delete(oldest);
      }
      return { vector };
    } catch (error) {
      if (request.signal?.aborted === true) throw error;
      // Words still answer: a missing or failing embedder must not take search away.
      const missing = StarboxError.is(error) && neverEmbed.has(error.code);
      if (!missing) deps.logger.warn({ error: error instanceof Error ? error.message : String(error) }, "embedding a question failed");
      return { vector: null, note: missing ? "the embedder is not there yet: found by words" : "the embedder failed: found by words" };
    }
  };

  return {
    async retrieve(request) {
      const started = performance.now();
      request.signal?.throwIfAborted();
      if (request.query.trim() === "" || request.limit <= 0)
        return { query: request.query, hits: [], ms: { embed: 0, lexical: 0, dense: 0, fuse: 0, total: 0 }, mode: "words", note: "empty question" };
      const id = thread.nextId();
      const { kbIds, query, viewer, filter, limit } = request;
      const words = thread.send<WordsDone>({
        type: "words",
        id,
        request: { kbIds, query, viewer, limit, ...(filter === undefined ? {} : { filter }) },
      });
      words.catch(() => {}); // awaited below; the embedder may fail first
      try {
        const { vector, note } = await embed(request);
        const embedMs = performance.now() - started;
        const found = await words;
        request.signal?.throwIfAborted();
        const ranked = await thread.send<RankDone>({ type: "rank", id, vector, limit: request.limit });
        const because = note ?? (ranked.dense ? undefined : "this base has no vectors yet: found by words");
        return {
          query,
          hits: ranked.hits,
          ms: {
            embed: vector === null ? 0 : embedMs,
            lexical: found.ms,
            dense: ranked.ms.dense,
            fuse: ranked.ms.fuse,
            total: performance.now() - started,
          },
          mode: ranked.dense ? "hybrid" : "words",
          ...(because === undefined ? {} : { note: because }),
        } satisfies RetrieveResult;
      } catch (error) {
        thread.drop(id);
        throw error;
      }
    },
    close: () => thread.close(),
  };
}

/** Run from source the thread needs the same condition for rooms in import lines; built code needs nothing. */
function startThread({ dataDir, readerModule }: RetrieverDeps): Worker {
  const source = import.meta.url.endsWith(".ts");
  return new Worker(new URL(source ? "./thread.ts" : "./thread.js", import.meta.url), {
    name: "retrieve",
    workerData: { dataDir, readerModule },
    ...(source ? { execArgv: ["--conditions=starbox-source"] } : {}),
  });
}

type Waiting = { readonly resolve: (value: never) => void; readonly reject: (error: unknown) => void };

/** One thread, started at the first question; its memory is given back when nobody asks. */
class RetrievalThread {
  readonly #start: () => Worker;
  readonly #idleMs: number;
  readonly #logger: Logger;
  #worker: Worker | undefined;
  #idle: NodeJS.Timeout | undefined;
  #last = 0;
  readonly #waiting = new Map<string, Waiting>();
  /** Searches whose words are found and whose ranking has not been asked for: the thread holds their candidates while an embedder works, however long. */
  readonly #open = new Set<number>();

  constructor(start: () => Worker, idleMs: number, logger: Logger) {
    this.#start = start;
    this.#idleMs = idleMs;
    this.#logger = logger;
  }

  nextId(): number {
    return ++this.#last;
  }

  send<T extends WordsDone | RankDone>(message: Extract<ToThread, { type: "words" | "rank" }>): Promise<T> {
    const worker = this.#ensure();
    if (message.type === "words") this.#open.add(message.id);
    return new Promise<T>((resolve, reject) => {
      this.#waiting.set(`${message.type} ${message.id}`, { resolve, reject });
      worker.ref();
      worker.postMessage(message);
    });
  }

  drop(id: number): void {
    for (const type of ["words", "rank"]) this.#waiting.delete(`${type} ${id}`);
    this.#open.delete(id);
    this.#worker?.postMessage({ type: "drop", id } satisfies ToThread);
    this.#letGo();
  }

  async close(): Promise<void> {
    clearTimeout(this.#idle);
    const worker = this.#worker;
    this.#worker = undefined;
    if (worker === undefined) return;
    const gone = new Promise<void>((resolve) => void worker.once("exit", () => resolve()));
    worker.ref(); // or a program with nothing else to do would end before its thread
    worker.postMessage({ type: "close" } satisfies ToThread);
    await gone;
  }

  #ensure(): Worker {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => void this.#stopIfIdle(), this.#idleMs);
    this.#idle.unref();
    if (this.#worker !== undefined) return this.#worker;
    const worker = this.#start();
    worker.unref();
    worker.on("message", (message: FromThread) => this.#receive(message));
    worker.on("error", (error) => this.#fail(worker, error));
    worker.on("exit", () => this.#fail(worker, new Error("the retrieval thread ended")));
    this.#worker = worker;
    return worker;
  }

  async #stopIfIdle(): Promise<void> {
    if (this.#waiting.size === 0 && this.#open.size === 0) await this.close();
    else this.#ensure();
  }

  #receive(message: FromThread): void {
    const keys = message.type === "failed" ? [`words ${message.id}`, `rank ${message.id}`] : [`${message.type} ${message.id}`];
    if (message.type !== "words") this.#open.delete(message.id);
    for (const key of keys) {
      const waiting = this.#waiting.get(key);
      this.#waiting.delete(key);
      if (waiting === undefined) continue;
      if (message.type === "failed") waiting.reject(fromErrorRecord(message.error));
      else waiting.resolve(message.done as never);
    }
    this.#letGo();
  }

  /** An idle thread keeps no program alive. */
  #letGo(): void {
    if (this.#waiting.size === 0) this.#worker?.unref();
  }

  #fail(worker: Worker, error: unknown): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    if (this.#waiting.size > 0) this.#logger.error({ error: error instanceof Error ? error.message : String(error) }, "the retrieval thread failed");
    const lost = [...this.#waiting.values()];
    this.#waiting.clear();
    const named = new StarboxError("internal", "The search thread stopped while working; it starts again with the next question.", {
      hint: "Ask again; if it happens twice, see the log.",
      zh: { message: "检索线程在工作中停止，下一个问题会重新启动它。", hint: "请重试；若再次发生，请查看日志。" },
      cause: error,
    });
    for (const waiting of lost) waiting.reject(named);
  }
}
