/** @file The small network that scores candidate answers: one hidden layer beside a linear part. Weights are made by `scripts/train-spans.ts`. */
import { Buffer } from "node:buffer";
import type { Question } from "./question.ts";
import { hiddenCount, weightsBase64 } from "./span-weights.ts";
import { featureCount, type Span, type SpanSentence, spanFeatures } from "./spans.ts";

export type ScoredSpan = Span & {
  /** Index into the sentences given. */ readonly sentence: number;
  readonly text: string;
  readonly logit: number;
  readonly probability: number;
};

const leak = 0.05;
let loaded:
  | { mean: Float32Array; scale: Float32Array; hidden: Float32Array; bias: Float32Array; out: Float32Array; linear: Float32Array }
  | undefined;

/** Layout: mean, 1/deviation [features]; hidden [hidden x features]; bias, out [hidden]; linear [features]. */
function load() {
  if (loaded !== undefined) return loaded;
  const bytes = Buffer.from(weightsBase64, "base64");
  const all = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
  let at = 0;
  const take = (count: number): Float32Array => all.subarray(at, (at += count));
  const mean = take(featureCount);
  const scale = take(featureCount);
  const hidden = take(featureCount * hiddenCount);
  const bias = take(hiddenCount);
  const out = take(hiddenCount);
  const linear = take(featureCount);
  if (at !== all.length) throw new RangeError(`span weights: expected ${at} numbers, found ${all.length}`);
  loaded = { mean, scale, hidden, bias, out, linear };
  return loaded;
}

function score(row: Float32Array): number {
  const { mean, scale, hidden, bias, out, linear } = load();
  const x = row.map((value, d) => Math.max(-5, Math.min(5, (value - (mean[d] as number)) * (scale[d] as number))));
  let sum = 0;
  for (let d = 0; d < featureCount; d++) sum += (linear[d] as number) * (x[d] as number);
  for (let h = 0; h < hiddenCount; h++) {
    let a = bias[h] as number;
    for (let d = 0; d < featureCount; d++) a += (hidden[h * featureCount + d] as number) * (x[d] as number);
    sum += (out[h] as number) * (a > 0 ? a : leak * a);
  }
  return sum;
}

/** Every candidate in the sentences, best first, with its share of belief. */
export function scoreSpans(question: Question, sentences: readonly SpanSentence[], weigh: (pair: string) => number): ScoredSpan[] {
  const all: { start: number; end: number; sentence: number; text: string; logit: number }[] = [];
  sentences.forEach((sentence, index) => {
    const { spans, rows } = spanFeatures(question, sentence, weigh);
    spans.forEach((span, i) => {
      all.push({
        start: span.start,
        end: span.end,
        sentence: index,
        text: sentence.text.slice(span.start, span.end),
        logit: score(rows[i] as Float32Array),
      });
    });
  });
  return withBelief(all);
}

/** Shares of belief from the scores, best first. */
export function withBelief(spans: readonly Omit<ScoredSpan, "probability">[]): ScoredSpan[] {
  const top = spans.reduce((most, span) => Math.max(most, span.logit), -Infinity);
  const weights = spans.map((span) => Math.exp(span.logit - top));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return spans.map((span, i) => ({ ...span, probability: (weights[i] as number) / total })).sort((a, b) => b.logit - a.logit);
}
