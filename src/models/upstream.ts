/** @file LanguageModel and EmbeddingModel over any OpenAI-compatible server, another box included. Knows HTTP; nothing is running here. */
import { type ErrorRecord, fromErrorRecord, outbound, StarboxError } from "#base";
import type {
  ChatMessage,
  EmbeddingModel,
  FinishReason,
  GenerateRequest,
  LanguageModel,
  StreamPart,
  TokenLogprob,
  ToolCall,
  Usage,
} from "#contracts";
import { parseEventStream } from "./event-stream.ts";

export type UpstreamOptions = {
  /** Up to and including the version: "http://127.0.0.1:8480/v1". */
  readonly baseUrl: string;
  readonly apiKey?: string;
  readonly model: string;
  readonly contextTokens?: number;
  readonly fetch?: typeof fetch;
};

type WireDelta = { content?: string | null; tool_calls?: { index: number; id?: string; function?: { name?: string; arguments?: string } }[] };
type WireLogprob = {
  token: string;
  logprob: number;
  bytes: number[] | null;
  top_logprobs?: { token: string; logprob: number; bytes: number[] | null }[];
};
type WireChunk = {
  choices?: { delta?: WireDelta; text?: string; finish_reason?: string | null; logprobs?: { content?: WireLogprob[] | null } | null }[];
  usage?: { prompt_tokens: number; completion_tokens: number; prompt_tokens_details?: { cached_tokens?: number } } | null;
  error?: { message?: string; code?: string | null };
};

export function createUpstreamLanguageModel(options: UpstreamOptions): LanguageModel {
  outbound.allow(options.baseUrl, `upstream: ${options.model}`);
  return {
    id: options.model,
    contextTokens: options.contextTokens ?? 4096,
    stream: (request) => streamUpstream(options, request),
    async countTokens(text) {
      // The protocol has no tokenizer; the prompt's usage of a one-token completion is the server's own count.
      let tokens = 0;
      for await (const part of streamUpstream(options, { input: { prompt: text }, maxTokens: 1, temperature: 0 }))
        if (part.type === "finish") tokens = part.usage.promptTokens;
      return tokens;
    },
  };
}

export function createUpstreamEmbeddingModel(options: UpstreamOptions & { readonly dimensions: number; readonly maxTokens: number }): EmbeddingModel {
  outbound.allow(options.baseUrl, `upstream: ${options.model}`);
  const call = async (texts: readonly string[], signal?: AbortSignal) => {
    const response = await post(options, "/embeddings", { model: options.model, input: texts, encoding_format: "base64" }, signal);
    return (await response.json()) as { data: { index: number; embedding: string | number[] }[]; usage?: { prompt_tokens?: number } };
  };
  return {
    id: options.model,
    dimensions: options.dimensions,
    maxTokens: options.maxTokens,
    async embed(texts, { signal, onUsage }) {
      if (texts.length === 0) return [];
      // The protocol refuses an empty text; a blank one has the same meaning and a vector.
      const { data, usage } = await call(
        texts.map((text) => (text === "" ? " " : text)),
        signal,
      );
      if (data.length !== texts.length) throw upstreamFailed(options, `${data.length} vectors for ${texts.length} texts`);
      onUsage?.({ promptTokens: usage?.prompt_tokens ?? 0, completionTokens: 0 });
      return data.toSorted((a, b) => a.index - b.index).map(({ embedding }) => decodeVector(embedding));
    },
    countTokens: (texts) => Promise.all(texts.map(async (text) => (await call([text])).usage?.prompt_tokens ?? 0)),
  };
}

function decodeVector(embedding: string | readonly number[]): Float32Array {
  if (typeof embedding !== "string") return Float32Array.from(embedding);
  const bytes = Uint8Array.from(Buffer.from(embedding, "base64"));
  return new Float32Array(bytes.buffer, 0, bytes.byteLength / 4);
}

async function* streamUpstream(options: UpstreamOptions, request: GenerateRequest): AsyncGenerator<StreamPart> {
  const chat = "messages" in request.input;
  const response = await post(options, chat ? "/chat/completions" : "/completions", wireRequest(options.model, request), request.signal);
  if (response.body === null) throw upstreamFailed(options, "no body");
  yield { type: "start" };
  const calls = new Map<number, { id: string; name: string; arguments: string }>();
  let usage: Usage = { promptTokens: 0, completionTokens: 0 };
  let reason: FinishReason | undefined;
  try {
    for await (const data of parseEventStream(response.body)) {
      if (data === "[DONE]") break;
      const chunk = JSON.parse(data) as WireChunk;
      if (chunk.error !== undefined) throw namedFailure(options, chunk.error, null);
      if (chunk.usage) usage = readUsage(chunk.usage);
      const choice = chunk.choices?.[0];
      if (choice === undefined) continue;
      for (const delta of choice.delta?.tool_calls ?? []) {
        const call = calls.get(delta.index) ?? { id: "", name: "", arguments: "" };
        calls.set(delta.index, {
          id: delta.id ?? call.id,
          name: delta.function?.name ?? call.name,
          arguments: call.arguments + (delta.function?.arguments ?? ""),
        });
      }
      const text = choice.delta?.content ?? choice.text ?? "";
      const logprobs = choice.logprobs?.content?.map(readLogprob);
      if (text !== "" || logprobs !== undefined) yield { type: "text-delta", text, ...(logprobs === undefined ? {} : { logprobs }) };
      if (choice.finish_reason) reason = choice.finish_reason === "length" ? "length" : choice.finish_reason === "tool_calls" ? "tool-calls" : "stop";
    }
  } catch (error) {
    if (request.signal?.aborted) throw new StarboxError("cancelled", "The request was cancelled.", { zh: { message: "请求已取消。" } });
    throw StarboxError.is(error) ? error : upstreamFailed(options, error instanceof Error ? error.message : String(error), error);
  }
  if (reason === undefined) throw upstreamFailed(options, "the stream ended in the middle");
  for (const call of calls.values()) yield { type: "tool-call", call };
  yield { type: "finish", reason, usage };
}

function readUsage(usage: NonNullable<WireChunk["usage"]>): Usage {
  const cachedTokens = usage.prompt_tokens_details?.cached_tokens;
  return { promptTokens: usage.prompt_tokens, completionTokens: usage.completion_tokens, ...(cachedTokens === undefined ? {} : { cachedTokens }) };
}

const readLogprob = ({ token, logprob, bytes, top_logprobs = [] }: WireLogprob): TokenLogprob => ({
  token,
  logprob,
  bytes: bytes ?? [],
  top: top_logprobs.map((item) => ({ token: item.token, logprob: item.logprob, bytes: item.bytes ?? [] })),
});

function wireRequest(model: string, request: GenerateRequest): Record<string, unknown> {
  const { input, jsonSchema, toolChoice, tools } = request;
  const chat = "messages" in input;
  return {
    model,
    stream: true,
    stream_options: { include_usage: true },
    ...(chat ? { messages: input.messages.map(wireMessage) } : { prompt: input.prompt }),
    ...(request.maxTokens === undefined ? {} : { max_tokens: request.maxTokens }),
    ...(request.temperature === undefined ? {} : { temperature: request.temperature }),
    ...(request.topP === undefined ? {} : { top_p: request.topP }),
    ...(request.topK === undefined ? {} : { top_k: request.topK }),
    ...(request.minP === undefined ? {} : { min_p: request.minP }),
    ...(request.repetitionPenalty === undefined ? {} : { repetition_penalty: request.repetitionPenalty }),
    ...(request.presencePenalty === undefined ? {} : { presence_penalty: request.presencePenalty }),
    ...(request.frequencyPenalty === undefined ? {} : { frequency_penalty: request.frequencyPenalty }),
    ...(request.logitBias === undefined ? {} : { logit_bias: request.logitBias }),
    ...(request.seed === undefined ? {} : { seed: request.seed }),
    ...(request.stop === undefined || request.stop.length === 0 ? {} : { stop: request.stop }),
    ...(request.logprobs === undefined ? {} : chat ? { logprobs: true, top_logprobs: request.logprobs } : { logprobs: request.logprobs }),
    ...(tools === undefined || tools.length === 0 ? {} : { tools: tools.map((tool) => ({ type: "function", function: tool })) }),
    ...(toolChoice === undefined
      ? {}
      : { tool_choice: typeof toolChoice === "string" ? toolChoice : { type: "function", function: { name: toolChoice.name } } }),
    ...(jsonSchema === undefined
      ? {}
      : {
          response_format:
            Object.keys(jsonSchema).length === 0
              ? { type: "json_object" }
              : { type: "json_schema", json_schema: { name: "answer", schema: jsonSchema } },
        }),
  };
}

function wireMessage(message: ChatMessage): Record<string, unknown> {
  if (message.role === "tool") return { role: "tool", content: message.content, tool_call_id: message.toolCallId };
  if (message.role !== "assistant" || message.toolCalls === undefined || message.toolCalls.length === 0)
    return { role: message.role, content: message.content };
  const wireCall = ({ id, name, arguments: text }: ToolCall) => ({ id, type: "function", function: { name, arguments: text } });
  return { role: "assistant", content: message.content === "" ? null : message.content, tool_calls: message.toolCalls.map(wireCall) };
}

async function post(options: UpstreamOptions, path: string, body: unknown, signal?: AbortSignal): Promise<Response> {
  let response: Response;
  try {
    response = await (options.fetch ?? outbound.fetch)(`${options.baseUrl.replace(/\/$/, "")}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json", ...(options.apiKey === undefined ? {} : { authorization: `Bearer ${options.apiKey}` }) },
      body: JSON.stringify(body),
      ...(signal === undefined ? {} : { signal }),
    });
  } catch (error) {
    if (signal?.aborted) throw new StarboxError("cancelled", "The request was cancelled.", { zh: { message: "请求已取消。" } });
    throw upstreamFailed(options, error instanceof Error ? error.message : String(error), error);
  }
  if (response.ok) return response;
  const text = await response.text();
  let error: { message?: string; code?: string | null } = { message: text.slice(0, 500) };
  try {
    error = (JSON.parse(text) as { error?: typeof error }).error ?? error;
  } catch {
    // Not JSON: the text itself is all there is to show.
  }
  throw namedFailure(options, error, response);
}

/** Another box's codes keep their names; of other servers only the statuses are known. */
function namedFailure(options: UpstreamOptions, error: { message?: string; code?: string | null }, response: Response | null): StarboxError {
  const message = error.message ?? `status ${response?.status}`;
  if (typeof error.code === "string") {
    const code = error.code === "context_length_exceeded" ? "context_too_long" : error.code; // OpenAI's own word for it
    const named = fromErrorRecord({ code: code as ErrorRecord["code"], message });
    if (named.code !== "internal") return withRetry(named, response);
  }
  if (response?.status === 429) return withRetry(new StarboxError("busy", message), response);
  if (response?.status === 404) return new StarboxError("model_not_found", message);
  if (response?.status === 401 || response?.status === 403)
    return new StarboxError("upstream_failed", `${options.baseUrl} refuses the key: ${message}`, {
      hint: "Check the upstream's API key.",
      zh: { message: `${options.baseUrl} 拒绝了密钥：${message}`, hint: "请检查上游的 API 密钥。" },
    });
  return upstreamFailed(options, message);
}

function withRetry(error: StarboxError, response: Response | null): StarboxError {
  const seconds = Number(response?.headers.get("retry-after"));
  if (!Number.isFinite(seconds) || seconds <= 0) return error;
  return new StarboxError(error.code, error.message, { retryAfterSeconds: seconds });
}

function upstreamFailed(options: UpstreamOptions, what: string, cause?: unknown): StarboxError {
  return new StarboxError("upstream_failed", `The model server ${options.baseUrl} failed: ${what}.`, {
    hint: "Check that it runs and that its address and key are right.",
    zh: { message: `模型服务 ${options.baseUrl} 出错：${what}。`, hint: "请确认它正在运行，地址和密钥正确。" },
    ...(cause === undefined ? {} : { cause }),
  });
}
