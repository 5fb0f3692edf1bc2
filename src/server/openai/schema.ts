/** @file What OpenAI's clients send. Unknown keys are ignored, as there; known ones are checked. */
import { z } from "@hono/zod-openapi";
import { describeProblems } from "../body.ts";
import { badParameter } from "./errors.ts";

const textPart = z.looseObject({ type: z.string(), text: z.string().optional(), refusal: z.string().optional() });
const content = z.union([z.string(), z.array(textPart)], { error: "expected a string or a list of content parts" });
const toolCall = z.looseObject({ id: z.string(), type: z.literal("function"), function: z.looseObject({ name: z.string(), arguments: z.string() }) });

const message = z.discriminatedUnion(
  "role",
  [
    z.looseObject({ role: z.literal("system"), content }),
    z.looseObject({ role: z.literal("developer"), content }),
    z.looseObject({ role: z.literal("user"), content }),
    z.looseObject({ role: z.literal("assistant"), content: content.nullish(), tool_calls: z.array(toolCall).nullish() }),
    z.looseObject({ role: z.literal("tool"), content, tool_call_id: z.string() }),
  ],
  { error: "expected a message with role system, developer, user, assistant or tool" },
);

const jsonSchema = z.record(z.string(), z.unknown());
const toolName = z.string().regex(/^[\w.-]{1,64}$/, "expected up to 64 letters, digits, _, - or .");
const tool = z.looseObject({
  type: z.literal("function", { error: "only function tools are offered" }),
  function: z.looseObject({ name: toolName, description: z.string().nullish(), parameters: jsonSchema.nullish() }),
});
const toolChoice = z.union([
  z.enum(["auto", "none", "required"]),
  z.looseObject({ type: z.literal("function"), function: z.looseObject({ name: z.string() }) }),
]);
const responseFormat = z.discriminatedUnion("type", [
  z.looseObject({ type: z.literal("text") }),
  z.looseObject({ type: z.literal("json_object") }),
  z.looseObject({ type: z.literal("json_schema"), json_schema: z.looseObject({ name: z.string(), schema: jsonSchema.nullish() }) }),
]);

const sampling = {
  model: z.string({ error: "you must name a model" }).min(1, "you must name a model").max(500),
  stream: z.boolean().nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().nullish() }).nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  presence_penalty: z.number().min(-2).max(2).nullish(),
  frequency_penalty: z.number().min(-2).max(2).nullish(),
  logit_bias: z.record(z.string().regex(/^\d+$/, "expected token ids as keys"), z.number().min(-100).max(100)).nullish(),
  // Not OpenAI's; as vLLM and llama-server name them.
  top_k: z.number().int().min(-1).nullish(),
  min_p: z.number().min(0).max(1).nullish(),
  repetition_penalty: z.number().min(0.01).max(10).nullish(),
  max_tokens: z.number().int().min(1).nullish(),
  seed: z.number().int().nullish(),
  stop: z.union([z.string(), z.array(z.string()).max(16)]).nullish(),
  n: z.number().int().min(1).nullish(),
};

export const chatBody = z.looseObject({
  ...sampling,
  messages: z.array(message).min(1, "expected at least one message").max(2000),
  max_completion_tokens: z.number().int().min(1).nullish(),
  tools: z.array(tool).max(128).nullish(),
  tool_choice: toolChoice.nullish(),
  functions: z.array(z.unknown()).nullish(),
  response_format: responseFormat.nullish(),
  logprobs: z.boolean().nullish(),
  top_logprobs: z.number().int().min(0).max(20).nullish(),
  knowledge_bases: z.array(z.string().min(1).max(200)).max(50).nullish(),
});
export type ChatBody = z.output<typeof chatBody>;
export type ChatBodyMessage = z.output<typeof message>;

export const completionBody = z.looseObject({
  ...sampling,
  prompt: z.union([z.string(), z.array(z.string()).min(1).max(64)], { error: "expected a string or a list of strings; token numbers are not taken" }),
  echo: z.boolean().nullish(),
  suffix: z.string().nullish(),
  best_of: z.number().int().nullish(),
  logprobs: z.number().int().nullish(),
});
export type CompletionBody = z.output<typeof completionBody>;

export const embeddingBody = z.looseObject({
  model: sampling.model,
  input: z.union([z.string(), z.array(z.string()).min(1).max(2048)], {
    error: "expected a string or a list of up to 2048 strings; token numbers are not taken",
  }),
  encoding_format: z.enum(["float", "base64"]).nullish(),
  dimensions: z.number().int().min(1).nullish(),
  input_type: z.enum(["query", "passage", "document", "search_query", "search_document"]).nullish(),
});

export function parseBody<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const { message: text, path } = describeProblems(result.error);
  throw badParameter(path, `Invalid request: ${text}.`);
}
