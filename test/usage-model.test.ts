/** @file Usage against the engine's own count, to the token, with a real model: whole, streamed, together, left in the middle; and over a kill -9 of the box. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Actor, LanguageModel } from "#contracts";
import { createMeter, meterModels } from "#metering";
import { openStorage, type Storage } from "#storage";
import { openTestModels, testLanguageModel as small, type TestModels, testEmbedder } from "./real-models.ts";
import { startBox } from "./start-box.ts";

const bob: Actor = { personId: "p_bob", name: "Bob", role: "member" };
let opened: TestModels;
let storage: Storage;
let folder = "";
beforeAll(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "starbox-usage-"));
  storage = openStorage(folder);
  opened = await openTestModels([small, testEmbedder], { parallel: 2 });
}, 600_000);
afterAll(async () => {
  await opened?.close();
  storage?.close();
  fs.rmSync(folder, { recursive: true, force: true });
});

const say = (content: string) => ({ input: { messages: [{ role: "user" as const, content }] } });
async function run(
  model: LanguageModel,
  content: string,
  options: { maxTokens: number; leaveAfter?: number; signal?: AbortSignal },
): Promise<number> {
  let texts = 0;
  const { leaveAfter, ...rest } = options;
  for await (const part of model.stream({ ...say(content), ...rest })) {
    if (part.type === "text-delta" && ++texts === leaveAfter) break;
    if (part.type === "finish") return part.usage.promptTokens + part.usage.completionTokens;
  }
  return 0;
}

test("every token the engine worked is in the rows, whoever left when", { timeout: 300_000 }, async () => {
  const models = meterModels(opened.models, createMeter({ store: storage.usage }));
  const model = await models.languageModel(small, bob);
  expect(await run(model, "What is the capital of France?", { maxTokens: 12 })).toBeGreaterThan(12);
  await Promise.all([1, 2, 3, 4].map(async (n) => await run(model, `Count to ${n} ${"and on ".repeat(n * 20)}`, { maxTokens: 8 + n })));
  // Left in the middle, and stopped by a signal while the prompt is read.
  await run(model, "Tell a very long story.", { maxTokens: 200, leaveAfter: 5 });
  const stop = new AbortController();
  setTimeout(() => stop.abort(), 150);
  await run(model, "word ".repeat(1500), { maxTokens: 50, signal: stop.signal }).catch(() => undefined);
  // Scoring writes nothing and reads the prompt and each continuation.
  const scores = await model.scoreContinuations?.(say("Which colour has the sky?").input, [" Blue.", " A rather long answer about clouds."]);
  expect(scores).toHaveLength(2);
  const total = await opened.models.engineTotals(small);
  const [sum] = storage.usage.sum([]);
  expect(total.completionTokens).toBeGreaterThan(40);
  expect(sum).toMatchObject({ requests: 8, promptTokens: total.promptTokens, completionTokens: total.completionTokens });
});

test("the embedder's tokens are those it worked: with the marks and prefix, without what was cut off", { timeout: 120_000 }, async () => {
  const eve: Actor = { personId: "p_eve", name: "Eve", role: "member" };
  const models = meterModels(opened.models, createMeter({ store: storage.usage }));
  const model = await models.embeddingModel(testEmbedder, eve);
  const used = () => storage.usage.sum([], { personId: "p_eve" })[0];
  const texts = ["年假可以顺延到次年三月。", "short", "a somewhat longer text about leave"];
  await model.embed(texts, { kind: "passage" });
  const counted = (await model.countTokens(texts)).reduce((sum, count) => sum + count, 0);
  expect(used()).toMatchObject({ requests: 1, calls: 1, promptTokens: counted, completionTokens: 0 });
  await model.embed(["word ".repeat(3000)], { kind: "query" });
  expect(used()).toMatchObject({ requests: 2, calls: 2, promptTokens: counted + model.maxTokens });
});

type Ack = { readonly keyId: string; readonly prompt: number; readonly completion: number };

test("kill -9: an answer that was acknowledged is counted exactly once", { timeout: 300_000 }, async () => {
  const dataDir = fs.mkdtempSync(path.join(os.tmpdir(), "starbox-usage-kill-"));
  const env = { STARBOX_MODEL: small, STARBOX_EMBEDDER: "none", STARBOX_CONTEXT: "1024" };
  const kills = process.env["STARBOX_TEST_LONG"] === "1" ? 20 : 2;
  const acks: Ack[] = [];
  const sent = new Set<string>();
  try {
    for (let kill = 0; kill < kills; kill++) {
      const box = await startBox({ env, dataDir });
      await box.ready();
      const post = async (route: string, json: object, key = box.token): Promise<Response> =>
        await fetch(`${box.url}${route}`, {
          method: "POST",
          headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
          body: JSON.stringify(json),
        });
      let isDead = false;
      let failure: unknown = null;
      const lane = async (streams: boolean): Promise<void> => {
        for (let n = 0; !isDead && n < 40; n++) {
          const key = (await (await post("/api/keys", { name: `k${n}` })).json()) as { id: string; key: string };
          sent.add(key.id);
          acks.push(await ask(post, key, streams, 6 + (n % 5)));
        }
      };
      const lanes = [lane(true), lane(false), lane(true)].map(
        async (work) =>
          await work.catch((error: unknown) => {
            if (!isDead) failure = error;
          }),
      );
      while (acks.length < 6 * (kill + 1) && failure === null) await new Promise((resolve) => setTimeout(resolve, 50));
      isDead = true;
      box.process.kill("SIGKILL");
      await Promise.all(lanes);
      expect(failure).toBeNull();
      await new Promise((resolve) =>
        box.process.exitCode === null && box.process.signalCode === null ? box.process.once("exit", resolve) : resolve(null),
      );
    }
    const after = openStorage(dataDir);
    const rows = after.usage.sum(["key"]);
    after.close();
    for (const ack of acks)
      expect(rows.find((row) => row.keyId === ack.keyId)).toMatchObject({
        requests: 1,
        calls: 1,
        promptTokens: ack.prompt,
        completionTokens: ack.completion,
      });
    // What was not acknowledged is counted once at most.
    for (const row of rows.filter((item) => item.keyId !== null && sent.has(item.keyId))) expect(row.requests).toBe(1);
    expect(acks.length).toBeGreaterThanOrEqual(6 * kills);
  } finally {
    fs.rmSync(dataDir, { recursive: true, force: true });
  }
});

async function ask(
  post: (route: string, json: object, key: string) => Promise<Response>,
  { id, key }: { readonly id: string; readonly key: string },
  stream: boolean,
  max_tokens: number,
): Promise<Ack> {
  const more = stream ? { stream, stream_options: { include_usage: true } } : {};
  const response = await post("/v1/chat/completions", { model: small, messages: say("Name a colour.").input.messages, max_tokens, ...more }, key);
  const text = await response.text();
  const body = stream
    ? text
        .split("\n")
        .findLast((line) => line.includes('"usage":{'))
        ?.slice(6)
    : text;
  const { usage } = JSON.parse(body ?? "") as { usage: { prompt_tokens: number; completion_tokens: number } };
  return { keyId: id, prompt: usage.prompt_tokens, completion: usage.completion_tokens };
}
