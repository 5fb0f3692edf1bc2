/** @file Models that count: what the engine says of each call is kept before its last part goes out, also when the reader leaves early. */
import type { EmbeddingModel, GenerateRequest, LanguageModel, Metered, StreamPart, Usage } from "#contracts";
import { serving } from "./serving.ts";

const nothing: Usage = { promptTokens: 0, completionTokens: 0 };

/** `begin`: a request of its own for each call; otherwise the one being served, if any. */
export function meterLanguage(model: LanguageModel, begin?: (request: GenerateRequest) => Metered): LanguageModel {
  return {
    id: model.id,
    contextTokens: model.contextTokens,
    countTokens: (text) => model.countTokens(text),
    ...meterScoring(model, begin),
    stream: (request) => countStream(model, request, begin),
  };
}

/** Scoring reads the prompt and every continuation: all of it is prompt. */
function meterScoring(model: LanguageModel, begin?: (request: GenerateRequest) => Metered): Pick<LanguageModel, "scoreContinuations"> {
  const score = model.scoreContinuations?.bind(model);
  if (score === undefined) return {};
  return {
    async scoreContinuations(input, continuations, options = {}) {
      const own = begin?.({ input, maxTokens: 0 });
      const metered = own ?? serving()?.metered;
      const keep = (usage: Usage): void => {
        metered?.record(model.id, usage);
        options.onUsage?.(usage);
      };
      try {
        const scores = await score(input, continuations, { ...options, onUsage: keep });
        own?.end("done");
        await own?.kept();
        return scores;
      } catch (error) {
        own?.end(options.signal?.aborted === true ? "cancelled" : "failed");
        throw error;
      }
    },
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
        await own?.kept();
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

/** `begin`: each call of `embed` is a request of its own; otherwise it belongs to the one being served, if any. Tokens as the engine counted them. */
export function meterEmbedding(model: EmbeddingModel, begin?: () => Metered): EmbeddingModel {
  return {
    id: model.id,
    dimensions: model.dimensions,
    maxTokens: model.maxTokens,
    countTokens: (texts) => model.countTokens(texts),
    async embed(texts, options) {
      const own = begin?.();
      const metered = own ?? serving()?.metered;
      // Shares that several processes worked are one call.
      let promptTokens = 0;
      const onUsage = (usage: Usage): void => {
        promptTokens += usage.promptTokens;
        options.onUsage?.(usage);
      };
      try {
        const vectors = await model.embed(texts, { ...options, onUsage });
        metered?.record(model.id, { promptTokens, completionTokens: 0 });
        own?.end("done");
        await own?.kept();
        return vectors;
      } catch (error) {
        own?.end(options.signal?.aborted === true ? "cancelled" : "failed");
        throw error;
      }
    },
  };
}
