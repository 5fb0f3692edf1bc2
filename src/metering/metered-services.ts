/** @file The services with the meter at their doors: a quota is looked at before any work, a key's models hold, every call is counted for who asked. */
import { StarboxError } from "#base";
import type { Actor, AnswerService, ChatService, GenerateRequest, KnowledgeService, Meter, Metered, ModelsService } from "#contracts";
import { meterEmbedding, meterLanguage } from "./metered-model.ts";
import { inOneRequest, inRequest, serving } from "./serving.ts";

/** Characters a token has at least, in the languages served. */
const charactersPerToken = 2;
const usualAnswerTokens = 512;

function expectedTokens({ input, maxTokens }: GenerateRequest): number {
  const characters = "prompt" in input ? input.prompt.length : input.messages.reduce((sum, message) => sum + message.content.length, 0);
  return Math.ceil(characters / charactersPerToken) + (maxTokens ?? usualAnswerTokens);
}

/** A model the actor's key may use: the one asked for, or without a wish the first it is limited to. */
function allowedModel(actor: Actor | undefined, id: string | undefined, defaultId: string | null): string | undefined {
  const allowed = actor?.key?.models ?? null;
  if (allowed === null) return id;
  if (id !== undefined ? allowed.includes(id) : defaultId !== null && allowed.includes(defaultId)) return id;
  if (id === undefined && allowed[0] !== undefined) return allowed[0];
  throw new StarboxError("forbidden", `This key may not use the model "${id ?? defaultId ?? ""}".`, {
    hint: allowed.length === 0 ? "It may use no model." : `It may use: ${allowed.join(", ")}.`,
    zh: {
      message: `此密钥无权使用模型“${id ?? defaultId ?? ""}”。`,
      hint: allowed.length === 0 ? "它不能使用任何模型。" : `可用模型：${allowed.join("、")}。`,
    },
    details: { param: "model" },
  });
}

export function meterModels(models: ModelsService, meter: Meter): ModelsService {
  const languageModel: ModelsService["languageModel"] = async (id, actor) => {
    const model = await models.languageModel(allowedModel(actor ?? serving()?.actor, id, models.defaults().language));
    if (actor === undefined) return meterLanguage(model);
    const kind = (request: GenerateRequest) => ("prompt" in request.input ? ("completion" as const) : ("chat" as const));
    return meterLanguage(model, (request) => meter.enter(actor, { kind: kind(request), model: model.id, expectedTokens: expectedTokens(request) }));
  };
  const embeddingModel: ModelsService["embeddingModel"] = async (id, actor) => {
    const model = await models.embeddingModel(actor === undefined ? id : allowedModel(actor, id, models.defaults().embedding));
    return actor === undefined ? model : meterEmbedding(model, () => meter.enter(actor, { kind: "embedding", model: model.id }));
  };
  return {
    list: () => models.list(),
    pull: (id) => models.pull(id),
    cancelPull: (id) => models.cancelPull(id),
    waitFor: (id, signal) => models.waitFor(id, signal),
    import: (filePath, id) => models.import(filePath, id),
    verify: (id) => models.verify(id),
    remove: (id) => models.remove(id),
    defaults: () => models.defaults(),
    languageModel,
    embeddingModel,
  };
}

async function* counted<T>(
  actor: Actor,
  metered: Metered,
  signal: AbortSignal | undefined,
  make: () => AsyncIterable<T>,
  isFailed: (part: T) => boolean,
) {
  let outcome: "done" | "cancelled" | "failed" = "cancelled";
  try {
    for await (const part of inRequest({ actor, metered }, make)) {
      if (isLast(part)) {
        outcome = isFailed(part) ? (signal?.aborted === true ? "cancelled" : "failed") : "done";
        // Before the last part goes out: an answer that was acknowledged is counted.
        metered.end(outcome);
        await metered.kept();
      }
      yield part;
    }
  } catch (error) {
    if (outcome !== "done") outcome = signal?.aborted === true ? "cancelled" : "failed";
    throw error;
  } finally {
    metered.end(outcome);
  }
}

const isLast = (part: unknown): boolean => ["finish", "error"].includes((part as { type: string }).type);

export function meterAnswers(answers: AnswerService, meter: Meter): AnswerService {
  return {
    ...answers,
    async *answer(actor, request) {
      const metered = meter.enter(actor, { kind: "answer", model: request.model ?? null, expectedTokens: request.maxTokens ?? usualAnswerTokens });
      yield* counted(
        actor,
        metered,
        request.signal,
        () => answers.answer(actor, request),
        () => false,
      );
    },
  };
}

export function meterChats(chats: ChatService, meter: Meter): ChatService {
  return {
    ...chats,
    async *ask(actor, chatId, input) {
      const metered = meter.enter(actor, { kind: "chat", model: null });
      yield* counted(
        actor,
        metered,
        input.signal,
        () => chats.ask(actor, chatId, input),
        (part) => part.type === "error",
      );
    },
  };
}

/** A search is a request, and the vector of its question a call of the embedder; words alone cost no tokens. */
export function meterKnowledge(knowledge: KnowledgeService, meter: Meter): KnowledgeService {
  return {
    ...knowledge,
    async search(actor, kbId, query) {
      const metered = meter.enter(actor, { kind: "search", model: null, expectedTokens: Math.ceil(query.query.length / charactersPerToken) });
      try {
        const result = await inOneRequest({ actor, metered }, () => knowledge.search(actor, kbId, query));
        metered.end("done");
        return result;
      } catch (error) {
        metered.end("failed");
        throw error;
      }
    },
  };
}
