import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import OpenAI from "openai";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createServer, type HttpServer } from "#server";
import { asked, model, services, sleep } from "./openai-services.ts";
import { silentLogger, temporaryPlatform, testSettings } from "./scripted-services.ts";

const { platform, close } = temporaryPlatform();
let server: HttpServer;
let openai: OpenAI;
let key = "";

beforeAll(async () => {
  server = createServer(services, platform, testSettings, silentLogger);
  await server.listen();
  key = (await platform.keys.create({ personId: null, name: "operator", role: "operator" }, { name: "test" })).key;
  openai = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: key, maxRetries: 0 });
});
afterAll(async () => {
  await server.close();
  close();
});

const ask = (content: string) => ({ model: "tiny", messages: [{ role: "user" as const, content }] });

test("a completion, whole", async () => {
  const done = await openai.chat.completions.create({
    ...ask("hi"),
    temperature: 0,
    seed: 3,
    top_p: 0.5,
    stop: ["x"],
    max_completion_tokens: 9,
    unknown_parameter: true,
  } as OpenAI.ChatCompletionCreateParamsNonStreaming);
  expect(done).toMatchObject({
    object: "chat.completion",
    model: "tiny",
    choices: [{ index: 0, message: { role: "assistant", content: "你好，世界", refusal: null }, logprobs: null, finish_reason: "stop" }],
    usage: { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7, prompt_tokens_details: { cached_tokens: 1 } },
  });
  expect(done.id).toMatch(/^chatcmpl-/);
  expect(model.requests.at(-1)).toMatchObject({ temperature: 0, seed: 3, topP: 0.5, stop: ["x"], maxTokens: 9 });
  expect((await openai.chat.completions.create({ ...ask("hi"), max_tokens: 2 })).choices[0]?.finish_reason).toBe("length");
});

test("a completion, streamed, with and without usage", async () => {
  const stream = await openai.chat.completions.create({ ...ask("hi"), stream: true, stream_options: { include_usage: true } });
  const chunks: OpenAI.ChatCompletionChunk[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  expect(chunks[0]?.choices[0]?.delta.role).toBe("assistant");
  expect(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("")).toBe("你好，世界");
  expect(chunks.at(-2)?.choices[0]?.finish_reason).toBe("stop");
  expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { total_tokens: 7 } });
  expect(new Set(chunks.map((chunk) => chunk.id)).size).toBe(1);
  const plain = await openai.chat.completions.create({ ...ask("hi"), stream: true });
  for await (const chunk of plain) expect(chunk).not.toHaveProperty("usage");
  const final = await openai.chat.completions.stream(ask("hi")).finalChatCompletion();
  expect(final.choices[0]?.message.content).toBe("你好，世界");
});

const tools: OpenAI.ChatCompletionTool[] = [
  { type: "function", function: { name: "get_weather", description: "d", parameters: { type: "object", properties: { city: { type: "string" } } } } },
];

test("tools, whole and streamed, and their results sent back", async () => {
  const done = await openai.chat.completions.create({ ...ask("weather?"), tools, tool_choice: "auto" });
  expect(done.choices[0]).toMatchObject({
    finish_reason: "tool_calls",
    message: { content: null, tool_calls: [{ id: "call_1", type: "function", function: { name: "get_weather", arguments: '{"city":"北京"}' } }] },
  });
  const streamed = await openai.chat.completions
    .stream({ ...ask("x"), tools, tool_choice: { type: "function", function: { name: "get_weather" } } })
    .finalChatCompletion();
  expect(streamed.choices[0]?.message.tool_calls?.[0]).toMatchObject({ function: { name: "get_weather", arguments: '{"city":"北京"}' } });
  expect(model.requests.at(-1)).toMatchObject({ toolChoice: { name: "get_weather" }, tools: [{ name: "get_weather", description: "d" }] });
  const call = done.choices[0]?.message;
  if (call === undefined) throw new Error("no message");
  await openai.chat.completions.create({
    model: "tiny",
    tools,
    messages: [{ role: "user", content: "weather?" }, call, { role: "tool", tool_call_id: "call_1", content: "sunny" }],
  });
  expect(model.requests.at(-1)?.input).toEqual({
    messages: [
      { role: "user", content: "weather?" },
      { role: "assistant", content: "", toolCalls: [{ id: "call_1", name: "get_weather", arguments: '{"city":"北京"}' }] },
      { role: "tool", content: "sunny", toolCallId: "call_1" },
    ],
  });
  await expect(
    openai.chat.completions.create({ ...ask("x"), tools, tool_choice: { type: "function", function: { name: "other" } } }),
  ).rejects.toMatchObject({ status: 400, param: "tool_choice" });
});

test("JSON, any and of a shape", async () => {
  const schema = { type: "object", properties: { answer: { type: "integer" } }, required: ["answer"] };
  const done = await openai.chat.completions.create({
    ...ask("x"),
    response_format: { type: "json_schema", json_schema: { name: "n", schema, strict: true } },
  });
  expect(JSON.parse(done.choices[0]?.message.content ?? "")).toEqual({ answer: 42 });
  expect(model.requests.at(-1)?.jsonSchema).toEqual(schema);
  await openai.chat.completions.create({ ...ask("x"), response_format: { type: "json_object" } });
  expect(model.requests.at(-1)?.jsonSchema).toEqual({});
});

test("content parts of text are joined; pictures are refused by name", async () => {
  await openai.chat.completions.create({
    model: "tiny",
    messages: [
      { role: "developer", content: "d" },
      {
        role: "user",
        content: [
          { type: "text", text: "a" },
          { type: "text", text: "b" },
        ],
      },
    ],
  });
  expect(model.requests.at(-1)?.input).toEqual({
    messages: [
      { role: "system", content: "d" },
      { role: "user", content: "ab" },
    ],
  });
  await expect(
    openai.chat.completions.create({ model: "tiny", messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: "data:," } }] }] }),
  ).rejects.toMatchObject({ status: 400, code: "unsupported", param: "messages.0.content" });
});

test("errors have OpenAI's shape, class, status and way out", async () => {
  await expect(
    new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "sb-wrong", maxRetries: 0 }).chat.completions.create(ask("hi")),
  ).rejects.toBeInstanceOf(OpenAI.AuthenticationError);
  await expect(openai.chat.completions.create({ ...ask("hi"), model: "none" })).rejects.toBeInstanceOf(OpenAI.NotFoundError);
  await expect(openai.chat.completions.create({ ...ask("hi"), model: "none" })).rejects.toMatchObject({
    code: "model_not_found",
    type: "invalid_request_error",
    message: expect.stringContaining("GET /v1/models"),
  });
  await expect(openai.chat.completions.create({ ...ask("hi"), model: "later" })).rejects.toMatchObject({
    status: 503,
    code: "model_not_ready",
    type: "server_error",
  });
  await expect(openai.chat.completions.create({ ...ask("hi"), n: 2 })).rejects.toMatchObject({ status: 400, param: "n", code: "unsupported" });
  await expect(openai.chat.completions.create({ ...ask("hi"), logprobs: true })).rejects.toMatchObject({
    status: 400,
    param: "logprobs",
    code: "unsupported",
  });
  await expect(openai.chat.completions.create({ ...ask("hi"), temperature: 7 })).rejects.toMatchObject({ status: 400, param: "temperature" });
  await expect(openai.chat.completions.create({ model: "tiny", messages: [] })).rejects.toMatchObject({ status: 400, param: "messages" });
  await expect(openai.chat.completions.create(ask("long"))).rejects.toMatchObject({ status: 400, code: "context_length_exceeded" });
  for (const stream of [false, true]) {
    const busy = await openai.chat.completions.create({ ...ask("busy"), stream }).catch((error: unknown) => error);
    expect(busy).toBeInstanceOf(OpenAI.RateLimitError);
    expect((busy as InstanceType<typeof OpenAI.RateLimitError>).headers?.get("retry-after")).toBe("7");
  }
  const broken = await fetch(`${server.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: "{",
  });
  expect([broken.status, Object.keys(((await broken.json()) as { error: object }).error).sort()]).toEqual([
    400,
    ["code", "message", "param", "type"],
  ]);
  const nowhere = await fetch(`${server.url}/v1/nothing`, { headers: { authorization: `Bearer ${key}` } });
  expect([nowhere.status, ((await nowhere.json()) as { error: { type: string } }).error.type]).toEqual([404, "invalid_request_error"]);
});

test("an engine that dies while streaming is an error in the stream; before that a status", async () => {
  let text = "";
  const failed = await (async () => {
    for await (const chunk of await openai.chat.completions.create({ ...ask("break"), stream: true })) text += chunk.choices[0]?.delta.content ?? "";
  })().catch((error: unknown) => error);
  expect(text).toBe("你好");
  expect(failed).toMatchObject({ code: "engine_crashed", message: expect.stringContaining("The engine died.") });
  await expect(openai.chat.completions.create(ask("break"))).rejects.toMatchObject({ status: 500, code: "engine_crashed" });
});

test("a client that leaves stops the model, streaming or not", async () => {
  const before = model.aborted;
  const stream = await openai.chat.completions.create({ ...ask("forever"), stream: true });
  let count = 0;
  for await (const _ of stream) if (++count === 5) stream.controller.abort();
  await expect.poll(() => model.aborted).toBe(before + 1);
  const controller = new AbortController();
  const whole = openai.chat.completions.create(ask("forever"), { signal: controller.signal }).catch((error: unknown) => error);
  await sleep(200);
  controller.abort();
  expect(await whole).toBeInstanceOf(OpenAI.APIUserAbortError);
  await expect.poll(() => model.aborted).toBe(before + 2);
});

test("plain completions: one prompt, several, streamed", async () => {
  const one = await openai.completions.create({ model: "tiny", prompt: "Once" });
  expect(one).toMatchObject({
    object: "text_completion",
    choices: [{ text: "你好，世界", index: 0, finish_reason: "stop", logprobs: null }],
    usage: { total_tokens: 7 },
  });
  expect(model.requests.at(-1)).toMatchObject({ input: { prompt: "Once" }, maxTokens: 16 });
  const two = await openai.completions.create({ model: "tiny", prompt: ["a", "b"], max_tokens: 2 });
  expect(two.choices.map((choice) => [choice.index, choice.finish_reason])).toEqual([
    [0, "length"],
    [1, "length"],
  ]);
  let text = "";
  for await (const chunk of await openai.completions.create({ model: "tiny", prompt: "Once", stream: true })) text += chunk.choices[0]?.text ?? "";
  expect(text).toBe("你好，世界");
  await expect(openai.completions.create({ model: "tiny", prompt: "a", echo: true })).rejects.toMatchObject({ status: 400, param: "echo" });
});

test("embeddings: base64 (the package's default) and floats agree; prefixes are not doubled", async () => {
  const one = await openai.embeddings.create({ model: "tiny-embed", input: "abcd" });
  const floats = await openai.embeddings.create({ model: "tiny-embed", input: ["abcd", "query: abcd", "passage: abcd"], encoding_format: "float" });
  expect(one.data[0]?.embedding).toEqual(floats.data[0]?.embedding);
  expect(floats.data.map((row) => row.embedding.slice(0, 2))).toEqual([
    [4, 1],
    [4, 1],
    [4, 0],
  ]);
  expect(floats).toMatchObject({ object: "list", model: "tiny-embed", usage: { prompt_tokens: 12, total_tokens: 12 } });
  await expect(openai.embeddings.create({ model: "tiny-embed", input: "a", dimensions: 256 })).rejects.toMatchObject({
    status: 400,
    param: "dimensions",
  });
  await expect(openai.embeddings.create({ model: "tiny-embed", input: "" })).rejects.toMatchObject({ status: 400, param: "input" });
  await expect(openai.embeddings.create({ model: "tiny", input: "a" })).rejects.toMatchObject({ status: 404 });
});

test("models: those that answer now, and knowledge bases", async () => {
  const list = await openai.models.list();
  expect(list.data.map((item) => item.id)).toEqual(["tiny", "kb:法规"]);
  expect(await openai.models.retrieve("kb:法规")).toMatchObject({ id: "kb:法规", object: "model" });
  await expect(openai.models.retrieve("none")).rejects.toBeInstanceOf(OpenAI.NotFoundError);
});

test("a knowledge base: citations as annotations, whole and streamed", async () => {
  const flat = {
    type: "document_citation",
    marker: 1,
    document: "劳动合同法.pdf",
    page: 3,
    start: 10,
    end: 25,
    quote: "试用期最长不得超过六个月。",
    document_id: "doc_1",
  };
  const done = await openai.chat.completions.create({ ...ask("试用期最长多久？"), model: "kb:法规" });
  expect(done.choices[0]?.message).toMatchObject({ content: "六个月 [1]。以上 [2]。", annotations: [flat, { marker: 2 }] });
  expect(done).toMatchObject({ model: "kb:法规", usage: { total_tokens: 13 }, starbox: { refused: false, origin: "extracted" } });
  const beside = { ...ask("试用期最长多久？"), knowledge_bases: ["法规"], stream: true } as OpenAI.ChatCompletionCreateParamsStreaming;
  const annotations: unknown[] = [];
  for await (const chunk of await openai.chat.completions.create(beside))
    annotations.push(...((chunk.choices[0]?.delta as { annotations?: unknown[] } | undefined)?.annotations ?? []));
  expect(annotations).toMatchObject([flat, { marker: 2, quote: "另有规定。" }]);
  const helped = await openai.chat.completions.stream({ ...ask("试用期最长多久？"), model: "kb:法规" }).finalChatCompletion();
  expect(helped.choices[0]?.message).toMatchObject({ content: "六个月 [1]。以上 [2]。", annotations: [flat, { marker: 2 }] });
  expect(asked).toEqual([
    { kbs: ["kb_1"], model: undefined },
    { kbs: ["kb_1"], model: "tiny" },
    { kbs: ["kb_1"], model: undefined },
  ]);
  await expect(openai.chat.completions.create({ ...ask("x"), model: "kb:没有" })).rejects.toMatchObject({ status: 404, code: "kb_not_found" });
  await expect(openai.chat.completions.create({ ...ask("x"), model: "kb:法规", tools })).rejects.toMatchObject({
    status: 400,
    code: "unsupported",
    param: "tools",
  });
});

/** A virtual environment with the pinned package, made once and kept outside the project. */
function python(): string | null {
  const requirements = new URL("./openai-python/requirements.txt", import.meta.url).pathname;
  const folder = path.join(os.tmpdir(), `starbox-openai-python-${os.userInfo().uid}`);
  const interpreter = path.join(folder, "bin", "python");
  if (spawnSync("python3", ["-c", "import venv, ensurepip, sys; sys.exit(sys.version_info < (3, 10))"]).status !== 0) return null;
  const stamp = path.join(folder, "ready");
  if (!existsSync(stamp)) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    execFileSync("python3", ["-m", "venv", folder], { stdio: "ignore" });
    execFileSync(interpreter, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    writeFileSync(stamp, "");
  }
  return interpreter;
}

test("the official Python package: the same calls", async (context) => {
  const interpreter = python();
  if (interpreter === null) {
    process.stderr.write("skipped: python3 (3.10 or newer, with venv) is not on this machine\n");
    return context.skip("python3 with venv is not on this machine");
  }
  const script = new URL("./openai-python/check.py", import.meta.url).pathname;
  const before = model.aborted;
  const { execFile } = await import("node:child_process");
  const output = await new Promise<string>((resolve) => {
    execFile(
      interpreter,
      [script],
      { env: { PATH: process.env.PATH ?? "", OPENAI_BASE_URL: `${server.url}/v1`, OPENAI_API_KEY: key, PYTHONIOENCODING: "utf-8" }, timeout: 60_000 },
      (error, stdout, stderr) => resolve(error === null ? stdout : `${stdout}\n${stderr}\n${error.message}`),
    );
  });
  expect(output.trim().split("\n").at(-1)).toBe("all 9 passed");
  await expect.poll(() => model.aborted).toBe(before + 1);
}, 300_000);
