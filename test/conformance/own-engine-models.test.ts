/**
 * @file The language-model contract held by our own engine, with real weights, in its own process. Short: SmolLM2.
 * STARBOX_TEST_LONG=1: Qwen2.5-Coder, too, with its tools, and continuations scored beside llama.cpp.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { StarboxError } from "#base";
import { ensureNative } from "#compute";
import type { LanguageModel } from "#contracts";
import { openTestModels, type TestModels, testLanguageModel, testToolModel } from "../real-models.ts";
import { languageModelConformance } from "./language-model.ts";

const long = process.env["STARBOX_TEST_LONG"] === "1";
const ids = long ? [testLanguageModel, testToolModel] : [testLanguageModel];
const compiles = await ensureNative().then(
  () => true,
  (error: unknown) => {
    if (StarboxError.is(error, "device_unsupported")) return false;
    throw error;
  },
);
let opened: TestModels;
const models = new Map<string, LanguageModel>();

beforeAll(async () => {
  opened = await openTestModels(ids, { engine: "own" });
  for (const id of ids) models.set(id, await opened.models.languageModel(id));
}, 900_000);
afterAll(() => opened?.close());

if (compiles) {
  for (const id of ids)
    languageModelConformance({
      name: `own engine, ${id}`,
      model: () => models.get(id)!,
      logprobsUnsupported: false,
      isWorking: () => opened.models.engines().some((engine) => engine.model === id && engine.running > 0),
      tools: id === testToolModel,
    });
  describe("own engine", () => {
    test("true log-probabilities: a likelier continuation scores higher, and single tokens sum to at most one", async () => {
      const scores = await models
        .get(testLanguageModel)!
        .scoreContinuations?.({ prompt: "The capital of France is" }, [" Paris", " Berlin", " banana"]);
      const [paris, berlin, banana] = scores!.map((score) => score.logprob) as [number, number, number];
      expect(paris).toBeGreaterThan(berlin);
      expect(berlin).toBeGreaterThan(banana);
      expect(Math.exp(paris) + Math.exp(berlin) + Math.exp(banana)).toBeLessThan(1);
      expect((await opened.models.list()).find(({ id }) => id === testLanguageModel)?.engine).toBe("own");
    });
  });
} else test("no compiler: the box says so and runs models on llama.cpp", () => expect(compiles).toBe(false));
