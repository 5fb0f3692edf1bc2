/** @file What every Reranker must do, whatever runs it. Whether its order is a good one is for the benchmarks: weights differ, mechanics may not. */
import { describe, expect, test } from "vitest";
import { StarboxError } from "#base";
import type { Reranker } from "#contracts";

const query = "公司辞退员工要赔多少钱？";
const passages = [
  "用人单位解除劳动合同的，应当支付经济补偿。",
  "今天天气很好，适合去公园。",
  "Employers pay compensation when they end a contract.",
  "第四十七条　经济补偿按劳动者在本单位工作的年限，每满一年支付一个月工资的标准向劳动者支付。",
];

export function rerankerConformance(candidate: { readonly name: string; readonly model: () => Reranker }): void {
  const { model } = candidate;
  describe(candidate.name, () => {
    test("one finite score a passage, in input order, the same alone, together, reversed and again", async () => {
      const scores = await model().rerank(query, passages);
      expect(scores).toHaveLength(passages.length);
      for (const score of scores) expect(Number.isFinite(score)).toBe(true);
      let tokens = 0;
      await model().rerank(query, passages, { onUsage: (usage) => (tokens += usage.promptTokens) });
      expect(tokens).toBeGreaterThan(passages.length * 10);
      const alone: number[] = [];
      for (const passage of passages) alone.push(...(await model().rerank(query, [passage])));
      const close = (found: readonly number[]): void => found.forEach((score, i) => expect(score).toBeCloseTo(scores[i] as number, 4));
      close(alone);
      close((await model().rerank(query, passages.toReversed())).toReversed());
      close(await model().rerank(query, passages));
    });
    test("passages differ, and the question matters", async () => {
      const scores = await model().rerank(query, passages);
      expect(new Set(scores.map((score) => score.toFixed(6))).size).toBe(passages.length);
      const other = await model().rerank("天气怎么样？", passages);
      expect(other.some((score, i) => Math.abs(score - (scores[i] as number)) > 1e-5)).toBe(true);
    });
    test("nothing in, nothing out; empty and strange texts have scores too", async () => {
      expect(await model().rerank(query, [])).toEqual([]);
      const strange = await model().rerank(query, ["", " ", "\u0000", "🚀", "\ud800"]);
      expect(strange).toHaveLength(5);
      for (const score of strange) expect(Number.isFinite(score)).toBe(true);
      for (const score of await model().rerank("", ["有内容的文字"])) expect(Number.isFinite(score)).toBe(true);
    });
    test("a passage longer than the model reads is scored, not refused; so is a long question", async () => {
      const [score] = await model().rerank(query, ["很长的文字，说的是别的事情。".repeat(300)]);
      expect(Number.isFinite(score)).toBe(true);
      const [asked] = await model().rerank("很长的问题，".repeat(300), [passages[0] as string]);
      expect(Number.isFinite(asked)).toBe(true);
    });
    test("two callers at the same time get their own scores", async () => {
      const [first, second] = await Promise.all([model().rerank(query, passages), model().rerank("天气怎么样？", passages)]);
      const again = await model().rerank(query, passages);
      (first as readonly number[]).forEach((score, i) => expect(score).toBeCloseTo(again[i] as number, 4));
      expect(second).not.toEqual(first);
    });
    test("cancelling ends with a named error, before and in the middle; the next call works", async () => {
      const codeOf = async (signal: AbortSignal, count: number): Promise<string> =>
        await model()
          .rerank(
            query,
            Array.from({ length: count }, (_, i) => `第${i}条 ${passages[0]}`),
            { signal },
          )
          .then(
            () => "finished",
            (error: unknown) => (StarboxError.is(error) ? error.code : String(error)),
          );
      expect(await codeOf(AbortSignal.abort(), 1)).toBe("cancelled");
      const leave = new AbortController();
      const ended = codeOf(leave.signal, 2000);
      setTimeout(() => leave.abort(), 150);
      const started = performance.now();
      expect(await ended).toBe("cancelled");
      expect(performance.now() - started).toBeLessThan(5000);
      expect(await model().rerank(query, [passages[0] as string])).toHaveLength(1);
    });
  });
}
