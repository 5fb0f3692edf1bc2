/** @file /v1/chat/completions: one stream of parts from a model or a knowledge base, sent whole or as it comes. */
import { randomUUID } from "node:crypto";
import { StarboxError } from "#base";
import type { Actor, FinishReason, LanguageModel, StreamPart, TokenLogprob, ToolCall, Usage } from "#contracts";
import { personOf, type ServerParts } from "../context.ts";
import { answerParts, baseNames } from "./knowledge.ts";
import { readMessages, readOutputShape, readSampling } from "./request.ts";
import type { ChatBody } from "./schema.ts";

/** Flat, as every client of the box knows it. */
export type Annotation = {
  readonly type: "document_citation";
  readonly marker: number;
  readonly document: string;
  readonly page: number | null;
  readonly start: number;
  readonly end: number;
  readonly quote: string;
  readonly title: string;
  readonly document_id: string;
  readonly version_id: string;
  readonly knowledge_base_id: string;
};

export type ReplyPart =
  | { readonly type: "text"; readonly text: string; readonly logprobs?: readonly TokenLogprob[] }
  | { readonly type: "tool-call"; readonly call: ToolCall }
  | { readonly type: "annotation"; readonly annotation: Annotation }
  | { readonly type: "finish"; readonly reason: FinishReason; readonly usage: Usage; readonly starbox?: Readonly<Record<string, unknown>> };

export type Reply = { readonly model: string; readonly parts: AsyncIterable<ReplyPart> };

/** Checks everything that can be checked at once, then says how the reply will come. */
export async function startReply(parts: ServerParts, actor: Actor, body: ChatBody, signal: AbortSignal): Promise<Reply> {
  const sampling = readSampling(body);
  const messages = readMessages(body.messages);
  const shape = readOutputShape(body);
  const bases = baseNames(body);
  if (bases.length > 0) return { model: body.model, parts: await answerParts(parts, actor, body, bases, messages, sampling, shape, signal) };
  const model = await parts.services.models.languageModel(body.model, actor);
  const source = model.stream({ input: { messages }, ...sampling, ...shape, person: personOf(actor), signal });
  return { model: body.model, parts: modelParts(model, source, shape.logprobs !== undefined) };
}

async function* modelParts(model: LanguageModel, source: AsyncIterable<StreamPart>, wantLogprobs: boolean): AsyncIterable<ReplyPart> {
  for await (const part of source) {
    if (part.type === "text-delta") {
      if (wantLogprobs && part.logprobs === undefined) {
        throw new StarboxError("unsupported", `${model.id} cannot give true log-probabilities.`, {
          hint: "Leave logprobs out.",
          zh: { message: `${model.id} 无法给出真实的对数概率。`, hint: "请去掉 logprobs。" },
          details: { param: "logprobs" },
        });
      }
      yield { type: "text", text: part.text, ...(part.logprobs === undefined ? {} : { logprobs: part.logprobs }) };
    } else if (part.type === "tool-call" || part.type === "finish") yield part;
  }
}

const finishReasons = { stop: "stop", length: "length", "tool-calls": "tool_calls" } as const satisfies Record<FinishReason, string>;

export function presentUsage(usage: Usage) {
  return {
    prompt_tokens: usage.promptTokens,
    completion_tokens: usage.completionTokens,
    total_tokens: usage.promptTokens + usage.completionTokens,
    ...(usage.cachedTokens === undefined ? {} : { prompt_tokens_details: { cached_tokens: usage.cachedTokens } }),
  };
}

const presentLogprobs = (list: readonly TokenLogprob[]) => ({
  content: list.map((item) => ({ token: item.token, logprob: item.logprob, bytes: item.bytes, top_logprobs: item.top })),
  refusal: null,
});
const presentCall = (call: ToolCall) => ({ id: call.id, type: "function" as const, function: { name: call.name, arguments: call.arguments } });

export async function wholeReply(reply: Reply, createdSeconds: number) {
  let text = "";
  const calls: ToolCall[] = [];
  const annotations: Annotation[] = [];
  const logprobs: TokenLogprob[] = [];
  let finish: Extract<ReplyPart, { type: "finish" }> | undefined;
  for await (const part of reply.parts) {
    if (part.type === "text") {
      text += part.text;
      logprobs.push(...(part.logprobs ?? []));
    } else if (part.type === "tool-call") calls.push(part.call);
    else if (part.type === "annotation") annotations.push(part.annotation);
    else finish = part;
  }
  if (finish === undefined)
    throw new StarboxError("engine_failed", "The model ended without its last part.", {
      hint: "Try again.",
      zh: { message: "模型没有正常结束。", hint: "请重试。" },
    });
  return {
    id: `chatcmpl-${randomUUID()}`,
    object: "chat.completion" as const,
    created: createdSeconds,
    model: reply.model,
    choices: [
      {
        index: 0,
        message: {
          role: "assistant" as const,
          content: text === "" && calls.length > 0 ? null : text,
          refusal: null,
          annotations,
          ...(calls.length === 0 ? {} : { tool_calls: calls.map(presentCall) }),
        },
        logprobs: logprobs.length === 0 ? null : presentLogprobs(logprobs),
        finish_reason: finishReasons[finish.reason],
      },
    ],
    usage: presentUsage(finish.usage),
    system_fingerprint: null,
    ...(finish.starbox === undefined ? {} : { starbox: finish.starbox }),
  };
}

/**
 * The chunks of a stream, as objects; with `includeUsage` the last one has the usage and no choice.
 * Citations come in one delta after the text: the official packages' own accumulators lose or double lists that come in pieces.
 */
export async function* replyChunks(reply: Reply, createdSeconds: number, includeUsage: boolean) {
  const id = `chatcmpl-${randomUUID()}`;
  const head = { id, object: "chat.completion.chunk" as const, created: createdSeconds, model: reply.model, system_fingerprint: null };
  const usage = includeUsage ? { usage: null } : {};
  const chunk = (delta: object, more: { readonly logprobs?: readonly TokenLogprob[]; readonly finish_reason?: string } = {}) => ({
    ...head,
    choices: [
      { index: 0, delta, logprobs: more.logprobs === undefined ? null : presentLogprobs(more.logprobs), finish_reason: more.finish_reason ?? null },
    ],
    ...usage,
  });
  let calls = 0;
  const annotations: Annotation[] = [];
  yield chunk({ role: "assistant", content: "", refusal: null });
  for await (const part of reply.parts) {
    if (part.type === "text") yield chunk({ content: part.text }, part.logprobs === undefined ? {} : { logprobs: part.logprobs });
    else if (part.type === "tool-call") yield chunk({ tool_calls: [{ index: calls++, ...presentCall(part.call) }] });
    else if (part.type === "annotation") annotations.push(part.annotation);
    else {
      if (annotations.length > 0) yield chunk({ annotations });
      yield { ...chunk({}, { finish_reason: finishReasons[part.reason] }), ...(part.starbox === undefined ? {} : { starbox: part.starbox }) };
      if (includeUsage) yield { ...head, choices: [], usage: presentUsage(part.usage) };
    }
  }
}
