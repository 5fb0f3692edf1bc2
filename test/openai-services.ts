/** @file The scripted box behind the tests of OpenAI's endpoints: one model, one embedder, one knowledge base. */
import { StarboxError } from "#base";
import type { AnswerPart, Citation, GenerateRequest, KnowledgeBaseInfo, StreamPart } from "#contracts";
import { scriptedModel, scriptedServices } from "./scripted-services.ts";

const usage = { promptTokens: 5, completionTokens: 2, cachedTokens: 1 };
export const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** What the double says depends on the last message, so that one server serves every case, in both languages. */
async function* play(request: GenerateRequest): AsyncIterable<StreamPart> {
  if (request.logprobs !== undefined)
    throw new StarboxError("unsupported", "This engine has no true log-probabilities.", { details: { param: "logprobs" } });
  const last = "messages" in request.input ? (request.input.messages.at(-1)?.content ?? "") : request.input.prompt;
  if (last === "busy") throw new StarboxError("busy", "Too many requests wait.", { retryAfterSeconds: 7 });
  if (last === "long") throw new StarboxError("context_too_long", "5000 tokens do not fit into 4096.");
  yield { type: "start" };
  const wanted =
    request.toolChoice === "required" || typeof request.toolChoice === "object" || (last.includes("weather") && request.toolChoice !== "none");
  if (request.tools !== undefined && wanted) {
    yield { type: "tool-call", call: { id: "call_1", name: request.tools[0]?.name ?? "", arguments: '{"city":"北京"}' } };
    yield { type: "finish", reason: "tool-calls", usage };
    return;
  }
  if (request.jsonSchema !== undefined) {
    yield { type: "text-delta", text: '{"answer":' };
    yield { type: "text-delta", text: "42}" };
    yield { type: "finish", reason: "stop", usage };
    return;
  }
  if (last === "forever") {
    for (let i = 0; request.signal?.aborted !== true; i++) {
      yield { type: "text-delta", text: `${i} ` };
      await sleep(10);
    }
    throw new StarboxError("cancelled", "The client left.");
  }
  yield { type: "text-delta", text: "你好" };
  if (last === "break") {
    await sleep(20);
    throw new StarboxError("engine_crashed", "The engine died.", { hint: "Try again." });
  }
  yield { type: "text-delta", text: "，世界" };
  yield { type: "finish", reason: request.maxTokens === 2 ? "length" : "stop", usage };
}

export const model = scriptedModel("tiny", play);
const at = "2026-01-01T00:00:00.000Z";
const base: KnowledgeBaseInfo = {
  id: "kb_1",
  name: "法规",
  description: "",
  embedder: null,
  documents: 1,
  chunks: 2,
  pending: 0,
  failed: 0,
  embedded: 0,
  etaSeconds: null,
  sizeBytes: 10,
  level: "manage",
  approval: false,
  createdAt: at,
  updatedAt: at,
};
const citation: Citation = {
  marker: 1,
  kbId: "kb_1",
  documentId: "doc_1",
  versionId: "v_1",
  document: "劳动合同法.pdf",
  title: "劳动合同法",
  page: 3,
  start: 10,
  end: 25,
  quote: "试用期最长不得超过六个月。",
  edition: null,
};
export const asked: { kbs: readonly string[]; model: string | undefined }[] = [];

export const services = scriptedServices({
  models: {
    list: async () => [
      {
        id: "tiny",
        kind: "language",
        state: "ready",
        sizeBytes: 1,
        sha256: null,
        memoryBytes: null,
        sources: [],
        engine: "e",
        licence: "MIT",
        languages: [],
        quantisation: null,
        contextTokens: 1,
        isDefault: true,
      },
      {
        id: "later",
        kind: "language",
        state: "pulling",
        sizeBytes: 1,
        sha256: null,
        memoryBytes: null,
        sources: [],
        engine: "e",
        licence: "MIT",
        languages: [],
        quantisation: null,
        contextTokens: 1,
        isDefault: false,
      },
    ],
    languageModel: async (id) => {
      if (id === "tiny") return model;
      if (id === "later") throw new StarboxError("model_not_ready", "later is still being pulled.");
      throw new StarboxError("model_not_found", `No model "${id}".`, { hint: "GET /v1/models lists them." });
    },
    embeddingModel: async (id) => {
      if (id !== "tiny-embed") throw new StarboxError("model_not_found", `No model "${id}".`);
      return {
        id: "tiny-embed",
        dimensions: 3,
        maxTokens: 10,
        async embed(texts, { kind, onUsage }) {
          onUsage?.({ promptTokens: texts.reduce((sum, text) => sum + text.length, 0), completionTokens: 0 });
          return texts.map((text) => Float32Array.from([text.length, kind === "query" ? 1 : 0, 0.1]));
        },
        countTokens: async (texts) => texts.map((text) => text.length),
      };
    },
  },
  knowledge: {
    listBases: async () => [base],
    readBase: async (_, name) => {
      if (name !== "法规") throw new StarboxError("kb_not_found", `No knowledge base "${name}".`);
      return base;
    },
  },
  answers: {
    async *answer(_, request): AsyncIterable<AnswerPart> {
      asked.push({ kbs: request.kbs, model: request.model });
      yield { type: "retrieved", query: "q", hits: [] };
      yield { type: "text-delta", text: "六个月 [1]。" };
      yield { type: "citation", citation };
      yield { type: "text-delta", text: "以上 [2]。" };
      yield { type: "citation", citation: { ...citation, marker: 2, start: 30, end: 35, quote: "另有规定。" } };
      yield {
        type: "finish",
        answer: {
          question: "q",
          query: "q",
          text: "六个月 [1]。以上 [2]。",
          refused: false,
          citations: [citation],
          origin: "extracted",
          confidence: 0.9,
          usage: { promptTokens: 9, completionTokens: 4 },
          ms: { retrieve: 1, firstToken: 2, total: 3 },
          lineage: { model: null, adapter: null, promptVersion: "1", passages: [] },
        },
      };
    },
  },
});
