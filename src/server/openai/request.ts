/** @file OpenAI's chat request turned into the contract's, with a clear no to what cannot be given. */
import type { ChatMessage, GenerateRequest, ToolChoice } from "#contracts";
import { badParameter, unsupported } from "./errors.ts";
import type { ChatBody, ChatBodyMessage, CompletionBody } from "./schema.ts";

type Sampling = Pick<
  GenerateRequest,
  | "maxTokens"
  | "temperature"
  | "topP"
  | "topK"
  | "minP"
  | "repetitionPenalty"
  | "presencePenalty"
  | "frequencyPenalty"
  | "logitBias"
  | "seed"
  | "stop"
>;

export function readSampling(body: ChatBody | CompletionBody): Sampling {
  if ((body.n ?? 1) > 1)
    throw unsupported("n", "n larger than 1 is not offered: the box gives one choice.", "Send the request n times.", "不支持 n 大于 1。");
  const maxTokens = ("max_completion_tokens" in body ? (body.max_completion_tokens as number | null | undefined) : undefined) ?? body.max_tokens;
  const stop = body.stop === null || body.stop === undefined ? [] : typeof body.stop === "string" ? [body.stop] : body.stop;
  return {
    ...(maxTokens === null || maxTokens === undefined ? {} : { maxTokens }),
    ...(body.temperature === null || body.temperature === undefined ? {} : { temperature: body.temperature }),
    ...(body.top_p === null || body.top_p === undefined ? {} : { topP: body.top_p }),
    ...(body.top_k === null || body.top_k === undefined ? {} : { topK: Math.max(0, body.top_k) }), // vLLM's −1 is "all"
    ...(body.min_p === null || body.min_p === undefined ? {} : { minP: body.min_p }),
    ...(body.repetition_penalty === null || body.repetition_penalty === undefined ? {} : { repetitionPenalty: body.repetition_penalty }),
    ...(body.presence_penalty === null || body.presence_penalty === undefined ? {} : { presencePenalty: body.presence_penalty }),
    ...(body.frequency_penalty === null || body.frequency_penalty === undefined ? {} : { frequencyPenalty: body.frequency_penalty }),
    ...(body.logit_bias === null || body.logit_bias === undefined ? {} : { logitBias: body.logit_bias }),
    ...(body.seed === null || body.seed === undefined ? {} : { seed: body.seed }),
    ...(stop.length === 0 ? {} : { stop: stop.filter((text) => text !== "") }),
  };
}

export function readMessages(messages: readonly ChatBodyMessage[]): readonly ChatMessage[] {
  return messages.map(readMessage);
}

function readMessage(message: ChatBodyMessage, index: number): ChatMessage {
  const text = plainText(message.content ?? "", `messages.${index}.content`);
  if (message.role === "tool") return { role: "tool", content: text, toolCallId: message.tool_call_id };
  if (message.role === "assistant") {
    const calls = (message.tool_calls ?? []).map((call) => ({ id: call.id, name: call.function.name, arguments: call.function.arguments }));
    return { role: "assistant", content: text, ...(calls.length === 0 ? {} : { toolCalls: calls }) };
  }
  return { role: message.role === "user" ? "user" : "system", content: text };
}

function plainText(
  content: string | readonly { readonly type: string; readonly text?: string | undefined; readonly refusal?: string | undefined }[],
  param: string,
): string {
  if (typeof content === "string") return content;
  return content
    .map((part) => {
      if (part.type === "text" && part.text !== undefined) return part.text;
      if (part.type === "refusal" && part.refusal !== undefined) return part.refusal;
      throw unsupported(
        param,
        `Content of type "${part.type}" is not taken: the models here read text.`,
        "Send parts of type text only.",
        `模型只接受文本，不接受“${part.type}”类型的内容。`,
      );
    })
    .join("");
}

type ToolParts = Pick<GenerateRequest, "tools" | "toolChoice" | "jsonSchema" | "logprobs">;

export function readOutputShape(body: ChatBody): ToolParts {
  if (body.functions !== null && body.functions !== undefined)
    throw unsupported("functions", "functions is not offered.", "Use tools.", "不支持 functions，请使用 tools。");
  const tools = (body.tools ?? []).map((tool) => ({
    name: tool.function.name,
    ...(tool.function.description === null || tool.function.description === undefined ? {} : { description: tool.function.description }),
    ...(tool.function.parameters === null || tool.function.parameters === undefined ? {} : { parameters: tool.function.parameters }),
  }));
  const choice = readToolChoice(
    body,
    tools.map((tool) => tool.name),
  );
  const format = body.response_format;
  const jsonSchema = format?.type === "json_object" ? {} : format?.type === "json_schema" ? (format.json_schema.schema ?? {}) : undefined;
  if (body.top_logprobs !== null && body.top_logprobs !== undefined && body.logprobs !== true)
    throw badParameter("top_logprobs", "top_logprobs needs logprobs: true.");
  return {
    ...(tools.length === 0 ? {} : { tools }),
    ...(choice === undefined ? {} : { toolChoice: choice }),
    ...(jsonSchema === undefined ? {} : { jsonSchema }),
    ...(body.logprobs === true ? { logprobs: body.top_logprobs ?? 0 } : {}),
  };
}

function readToolChoice(body: ChatBody, names: readonly string[]): ToolChoice | undefined {
  const choice = body.tool_choice;
  if (choice === null || choice === undefined) return undefined;
  if (names.length === 0) {
    if (choice === "none" || choice === "auto") return undefined;
    throw badParameter("tool_choice", "tool_choice needs tools.");
  }
  if (typeof choice === "string") return choice;
  if (!names.includes(choice.function.name))
    throw badParameter("tool_choice", `tool_choice names "${choice.function.name}", which is not among the tools.`);
  return { name: choice.function.name };
}
