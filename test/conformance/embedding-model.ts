/** @file What every EmbeddingModel must do, whatever runs it. */
import { describe, expect, test } from "vitest";
import { StarboxError } from "#base";
import type { EmbeddingModel } from "#contracts";

export const cosine = (a: Float32Array, b: ArrayLike<number>): number => {
  let dot = 0;
  let left = 0;
  let right = 0;
  for (let i = 0; i < a.length; i++) {
    dot += (a[i] ?? 0) * (b[i] ?? 0);
    left += (a[i] ?? 0) ** 2;
    right += (b[i] ?? 0) ** 2;
  }
  return dot / Math.sqrt(left * right);
};

export function embeddingModelConformance(candidate: {
  readonly name: string;
  readonly model: () => EmbeddingModel /** false where the protocol has no kinds */;
  readonly kinds: boolean;
}): void {
  const { model } = candidate;
  const passage = { kind: "passage" } as const;
  describe(candidate.name, () => {
    test("unit vectors of the stated width, in input order", async () => {
      const texts = [
        "劳动合同的试用期",
        "天气",
        "a much longer sentence about employment contracts and their trial periods, to be sorted elsewhere inside",
        "星",
      ];
      const together = await model().embed(texts, passage);
      expect(together).toHaveLength(4);
      for (const [i, vector] of together.entries()) {
        expect(vector).toHaveLength(model().dimensions);
        expect(Math.hypot(...vector)).toBeCloseTo(1, 4);
        const [alone] = await model().embed([texts[i] ?? ""], passage);
        expect(cosine(vector, alone ?? [])).toBeGreaterThan(0.999);
      }
    });
    test("nothing in, nothing out; empty and strange texts have vectors too", async () => {
      expect(await model().embed([], passage)).toEqual([]);
      for (const vector of await model().embed(["", " ", "\u0000", "🚀", "\ud800"], passage)) expect(Number.isFinite(vector[0])).toBe(true);
    });
    test("the right passage is nearest, also across scripts and languages", async () => {
      const [query] = await model().embed(["公司辞退员工要赔多少钱？"], { kind: "query" });
      const passages = await model().embed(
        ["用人单位解除劳动合同的，应当支付经济补偿。", "今天天气很好，适合去公园。", "量子计算利用量子叠加。"],
        passage,
      );
      const scores = passages.map((vector) => cosine(query ?? new Float32Array(), vector));
      expect(scores.indexOf(Math.max(...scores))).toBe(0);
    });
    if (candidate.kinds)
      test("queries and passages differ", async () => {
        const [asQuery] = await model().embed(["试用期"], { kind: "query" });
        const [asPassage] = await model().embed(["试用期"], passage);
        expect(cosine(asQuery ?? new Float32Array(), asPassage ?? [])).toBeLessThan(0.9999);
      });
    test("a long text is cut, not refused", async () => {
      const [vector] = await model().embed(["很长的文字。".repeat(2000)], passage);
      expect(vector).toHaveLength(model().dimensions);
    });
    test("many texts at once", async () => {
      const vectors = await model().embed(
        Array.from({ length: 150 }, (_, i) => `第${i}条`),
        passage,
      );
      expect(vectors).toHaveLength(150);
      expect(vectors.every((vector) => vector.length === model().dimensions)).toBe(true);
    });
    test("tokens are counted", async () => {
      const [short = 0, long = 0] = await model().countTokens(["一", "一".repeat(100)]);
      expect(long).toBeGreaterThan(short);
    });
    test("cancelling ends with a named error", async () => {
      const error = await model()
        .embed(["x"], { ...passage, signal: AbortSignal.abort() })
        .then(
          () => null,
          (reason: unknown) => reason,
        );
      expect(StarboxError.is(error, "cancelled")).toBe(true);
    });
  });
}
