import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, expect, test } from "vitest";
import { loadSettings, type Settings, StarboxError, silentLogger } from "#base";
import { createModels, type Models } from "./manager.ts";

const opened: { models: Models; folder: string }[] = [];
afterEach(async () => {
  for (const { models, folder } of opened.splice(0)) {
    await models.close();
    fs.rmSync(folder, { recursive: true, force: true });
  }
});

/** `answers`: hosts that answer; the others cannot be reached. */
function open(
  settings: Partial<Settings>,
  machine: { cores: number; gib: number },
  answers: readonly string[],
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "starbox-manager-")),
): Models {
  const ask = (async (input: string | URL | Request) => {
    const { host } = new URL(String(input));
    if (!answers.includes(host)) throw new TypeError("fetch failed");
    return new Response(null);
  }) as typeof fetch;
  const models = createModels({
    dataDir: folder,
    settings: loadSettings({ pipIndexUrl: "https://index.test/simple", ...settings }, {}),
    logger: silentLogger,
    fetch: ask,
    machine: { cores: machine.cores, memoryBytes: machine.gib * 2 ** 30 },
  });
  opened.push({ models, folder });
  return models;
}
const failure = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => null,
    (error: unknown) => error,
  );

test("the default follows cores, memory and the sources that answer", async () => {
  const large = await open({}, { cores: 16, gib: 64 }, ["huggingface.co"]).chooseDefaults();
  const small = await open({}, { cores: 2, gib: 8 }, ["huggingface.co", "index.test"]).chooseDefaults();
  const registryOnly = await open({}, { cores: 16, gib: 64 }, ["index.test"]).chooseDefaults();
  expect(large.language).toMatch(/^qwen3-(8|14|32)b/);
  expect(small.language).not.toBe(large.language);
  expect(registryOnly).toEqual({ language: "qwen2.5-coder-0.5b-instruct", embedding: "multilingual-e5-small" });
});

test("settings override the table, `none` switches off, offline has nothing to offer", async () => {
  expect(await open({ model: "gemma3-270m", embedder: "none" }, { cores: 2, gib: 8 }, []).chooseDefaults()).toEqual({
    language: "gemma3-270m",
    embedding: null,
  });
  const offline = open({ offline: true }, { cores: 2, gib: 8 }, ["index.test"]);
  expect(await offline.chooseDefaults()).toEqual({ language: null, embedding: null });
  expect(StarboxError.is(await failure(offline.languageModel()), "model_not_ready")).toBe(true);
  expect(StarboxError.is(await failure(offline.embeddingModel()), "embedder_not_ready")).toBe(true);
});

test("a choice once made stays when the network changes", async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "starbox-manager-"));
  const first = await open({}, { cores: 2, gib: 8 }, ["index.test"], folder).chooseDefaults();
  await opened.pop()?.models.close();
  expect(await open({}, { cores: 32, gib: 128 }, ["huggingface.co"], folder).chooseDefaults()).toEqual(first);
});

test("unknown ids, ids not here yet and failed pulls are told apart", async () => {
  const models = open({}, { cores: 2, gib: 8 }, []);
  expect(StarboxError.is(await failure(models.languageModel("nope")), "model_not_found")).toBe(true);
  expect(StarboxError.is(await failure(models.pull("nope")), "model_not_found")).toBe(true);
  const missing = await failure(models.languageModel("smollm2-135m-instruct"));
  expect(StarboxError.is(missing, "model_not_ready") && missing.hint).toContain("pull smollm2-135m-instruct");
  expect(await models.pull("smollm2-135m-instruct")).toMatchObject({ state: "pulling" });
  expect(StarboxError.is(await failure(models.waitFor("smollm2-135m-instruct")), "model_source_unreachable")).toBe(true);
  expect((await models.list()).find((model) => model.id === "smollm2-135m-instruct")).toMatchObject({
    state: "failed",
    error: { code: "model_source_unreachable" },
  });
  expect(StarboxError.is(await failure(models.remove("smollm2-135m-instruct")), "model_not_ready")).toBe(true);
});

test("a file that is no model is refused by name", async () => {
  const models = open({}, { cores: 2, gib: 8 }, []);
  const file = path.join(os.tmpdir(), `no-model-${process.pid}.gguf`);
  fs.writeFileSync(file, "GGUF is only the beginning");
  expect(StarboxError.is(await failure(models.import(file)), "model_invalid")).toBe(true);
  fs.rmSync(file);
  expect(StarboxError.is(await failure(models.import(file)), "not_found")).toBe(true);
});
