/** @file Embeds one text at a time through node-llama-cpp: for machines with a GPU or a platform whose library layout is not known. Same results, fewer texts a second. */
import { getLlama, LlamaLogLevel } from "node-llama-cpp";
import { StarboxError } from "#base";
import type { Embedder } from "./batch-embedder.ts";
import { embedderInput } from "./embed-text.ts";
import type { EngineLoad } from "./protocol.ts";

export async function loadSingleEmbedder(options: EngineLoad): Promise<Embedder> {
  const llama = await getLlama({ build: "never", skipDownload: true, gpu: options.gpu, logLevel: LlamaLogLevel.error, progressLogs: false });
  const model = await llama.loadModel({ modelPath: options.filePath, ignoreMemorySafetyChecks: true });
  const maxTokens = Math.min(model.trainContextSize, 2048);
  const context = await model.createEmbeddingContext({
    contextSize: maxTokens,
    batchSize: maxTokens,
    threads: options.threads > 0 ? options.threads : 1,
    ignoreMemorySafetyChecks: true,
  });
  const room = maxTokens - 3; // the two marks, and one the library keeps free
  return {
    dimensions: model.embeddingVectorSize,
    maxTokens,
    countTokens: (texts) => texts.map((text) => model.tokenize(embedderInput(text, "passage", options.prefixed)).length + 2),
    async embed(texts, kind, signal) {
      const vectors: Float32Array[] = [];
      let tokens = 0;
      for (const text of texts) {
        if (signal?.aborted === true) throw new StarboxError("cancelled", "Embedding was cancelled.", { zh: { message: "向量计算已取消。" } });
        const input = model.tokenize(embedderInput(text, kind, options.prefixed)).slice(0, room);
        tokens += input.length + 2;
        const { vector } = await context.getEmbeddingFor(input);
        const norm = Math.hypot(...vector);
        vectors.push(Float32Array.from(vector, (value) => value / norm));
      }
      return { vectors, tokens };
    },
    async dispose() {
      await context.dispose();
      await model.dispose();
    },
  };
}
