/** @file The services with the masks at their doors: what comes in is masked before search and model, what goes out before anybody reads it. */
import { StarboxError } from "#base";
import type {
  AnswerPart,
  AnswerService,
  ChatPart,
  ChatService,
  GenerateRequest,
  KnowledgeService,
  LanguageModel,
  ModelsService,
  StreamPart,
} from "#contracts";
import type { Masker } from "./mask.ts";
import { maskAnswer, maskCitation, maskHit, maskJson, maskTurn } from "./masked-values.ts";
import { type PrivacyPolicies, readInput } from "./policy.ts";

export function maskAnswers(answers: AnswerService, policies: PrivacyPolicies): AnswerService {
  return {
    async *answer(actor, request) {
      const messages = request.messages.map((message) => ({ ...message, content: readInput(policies, message.content) }));
      const masker = policies.masker("output");
      const source = answers.answer(actor, { ...request, messages });
      yield* masker === null ? source : maskAnswerParts(source, masker);
    },
    async readLineage(actor, answerId) {
      const answer = await answers.readLineage(actor, answerId);
      const masker = policies.masker("output");
      return masker === null ? answer : maskAnswer(answer, masker.mask);
    },
  };
}

async function* maskAnswerParts(source: AsyncIterable<AnswerPart>, masker: Masker): AsyncGenerator<AnswerPart> {
  const stream = masker.stream();
  for await (const part of source) {
    if (part.type === "text-delta") {
      const text = stream.push(part.text);
      if (text !== "") yield { type: "text-delta", text };
    } else if (part.type === "citation") yield { type: "citation", citation: maskCitation(part.citation, masker.mask) };
    else if (part.type === "retrieved") yield { ...part, query: masker.mask(part.query), hits: part.hits.map((hit) => maskHit(hit, masker.mask)) };
    else {
      const rest = stream.end();
      if (rest !== "") yield { type: "text-delta", text: rest };
      yield { type: "finish", answer: maskAnswer(part.answer, masker.mask) };
    }
  }
}

export function maskChats(chats: ChatService, policies: PrivacyPolicies): ChatService {
  return {
    ...chats,
    async *ask(actor, chatId, input) {
      const content = input.content === undefined ? {} : { content: readInput(policies, input.content) };
      const source = chats.ask(actor, chatId, { ...input, ...content });
      const masker = policies.masker("output");
      yield* masker === null ? source : maskChatParts(source, masker);
    },
    async listChats(actor) {
      const masker = policies.masker("output");
      const list = await chats.listChats(actor);
      return masker === null ? list : list.map((chat) => ({ ...chat, title: masker.mask(chat.title) }));
    },
    async readTurns(actor, chatId) {
      const masker = policies.masker("output");
      const turns = await chats.readTurns(actor, chatId);
      return masker === null ? turns : turns.map((turn) => maskTurn(turn, masker.mask));
    },
  };
}

async function* maskChatParts(source: AsyncIterable<ChatPart>, masker: Masker): AsyncGenerator<ChatPart> {
  const stream = masker.stream();
  for await (const part of source) {
    if (part.type === "text-delta") {
      const text = stream.push(part.text);
      if (text !== "") yield { type: "text-delta", text };
    } else if (part.type === "citation") yield { type: "citation", citation: maskCitation(part.citation, masker.mask) };
    else if (part.type === "finish") {
      const rest = stream.end();
      if (rest !== "") yield { type: "text-delta", text: rest };
      yield { ...part, turn: maskTurn(part.turn, masker.mask), title: masker.mask(part.title) };
    } else yield part;
  }
}

export function maskKnowledge(knowledge: KnowledgeService, policies: PrivacyPolicies): KnowledgeService {
  return {
    ...knowledge,
    async search(actor, kbId, query) {
      const result = await knowledge.search(actor, kbId, { ...query, query: readInput(policies, query.query) });
      const masker = policies.masker("output");
      return masker === null ? result : { ...result, query: masker.mask(result.query), hits: result.hits.map((hit) => maskHit(hit, masker.mask)) };
    },
  };
}

/** Only models that are asked for somebody: what runs inside an answer was masked at its door. */
export function maskModels(models: ModelsService, policies: PrivacyPolicies): ModelsService {
  return {
    ...models,
    async languageModel(id, actor) {
      const model = await models.languageModel(id, actor);
      return actor === undefined ? model : maskModel(model, policies);
    },
  };
}

function maskModel(model: LanguageModel, policies: PrivacyPolicies): LanguageModel {
  return {
    ...model,
    async *stream(request) {
      const masker = policies.masker("output");
      if (masker !== null && request.logprobs !== undefined)
        throw new StarboxError("unsupported", "Log-probabilities are not given while this box masks what models write.", {
          hint: "Leave logprobs out.",
          zh: { message: "本机对输出做脱敏处理时不提供对数概率。", hint: "请去掉 logprobs 参数。" },
          details: { param: "logprobs" },
        });
      const source = model.stream({ ...request, input: maskInput(request.input, policies) });
      yield* masker === null ? source : maskStreamParts(source, masker);
    },
  };
}

function maskInput(input: GenerateRequest["input"], policies: PrivacyPolicies): GenerateRequest["input"] {
  if ("prompt" in input) return { prompt: readInput(policies, input.prompt) };
  return { messages: input.messages.map((message) => ({ ...message, content: readInput(policies, message.content) })) };
}

async function* maskStreamParts(source: AsyncIterable<StreamPart>, masker: Masker): AsyncGenerator<StreamPart> {
  const stream = masker.stream();
  for await (const part of source) {
    if (part.type === "text-delta") {
      const text = stream.push(part.text);
      if (text !== "") yield { type: "text-delta", text };
      continue;
    }
    if (part.type !== "start") {
      const rest = stream.end();
      if (rest !== "") yield { type: "text-delta", text: rest };
    }
    yield part.type === "tool-call" ? { ...part, call: { ...part.call, arguments: maskJson(part.call.arguments, masker.mask) } } : part;
  }
}
