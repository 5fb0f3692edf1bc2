/** @file The contract of rerankers, held by the box's engine. No trained one can be had from a package: the test gives the embedder's encoder a scoring head of its own, which shows mechanics, not quality. */
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { StarboxError } from "#base";
import type { Reranker } from "#contracts";
import { openTestModels, type TestModels, testEmbedder } from "../real-models.ts";
import { makeRerankerGguf } from "../reranker-gguf.ts";
import { rerankerConformance } from "./reranker.ts";

let opened: TestModels;
let reranker: Reranker;
let before: unknown;

beforeAll(async () => {
  opened = await openTestModels([testEmbedder], { threads: 1 }); // beside other tests a second thread only waits
  before = await opened.models.reranker().catch((error: unknown) => error);
  const { sha256 } = await opened.models.waitFor(testEmbedder);
  const file = path.join(opened.dataDir, "cross-encoder.gguf");
  makeRerankerGguf(path.join(opened.dataDir, "models", `sha256-${sha256}.gguf`), file);
  await opened.models.import(file, "cross-encoder");
  reranker = await opened.models.reranker();
}, 600_000);
afterAll(() => opened?.close());

rerankerConformance({ name: "engine, an encoder with a scoring head", model: () => reranker });

describe("which model it is", () => {
  test("without one: a named error that says what to do", () => {
    expect(StarboxError.is(before, "model_not_ready") && before.hint).toMatch(/models import/);
  });
  test("an imported file with a scoring head is known as a reranker, and is not taken for another kind", async () => {
    expect((await opened.models.list()).find(({ id }) => id === "cross-encoder")).toMatchObject({ kind: "reranker" });
    for (const ask of [() => opened.models.embeddingModel("cross-encoder"), () => opened.models.languageModel("cross-encoder")])
      expect(StarboxError.is(await ask().catch((error: unknown) => error), "invalid_input")).toBe(true);
    expect(StarboxError.is(await opened.models.reranker(testEmbedder).catch((error: unknown) => error), "invalid_input")).toBe(true);
  });
  test("its process killed: the call is repeated on a new one", async () => {
    const pid = opened.models.engines().find(({ model }) => model === "cross-encoder")?.processes[0]?.pid;
    expect(pid).toBeGreaterThan(0);
    process.kill(pid as number, "SIGKILL");
    expect(await reranker.rerank("问题", ["一段话", "另一段话"])).toHaveLength(2);
  });
});
