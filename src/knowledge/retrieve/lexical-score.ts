/** @file Exact word scores for a handful of candidates: BM25 over words, titles and pairs of characters. Finding candidates is the index's job. */
import type { Candidate } from "./reader.ts";
import type { QueryWord } from "./words.ts";
import { simplifyUnits } from "./units.ts";

/** Measured on questions over encyclopaedia paragraphs and statutes (docs/lab.md). */
const k1 = 0.8;
const b = 0.5;
const contextWeight = 0.3;
const pairWeight = 0.5;

/** What the whole base looks like, from a sample: mean lengths, and how common pairs of characters are. */
export type BaseSample = { readonly chunks: number; readonly meanWords: number; readonly meanUnits: number; readonly pairs: ReadonlyMap<number, number> };

export function sampleBase(candidates: readonly Candidate[]): BaseSample {
  const pairs = new Map<number, number>();
  let words = 0;
  let units = 0;
  for (const candidate of candidates) {
    words += countBlanks(candidate.body);
    units += candidate.text.length;
    for (const pair of new Set(eachPair(candidate.text))) pairs.set(pair, (pairs.get(pair) ?? 0) + 1);
  }
  const chunks = Math.max(1, candidates.length);
  return { chunks: candidates.length, meanWords: Math.max(1, words / chunks), meanUnits: Math.max(1, units / chunks), pairs };
}

export type LexicalScorer = { readonly score: (candidate: Candidate) => number; /** The largest score a text could get: says how much of the question was matched. */ readonly best: number };

export function createLexicalScorer(query: string, words: readonly QueryWord[], sample: BaseSample): LexicalScorer {
  const wanted = new Map(words.map((word, at) => [word.word, at]));
  const weights = words.map((word) => word.weight * word.idf);
  const pairs = new Map<number, number>();
  const pairWeights: number[] = [];
  for (const pair of eachPair(query)) {
    if (pairs.has(pair)) continue;
    const df = sample.pairs.get(pair) ?? 0;
    pairs.set(pair, pairWeights.length);
    pairWeights.push(pairWeight * Math.log(1 + (sample.chunks - df + 0.5) / (df + 0.5)));
  }
  const best = (k1 + 1) * ([...weights, ...pairWeights].reduce((sum, weight) => sum + weight, 0) || 1);
  return {
    best,
    score(candidate) {
      const body = countWords(candidate.body, wanted, weights.length);
      const context = countWords(candidate.context, wanted, weights.length);
      const unitCounts = countPairs(candidate.text, pairs, pairWeights.length);
      return (
        bm25(body.counts, weights, body.length / sample.meanWords) +
        contextWeight * bm25(context.counts, weights, 1) +
        bm25(unitCounts, pairWeights, candidate.text.length / sample.meanUnits)
      );
    },
  };
}

function bm25(counts: Uint16Array, weights: readonly number[], relativeLength: number): number {
  const damping = k1 * (1 - b + b * relativeLength);
  let sum = 0;
  for (let i = 0; i < counts.length; i++) {
    const count = counts[i] as number;
    if (count > 0) sum += ((weights[i] as number) * count * (k1 + 1)) / (count + damping);
  }
  return sum;
}

function countWords(text: string, wanted: ReadonlyMap<string, number>, size: number): { readonly counts: Uint16Array; readonly length: number } {
  const counts = new Uint16Array(size);
  let length = 0;
  for (let start = 0; start < text.length; length++) {
    let end = text.indexOf(" ", start);
    if (end < 0) end = text.length;
    const at = wanted.get(text.slice(start, end));
    if (at !== undefined) counts[at] = (counts[at] as number) + 1;
    start = end + 1;
  }
  return { counts, length };
}

function countBlanks(text: string): number {
  let count = text === "" ? 0 : 1;
  for (let at = text.indexOf(" "); at >= 0; at = text.indexOf(" ", at + 1)) count++;
  return count;
}

function countPairs(text: string, pairs: ReadonlyMap<number, number>, size: number): Uint16Array {
  const counts = new Uint16Array(size);
  if (size === 0) return counts;
  for (const pair of eachPair(text)) {
    const at = pairs.get(pair);
    if (at !== undefined) counts[at] = (counts[at] as number) + 1;
  }
  return counts;
}

/** Neighbouring ideographs, Simplified, as one number each: names and words that no dictionary knows meet here. */
export function eachPair(text: string): number[] {
  const units = simplifyUnits(text);
  const found: number[] = [];
  let last = 0;
  for (const unit of units) {
    const ideograph = unit >= 0x4e00 && unit <= 0x9fff;
    if (ideograph && last !== 0) found.push(last * 65536 + unit);
    last = ideograph ? unit : 0;
  }
  return found;
}
