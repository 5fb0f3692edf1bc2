/** @file Models that count: what the engine says of each call is kept before its last part goes out, also when the reader leaves early. */
import type { EmbeddingModel, GenerateRequest, LanguageModel, Metered, StreamPart, Usage } from "#contracts";
import { serving } from "./serving.ts";

const nothing: Usage = { promptTokens: 0, completionTokens: 0 };

/** `begin`: a request of its own for each call; otherwise the one being served, if any. */
export function meterLanguage(model: LanguageModel, begin?: (request: GenerateRequest) => Metered): LanguageModel {
  const { scoreContinuations } = model;
  return {
    id: model.id,
    contextTokens: model.contextTokens,
    countTokens: (text) => model.countTokens(text),
    ...(scoreContinuations === undefined ? {} : { scoreContinuations: scoreContinuations.bind(model) }),
    stream: (request) => countStream(model, request, begin),
  };
}

async function* countStream(
  model: LanguageModel,
  request: GenerateRequest,
  begin?: (request: GenerateRequest) => Metered,
): AsyncGenerator<StreamPart> {
  const own = begin?.(request);
  const metered = own ?? serving()?.metered;
  if (metered === undefined) {
    yield* model.stream(request);
    return;
  }
  let stopped: Usage | null = null;
  let isKept = false;
  let outcome: "done" | "cancelled" | "failed" = "cancelled"; // what it is if the reader just goes
  try {
    for await (const part of model.stream({ ...request, onStopped: (usage) => (stopped = usage) })) {
      if (part.type === "finish") {
        metered.record(model.id, part.usage);
        isKept = true;
        outcome = "done";
        own?.end("done");
      }
      yield part;
    }
  } catch (error) {
    if (!isKept) outcome = request.signal?.aborted === true ? "cancelled" : "failed";
    throw error;
  } finally {
    if (!isKept && stopped !== null) metered.record(model.id, stopped ?? nothing, outcome);
    own?.end(outcome);
  }
}

/** Each call of `embed` is a request of its own, its tokens those the engine counts. */
export function meterEmbedding(model: EmbeddingModel, begin: () => Metered): EmbeddingModel {
  return {
    id: model.id,
    dimensions: model.dimensions,
    maxTokens: model.maxTokens,
    countTokens: (texts) => model.countTokens(texts),
    async embed(texts, options) {
      const metered = begin();
      try {
        const vectors = await model.embed(texts, options);
        const promptTokens = (await model.countTokens(texts)).reduce((sum, count) => sum + count, 0);
        metered.record(model.id, { promptTokens, completionTokens: 0 });
        metered.end("done");
        return vectors;
      } catch (error) {
        metered.end(options.signal?.aborted === true ? "cancelled" : "failed");
        throw error;
      }
    },
  };
}
