import OpenAI from "openai";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Services } from "#contracts";
import { createServer, type HttpServer } from "#server";
import { testEmbedder as embedder, openTestModels, testLanguageModel as small, type TestModels, testToolModel as tooled } from "./real-models.ts";
import { scriptedServices, silentLogger, temporaryPlatform, testSettings } from "./scripted-services.ts";

/** The official package against real models: SmolLM2 for speed, Qwen for tools, the default embedder. */
const { platform, close } = temporaryPlatform();
let opened: TestModels;
let server: HttpServer;
let openai: OpenAI;

beforeAll(async () => {
  opened = await openTestModels([small, tooled, embedder]);
  const services: Services = { ...scriptedServices({ knowledge: { listBases: async () => [] } }), models: opened.models };
  server = createServer(services, platform, testSettings, silentLogger);
  const { key } = await platform.keys.create({ personId: null, name: "operator", role: "operator" }, { name: "test" });
  openai = new OpenAI({ baseURL: `${await server.listen()}/v1`, apiKey: key, maxRetries: 0, timeout: 120_000 });
}, 900_000);
afterAll(async () => {
  await server?.close();
  await opened?.close();
  close();
});

const say = (content: string) => [{ role: "user" as const, content }];

test("chat: whole and streamed say the same at temperature 0, with true counts", async () => {
  const request = { model: small, messages: say("What is the capital of France?"), temperature: 0, seed: 1, max_tokens: 24 };
  const whole = await openai.chat.completions.create(request);
  let text = "";
  let usage: OpenAI.CompletionUsage | null = null;
  for await (const chunk of await openai.chat.completions.create({ ...request, stream: true, stream_options: { include_usage: true } })) {
    text += chunk.choices[0]?.delta.content ?? "";
    usage = chunk.usage ?? usage;
  }
  expect(whole.choices[0]?.message.content).toContain("Paris");
  expect(text).toBe(whole.choices[0]?.message.content);
  expect(usage?.completion_tokens).toBe(whole.usage?.completion_tokens);
  expect(whole.usage?.prompt_tokens).toBeGreaterThan(8);
  const cut = await openai.chat.completions.create({ ...request, max_tokens: 2 });
  expect([cut.choices[0]?.finish_reason, cut.usage?.completion_tokens]).toEqual(["length", 2]);
  const stopped = await openai.chat.completions.create({ ...request, stop: ["Paris"] });
  expect(stopped.choices[0]?.message.content).not.toContain("Paris");
  expect(stopped.choices[0]?.finish_reason).toBe("stop");
});

test("a client that leaves frees the engine within a step", async () => {
  const started = Date.now();
  const stream = await openai.chat.completions.create({ model: small, messages: say("Count from 1 to 1000."), max_tokens: 2000, stream: true });
  let count = 0;
  for await (const _ of stream) if (++count === 6) stream.controller.abort();
  await expect.poll(() => opened.models.engines().reduce((sum, engine) => sum + engine.running + engine.waiting, 0), { timeout: 3000 }).toBe(0);
  expect(Date.now() - started).toBeLessThan(30_000);
});

const tools: OpenAI.ChatCompletionTool[] = [
  {
    type: "function",
    function: {
      name: "get_weather",
      description: "Current weather of a city",
      parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
    },
  },
];

test("tools: required, named, and none", async () => {
  const request = { model: tooled, messages: say("What is the weather in Paris right now?"), tools, temperature: 0, max_tokens: 80 };
  for (const tool_choice of ["required", { type: "function", function: { name: "get_weather" } }] as const) {
    const done = await openai.chat.completions.create({ ...request, tool_choice });
    const call = done.choices[0]?.message.tool_calls?.[0];
    if (call?.type !== "function") throw new Error(`no call: ${JSON.stringify(done.choices[0])}`);
    expect(call.function.name).toBe("get_weather");
    expect(JSON.parse(call.function.arguments)).toMatchObject({ city: expect.stringContaining("Paris") });
    expect(done.choices[0]?.finish_reason).toBe("tool_calls");
  }
  const none = await openai.chat.completions.create({ ...request, tool_choice: "none" });
  expect(none.choices[0]?.message.tool_calls ?? []).toEqual([]);
});

test("json_schema holds, streamed too", async () => {
  const schema = {
    type: "object",
    properties: { name: { type: "string" }, age: { type: "integer" } },
    required: ["name", "age"],
    additionalProperties: false,
  };
  const final = await openai.chat.completions
    .stream({
      model: tooled,
      messages: say("Ada is 36 years old. Give name and age."),
      temperature: 0,
      max_tokens: 60,
      response_format: { type: "json_schema", json_schema: { name: "person", schema, strict: true } },
    })
    .finalChatCompletion();
  expect(JSON.parse(final.choices[0]?.message.content ?? "")).toMatchObject({ age: 36 });
});

test("what the engine cannot truly give, or does not fit, is a named 400", async () => {
  await expect(openai.chat.completions.create({ model: small, messages: say("hi"), logprobs: true, max_tokens: 4 })).rejects.toMatchObject({
    status: 400,
    code: "unsupported",
  });
  await expect(openai.chat.completions.create({ model: small, messages: say("hello ".repeat(12_000)), max_tokens: 4 })).rejects.toMatchObject({
    status: 400,
    code: "context_length_exceeded",
  });
});

test("plain completion and embeddings", async () => {
  const done = await openai.completions.create({ model: small, prompt: "The capital of France is", temperature: 0, max_tokens: 4 });
  expect(done.choices[0]?.text).toContain("Paris");
  const { data, usage } = await openai.embeddings.create({
    model: embedder,
    input: ["query: 试用期最长多久", "passage: 试用期最长不得超过六个月。", "passage: 今天天气很好。"],
  });
  const [question, right, wrong] = data.map((row) => row.embedding);
  const dot = (a: number[] = [], b: number[] = []) => a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);
  expect(question).toHaveLength(384);
  expect(dot(question, question)).toBeCloseTo(1, 3);
  expect(dot(question, right)).toBeGreaterThan(dot(question, wrong) + 0.02);
  expect(usage.prompt_tokens).toBeGreaterThan(10);
});
