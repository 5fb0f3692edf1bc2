/** @file A reranker in memory, over node-llama-cpp's ranking context. Larger scores are better. */
import os from "node:os";
import { getLlama, LlamaLogLevel, type LlamaRankingContext, type Token } from "node-llama-cpp";
import type { EngineInfo, EngineLoad } from "./protocol.ts";
import { ThreadGovernor } from "./thread-governor.ts";

export class RankEngine {
  readonly info: EngineInfo;
  readonly #context: LlamaRankingContext;
  readonly #governor: ThreadGovernor;
  private constructor(context: LlamaRankingContext, governor: ThreadGovernor, info: EngineInfo) {
    this.#context = context;
    this.#governor = governor;
    this.info = info;
  }
  static async load(options: EngineLoad): Promise<RankEngine> {
    const llama = await getLlama({
      build: "never",
      skipDownload: true,
      gpu: options.gpu,
      ...(options.threads > 0 ? { maxThreads: options.threads } : {}),
      logLevel: LlamaLogLevel.error,
      progressLogs: false,
    });
    const model = await llama.loadModel({ modelPath: options.filePath, ignoreMemorySafetyChecks: true });
    const contextSize = Math.min(options.contextTokens, model.trainContextSize);
    const context = await model.createRankingContext({ contextSize, ignoreMemorySafetyChecks: true });
    const most = options.threads > 0 ? options.threads : os.availableParallelism();
    const governor = new ThreadGovernor(most, (threads) => {
      llama.maxThreads = threads;
    });
    return new RankEngine(context, governor, {
      contextTokens: contextSize,
      dimensions: 1,
      maxTokens: contextSize,
      device: llama.gpu === false ? "cpu" : llama.gpu,
    });
  }
  async rank(
    query: string,
    passages: readonly string[],
    signal: AbortSignal,
  ): Promise<{ readonly scores: readonly number[]; readonly tokens: number }> {
    const marks = this.#context.calculateInputLength(".", "."); // between and around the two texts, or a whole template
    const room = this.#context.contextSize - marks;
    const question = this.#cut(query, Math.floor(room / 2));
    const scores: number[] = [];
    let tokens = 0;
    const leave = this.#governor.enter();
    try {
      for (const passage of passages) {
        signal.throwIfAborted();
        const text = this.#cut(passage, room - question.length);
        scores.push(await this.#context.rank(question, text));
        tokens += this.#context.calculateInputLength(question, text);
      }
    } finally {
      leave();
    }
    return { scores, tokens };
  }

  /** Longer texts are cut at the end, as an embedder does, not refused. An empty one becomes a blank: a pair needs two sides. */
  #cut(text: string, tokens: number): Token[] {
    // No token is longer than a few characters of text that is read at all: what lies far beyond the end is not even cut up.
    return this.#context.model.tokenize(text.slice(0, tokens * 24) || " ", false, "trimLeadingSpace").slice(0, tokens);
  }
}
