/** @file Accuracy of exact answers: greedy decoding gives an answer exactly when each of its tokens is the likeliest after those before it, so one pass tells. */
import { type Example, packBatch } from "./pack.ts";
import type { Stepper } from "./stepper.ts";

/** Rows of logits of 150,000 entries are large: few at a time. */
const batchTokens = 768;

export async function rightAnswers(
  stepper: Stepper,
  examples: readonly Example[],
  signal?: AbortSignal,
): Promise<{ readonly right: number; readonly count: number }> {
  const vocabulary = stepper.options.config.vocabulary;
  let right = 0;
  for (const packed of packBatch(examples, { share: false, batchTokens })) {
    const logits = await stepper.logits(packed, { bare: false, ...(signal === undefined ? {} : { signal }) });
    const wrongSegments = new Set<number>();
    packed.rows.forEach((row, i) => {
      const values = logits.subarray(i * vocabulary, (i + 1) * vocabulary);
      let best = 0;
      for (let v = 1; v < vocabulary; v++) if (values[v]! > values[best]!) best = v;
      if (best !== packed.targets[i]) wrongSegments.add(packed.segments.findIndex(([start, end]) => row >= start && row < end));
    });
    right += packed.segments.length - wrongSegments.size;
  }
  return { right, count: examples.length };
}
