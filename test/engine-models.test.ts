/** @file Engines on bad days, with a real model: killed while answering, out of memory, crowded, idle, in use. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadSettings, StarboxError, silentLogger } from "#base";
import type { LanguageModel } from "#contracts";
import { createModels } from "#models";
import { collect, user } from "./conformance/language-model.ts";
import { openTestModels, type TestModels, testEmbedder, testLanguageModel } from "./real-models.ts";

let opened: TestModels;
let model: LanguageModel;
beforeAll(async () => {
  opened = await openTestModels([testLanguageModel, testEmbedder], { queue: 2, parallel: 1, idleUnloadSeconds: 600 });
  model = await opened.models.languageModel(testLanguageModel);
}, 600_000);
afterAll(() => opened?.close());

const failure = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => null,
    (error: unknown) => error,
  );
const pidOf = (id: string, index = 0): number => opened.models.engines().find((engine) => engine.model === id)?.processes[index]?.pid ?? 0;
const story = { input: user("Tell a very long story about a city."), temperature: 0, maxTokens: 400 };

test("killed after something was sent: a named error, and the next request works", async () => {
  let texts = 0;
  const error = await failure(
    (async () => {
      for await (const part of model.stream(story))
        if (part.type === "text-delta" && ++texts === 2) process.kill(pidOf(testLanguageModel), "SIGKILL");
    })(),
  );
  expect(StarboxError.is(error, "engine_crashed")).toBe(true);
  expect(texts).toBeGreaterThanOrEqual(2);
  const { text } = await collect(model, { input: user("What is the capital of France?"), temperature: 0, maxTokens: 16 });
  expect(text).toContain("Paris");
});

test("killed before anything was sent: the request is tried again unseen", async () => {
  await collect(model, { input: user("Hi"), maxTokens: 1 });
  const parts: string[] = [];
  for await (const part of model.stream({ ...story, maxTokens: 4 })) {
    if (part.type === "start") process.kill(pidOf(testLanguageModel), "SIGKILL");
    parts.push(part.type);
  }
  expect(parts.filter((part) => part === "start")).toHaveLength(1);
  expect(parts.at(-1)).toBe("finish");
});

test("an embedder killed in the middle gives its vectors all the same", async () => {
  const embedder = await opened.models.embeddingModel(testEmbedder);
  await embedder.embed(["x"], { kind: "passage" });
  const work = embedder.embed(
    Array.from({ length: 60 }, (_, i) => `第${i}条 ${"劳动合同".repeat(20)}`),
    { kind: "passage" },
  );
  process.kill(pidOf(testEmbedder), "SIGKILL");
  expect(await work).toHaveLength(60);
});

test("too many waiting: 429's error with an estimate; those admitted are served", async () => {
  const leaving = new AbortController();
  const crowd = [1, 2, 3].map((i) => failure(collect(model, { ...story, person: `p${i}`, signal: leaving.signal })));
  await expect.poll(() => opened.models.engines().find((engine) => engine.model === testLanguageModel)).toMatchObject({ running: 1, waiting: 2 });
  const refused = await failure(collect(model, { ...story, person: "late" }));
  expect(StarboxError.is(refused, "busy") && (refused.retryAfterSeconds ?? 0)).toBeGreaterThanOrEqual(1);
  leaving.abort();
  for (const error of await Promise.all(crowd)) expect(StarboxError.is(error, "cancelled")).toBe(true);
});

test("a model in use is not removed; idle it can be unloaded and comes back", async () => {
  const leaving = new AbortController();
  const work = failure(collect(model, { ...story, signal: leaving.signal }));
  await expect.poll(() => opened.models.engines().find((engine) => engine.model === testLanguageModel)?.running).toBe(1);
  expect(StarboxError.is(await failure(opened.models.remove(testLanguageModel)), "model_in_use")).toBe(true);
  leaving.abort();
  await work;
  await opened.models.unload(testLanguageModel);
  expect(pidOf(testLanguageModel)).toBe(0);
  expect((await collect(model, { input: user("Hi"), maxTokens: 2 })).finish.usage.completionTokens).toBeGreaterThan(0);
});

test("a prompt that begins like the last one is not read again", async () => {
  const head = "You are a careful clerk. ".repeat(20);
  await collect(model, { input: user(`${head} Say a.`), temperature: 0, maxTokens: 3 });
  const { finish } = await collect(model, { input: user(`${head} Say b.`), temperature: 0, maxTokens: 3 });
  expect(finish.usage.cachedTokens).toBeGreaterThan(80);
});

test("what does not fit into memory is refused with what would", async () => {
  const tight = createModels({ dataDir: opened.dataDir, settings: loadSettings({}), logger: silentLogger, freeBytes: () => 260_000_000 });
  const error = await failure(collect(await tight.languageModel(testLanguageModel), { input: user("Hi") }));
  expect(StarboxError.is(error, "model_too_large") && error.details).toMatchObject({
    freeBytes: 260_000_000,
    fits: expect.arrayContaining([expect.any(String)]),
  });
  await tight.close();
});

test("a model nobody uses leaves memory", async () => {
  const idle = await openTestModels([testLanguageModel], { idleUnloadSeconds: 1 });
  await collect(await idle.models.languageModel(testLanguageModel), { input: user("Hi"), maxTokens: 1 });
  expect(idle.models.engines()[0]?.loaded).toBe(true);
  await expect.poll(() => idle.models.engines()[0]?.loaded, { timeout: 10_000 }).toBe(false);
  await idle.close();
});
