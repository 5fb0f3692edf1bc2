/** @file A reranker in memory, over node-llama-cpp's ranking context. Larger scores are better. */
import { getLlama, LlamaLogLevel, type LlamaRankingContext } from "node-llama-cpp";
import type { EngineInfo, EngineLoad } from "./protocol.ts";

export class RankEngine {
  readonly info: EngineInfo;
  readonly #context: LlamaRankingContext;
  private constructor(context: LlamaRankingContext, info: EngineInfo) {
    this.#context = context;
    this.info = info;
  }
  static async load(options: EngineLoad): Promise<RankEngine> {
    const llama = await getLlama({ build: "never", skipDownload: true, gpu: options.gpu, logLevel: LlamaLogLevel.error, progressLogs: false });
    const model = await llama.loadModel({ modelPath: options.filePath, ignoreMemorySafetyChecks: true });
    const contextSize = Math.min(options.contextTokens, model.trainContextSize);
    const context = await model.createRankingContext({ contextSize, ignoreMemorySafetyChecks: true });
    return new RankEngine(context, {
      contextTokens: contextSize,
      dimensions: 1,
      maxTokens: contextSize,
      device: llama.gpu === false ? "cpu" : llama.gpu,
    });
  }
  async rank(query: string, passages: readonly string[], signal: AbortSignal): Promise<readonly number[]> {
    const scores: number[] = [];
    for (const passage of passages) {
      signal.throwIfAborted();
      scores.push(await this.#context.rank(query, passage));
    }
    return scores;
  }
}
