/** @file /v1/completions: raw prompts, no template. Several prompts are answered one after the other, each its own choice. */
import { randomUUID } from "node:crypto";
import type { Actor, FinishReason, LanguageModel, Usage } from "#contracts";
import { personOf, type ServerParts } from "../context.ts";
import { presentUsage } from "./chat.ts";
import { unsupported } from "./errors.ts";
import { readSampling } from "./request.ts";
import type { CompletionBody } from "./schema.ts";

type Part = { readonly index: number; readonly text: string; readonly reason: "stop" | "length" | null; readonly usage?: Usage };
export type Completion = { readonly model: string; readonly prompts: number; readonly parts: AsyncIterable<Part> };

export async function startCompletion(parts: ServerParts, actor: Actor, body: CompletionBody, signal: AbortSignal): Promise<Completion> {
  const sampling = readSampling(body);
  const no = (param: string) => unsupported(param, `${param} is not offered for completions.`, "Leave it out.", `completions 不支持 ${param}。`);
  if (body.echo === true) throw no("echo");
  if (body.suffix !== null && body.suffix !== undefined && body.suffix !== "") throw no("suffix");
  if ((body.best_of ?? 1) > 1) throw no("best_of");
  if (body.logprobs !== null && body.logprobs !== undefined) throw no("logprobs");
  const model = await parts.services.models.languageModel(body.model, actor);
  const prompts = typeof body.prompt === "string" ? [body.prompt] : body.prompt;
  // 16 is this endpoint's default with OpenAI too.
  return { model: body.model, prompts: prompts.length, parts: run(model, prompts, { maxTokens: 16, ...sampling, person: personOf(actor), signal }) };
}

async function* run(
  model: LanguageModel,
  prompts: readonly string[],
  options: Omit<Parameters<LanguageModel["stream"]>[0], "input">,
): AsyncIterable<Part> {
  const reasons = { stop: "stop", length: "length", "tool-calls": "stop" } as const satisfies Record<FinishReason, string>;
  for (const [index, prompt] of prompts.entries()) {
    for await (const part of model.stream({ ...options, input: { prompt } })) {
      if (part.type === "text-delta") yield { index, text: part.text, reason: null };
      else if (part.type === "finish") yield { index, text: "", reason: reasons[part.reason], usage: part.usage };
    }
  }
}

const add = (a: Usage, b: Usage): Usage => ({
  promptTokens: a.promptTokens + b.promptTokens,
  completionTokens: a.completionTokens + b.completionTokens,
});
const none: Usage = { promptTokens: 0, completionTokens: 0 };

export async function wholeCompletion(completion: Completion, created: number) {
  const texts = Array.from({ length: completion.prompts }, () => "");
  const reasons: ("stop" | "length")[] = Array.from({ length: completion.prompts }, () => "stop");
  let usage = none;
  for await (const part of completion.parts) {
    texts[part.index] = (texts[part.index] ?? "") + part.text;
    if (part.reason !== null) reasons[part.index] = part.reason;
    if (part.usage !== undefined) usage = add(usage, part.usage);
  }
  const choices = texts.map((text, index) => ({ index, text, logprobs: null, finish_reason: reasons[index] ?? "stop" }));
  return {
    id: `cmpl-${randomUUID()}`,
    object: "text_completion" as const,
    created,
    model: completion.model,
    choices,
    usage: presentUsage(usage),
    system_fingerprint: null,
  };
}

export async function* completionChunks(completion: Completion, created: number, includeUsage: boolean) {
  const head = { id: `cmpl-${randomUUID()}`, object: "text_completion" as const, created, model: completion.model, system_fingerprint: null };
  let usage = none;
  for await (const part of completion.parts) {
    if (part.usage !== undefined) usage = add(usage, part.usage);
    yield {
      ...head,
      choices: [{ index: part.index, text: part.text, logprobs: null, finish_reason: part.reason }],
      ...(includeUsage ? { usage: null } : {}),
    };
  }
  if (includeUsage) yield { ...head, choices: [], usage: presentUsage(usage) };
}
