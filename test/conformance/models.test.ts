/** @file The contracts of models, held by every implementation: the box's own engines with real weights, and a box behind the OpenAI protocol. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { EmbeddingModel, LanguageModel } from "#contracts";
import golden from "../fixtures/embedder-golden.json" with { type: "json" };
import { openTestModels, type TestModels, testEmbedder, testLanguageModel, testToolModel } from "../real-models.ts";
import { cosine, embeddingModelConformance } from "./embedding-model.ts";
import { languageModelConformance } from "./language-model.ts";

let opened: TestModels;
let language: LanguageModel;
let withTools: LanguageModel;
let embedder: EmbeddingModel;

beforeAll(async () => {
  opened = await openTestModels([testLanguageModel, testToolModel, testEmbedder]);
  language = await opened.models.languageModel(testLanguageModel);
  withTools = await opened.models.languageModel(testToolModel);
  embedder = await opened.models.embeddingModel(testEmbedder);
}, 900_000);
afterAll(() => opened?.close());

const working = (id: string) => (): boolean => opened.models.engines().some((engine) => engine.model === id && engine.running > 0);

languageModelConformance({
  name: `engine, ${testLanguageModel}`,
  model: () => language,
  logprobsUnsupported: true,
  isWorking: working(testLanguageModel),
  tools: false,
});
languageModelConformance({
  name: `engine, ${testToolModel}`,
  model: () => withTools,
  logprobsUnsupported: true,
  isWorking: working(testToolModel),
  tools: true,
});
embeddingModelConformance({ name: `engine, ${testEmbedder}`, model: () => embedder, kinds: true });

describe("the embedder equals an independent implementation", () => {
  test("cosine ≥ 0.99 on all 50 texts", async () => {
    expect(golden.rows).toHaveLength(50);
    const worst: { text: string; cosine: number }[] = [];
    for (const kind of ["query", "passage"] as const) {
      const rows = golden.rows.filter((row) => row.kind === kind);
      const vectors = await embedder.embed(
        rows.map((row) => row.text),
        { kind },
      );
      rows.forEach((row, i) => worst.push({ text: row.text, cosine: cosine(vectors[i] ?? new Float32Array(), row.vector) }));
    }
    expect(worst.filter((row) => row.cosine < 0.99)).toEqual([]);
  });
});

describe("scores of continuations", () => {
  test("true log-probabilities: a likelier continuation scores higher, and single tokens sum to at most one", async () => {
    const scores = await withTools.scoreContinuations?.({ prompt: "The capital of France is" }, [
      " Paris",
      " Berlin",
      " banana",
      " Paris, the city of light",
    ]);
    const [paris, berlin, banana, long] = scores?.map((score) => score.logprob) ?? [];
    expect(paris).toBeGreaterThan(berlin ?? 0);
    expect(berlin).toBeGreaterThan(banana ?? 0);
    expect(long).toBeLessThan(paris ?? 0);
    expect(Math.exp(paris ?? 0) + Math.exp(berlin ?? 0) + Math.exp(banana ?? 0)).toBeLessThan(1);
  });
});
