/** @file A running box's models through its OpenAI endpoints, as the contracts LanguageModel and EmbeddingModel. What the wire cannot carry is a named error. */
import { StarboxError } from "#base";
import type { Client } from "#client";
import type { ChatMessage, EmbeddingModel, FinishReason, GenerateRequest, LanguageModel, ModelInfo, StreamPart, Usage } from "#contracts";
import { readableError } from "./readable-error.ts";

type WireUsage = { readonly prompt_tokens: number; readonly completion_tokens?: number };
type WireToolCall = { readonly index: number; readonly id?: string; readonly function?: { readonly name?: string; readonly arguments?: string } };
type WireChunk = {
  readonly choices?: readonly {
    readonly delta?: { readonly content?: string | null; readonly tool_calls?: readonly WireToolCall[] };
    readonly text?: string;
    readonly finish_reason?: string | null;
  }[];
  readonly usage?: WireUsage | null;
  readonly error?: { readonly message: string; readonly code?: string | null };
};

export function createRemoteModel(client: Client, info: ModelInfo): LanguageModel {
  return {
    id: info.id,
    contextTokens: info.contextTokens ?? 0,
    stream: (request) => stream(client, info.id, request),
    countTokens: async () => {
      throw new StarboxError("unsupported", "Tokens cannot be counted over HTTP.", { zh: { message: "无法通过 HTTP 计算词元数。" } });
    },
  };
}

async function* stream(client: Client, model: string, request: GenerateRequest): AsyncIterable<StreamPart> {
  if (request.logprobs !== undefined)
    throw new StarboxError("unsupported", "Log-probabilities are not available over HTTP.", { zh: { message: "无法通过 HTTP 获取对数概率。" } });
  const chat = "messages" in request.input;
  const json = {
    model,
    stream: true,
    stream_options: { include_usage: true },
    ...("messages" in request.input ? { messages: request.input.messages.map(presentMessage) } : { prompt: request.input.prompt }),
    ...optional("max_tokens", request.maxTokens),
    ...optional("temperature", request.temperature),
    ...optional("top_p", request.topP),
    ...optional("seed", request.seed),
    ...optional("stop", request.stop),
    ...optional(
      "tools",
      request.tools?.map((tool) => ({ type: "function", function: tool })),
    ),
    ...optional("tool_choice", typeof request.toolChoice === "object" ? { type: "function", function: request.toolChoice } : request.toolChoice),
    ...optional(
      "response_format",
      request.jsonSchema === undefined ? undefined : { type: "json_schema", json_schema: { name: "answer", schema: request.jsonSchema } },
    ),
  };
  let usage: Usage = { promptTokens: 0, completionTokens: 0 };
  let reason: FinishReason = "stop";
  const calls: { id: string; name: string; arguments: string }[] = [];
  yield { type: "start" };
  try {
    const path = chat ? "/v1/chat/completions" : "/v1/completions";
    for await (const chunk of client.http.events<WireChunk>("POST", path, {
      json,
      ...(request.signal === undefined ? {} : { signal: request.signal }),
    })) {
      if (chunk.error !== undefined) throw new StarboxError("engine_failed", chunk.error.message, { details: { code: chunk.error.code ?? null } });
      if (chunk.usage !== undefined && chunk.usage !== null)
        usage = { promptTokens: chunk.usage.prompt_tokens, completionTokens: chunk.usage.completion_tokens ?? 0 };
      const choice = chunk.choices?.[0];
      if (choice === undefined) continue;
      const text = chat ? choice.delta?.content : choice.text;
      if (typeof text === "string" && text !== "") yield { type: "text-delta", text };
      for (const call of choice.delta?.tool_calls ?? []) {
        const known = (calls[call.index] ??= { id: call.id ?? "", name: "", arguments: "" });
        known.name += call.function?.name ?? "";
        known.arguments += call.function?.arguments ?? "";
      }
      if (typeof choice.finish_reason === "string")
        reason = choice.finish_reason === "tool_calls" ? "tool-calls" : choice.finish_reason === "length" ? "length" : "stop";
    }
  } catch (error) {
    throw readableError(error);
  }
  for (const call of calls) yield { type: "tool-call", call };
  yield { type: "finish", reason, usage };
}

const optional = (key: string, value: unknown): Record<string, unknown> => (value === undefined ? {} : { [key]: value });

function presentMessage(message: ChatMessage): Record<string, unknown> {
  if (message.role === "tool") return { role: "tool", content: message.content, tool_call_id: message.toolCallId };
  if (message.role !== "assistant" || message.toolCalls === undefined) return { role: message.role, content: message.content };
  return {
    role: "assistant",
    content: message.content,
    tool_calls: message.toolCalls.map((call) => ({ id: call.id, type: "function", function: { name: call.name, arguments: call.arguments } })),
  };
}

/** OpenAI's shape has no word for query or passage; the box takes one as `input_type`. */
export function createRemoteEmbedder(client: Client, info: ModelInfo): EmbeddingModel {
  const embed = async (
    input: readonly string[],
    kind: "query" | "passage",
    signal?: AbortSignal,
  ): Promise<{ readonly vectors: readonly Float32Array[]; readonly tokens: number }> => {
    try {
      const answer = await client.http.json<{ data: readonly { index: number; embedding: readonly number[] }[]; usage: WireUsage }>(
        "POST",
        "/v1/embeddings",
        {
          json: { model: info.id, input, input_type: kind, encoding_format: "float" },
          ...(signal === undefined ? {} : { signal }),
        },
      );
      const vectors = [...answer.data].sort((a, b) => a.index - b.index).map((row) => Float32Array.from(row.embedding));
      return { vectors, tokens: answer.usage.prompt_tokens };
    } catch (error) {
      throw readableError(error);
    }
  };
  return {
    id: info.id,
    dimensions: 0,
    maxTokens: info.contextTokens ?? 0,
    embed: async (texts, { kind, signal }) => (await embed(texts, kind, signal)).vectors,
    countTokens: async (texts) => await Promise.all(texts.map(async (text) => (await embed([text], "passage")).tokens)),
  };
}
