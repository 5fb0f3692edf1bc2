/** @file Exact word scores for a handful of candidates: BM25 over words, titles and pairs of characters. Finding candidates is the index's job. */
import type { Candidate } from "./reader.ts";
import { simplifyUnits } from "./units.ts";
import type { QueryWord } from "./words.ts";

/** Measured on questions over encyclopaedia paragraphs and statutes (docs/lab.md). */
const k1 = 0.8;
const b = 0.5;
const contextWeight = 0.3;
const pairWeight = 0.5;

/** What the whole base looks like, from a sample: mean lengths, and how common pairs of characters are. */
export type BaseSample = {
  readonly chunks: number;
  readonly meanWords: number;
  readonly meanUnits: number;
  readonly pairs: ReadonlyMap<number, number>;
};

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

export type LexicalScorer = {
  readonly score: (candidate: Candidate) => number /** The largest score a text could get: says how much of the question was matched. */;
  readonly best: number;
};

export function createLexicalScorer(query: string, words: readonly QueryWord[], sample: BaseSample): LexicalScorer {
  const counter = createWordCounter(words.map((word) => word.word));
  const weights = words.map((word) => word.weight * word.idf);
  const pairs = createPairCounter(new Set(eachPair(query)));
  const pairWeights = pairs.pairs.map((pair) => {
    const df = sample.pairs.get(pair) ?? 0;
    return pairWeight * Math.log(1 + (sample.chunks - df + 0.5) / (df + 0.5));
  });
  const best = (k1 + 1) * ([...weights, ...pairWeights].reduce((sum, weight) => sum + weight, 0) || 1);
  const counts = new Uint16Array(Math.max(weights.length, pairWeights.length));
  return {
    best,
    score(candidate) {
      const length = counter(candidate.body, counts);
      let score = bm25(counts, weights, length / sample.meanWords);
      counter(candidate.context, counts);
      score += contextWeight * bm25(counts, weights, 1);
      pairs.count(candidate.text, counts);
      return score + bm25(counts, pairWeights, candidate.text.length / sample.meanUnits);
    },
  };
}

function bm25(counts: Uint16Array, weights: readonly number[], relativeLength: number): number {
  const damping = k1 * (1 - b + b * relativeLength);
  let sum = 0;
  for (let i = 0; i < weights.length; i++) {
    const count = counts[i] as number;
    if (count > 0) sum += ((weights[i] as number) * count * (k1 + 1)) / (count + damping);
  }
  return sum;
}

const tableSize = 4096;

/** Counts wanted words in a text of words separated by blanks; returns how many words it has. Hashes while it reads: no string is cut. */
function createWordCounter(words: readonly string[]): (text: string, counts: Uint16Array) => number {
  const slots = new Int16Array(tableSize).fill(-1);
  words.forEach((word, at) => {
    let hash = 0;
    for (let i = 0; i < word.length; i++) hash = (Math.imul(hash, 31) + word.charCodeAt(i)) | 0;
    let slot = hash & (tableSize - 1);
    while (slots[slot] !== -1) slot = (slot + 1) & (tableSize - 1);
    slots[slot] = at;
  });
  return (text, counts) => {
    counts.fill(0);
    let length = 0;
    for (let start = 0, hash = 0, i = 0; i <= text.length; i++) {
      const unit = i === text.length ? 32 : text.charCodeAt(i);
      if (unit !== 32) {
        hash = (Math.imul(hash, 31) + unit) | 0;
        continue;
      }
      if (i > start) {
        length++;
        for (let slot = hash & (tableSize - 1); slots[slot] !== -1; slot = (slot + 1) & (tableSize - 1)) {
          const at = slots[slot] as number;
          const word = words[at] as string;
          if (word.length !== i - start || !text.startsWith(word, start)) continue;
          counts[at] = (counts[at] as number) + 1;
          break;
        }
      }
      start = i + 1;
      hash = 0;
    }
    return length;
  };
}

type PairCounter = { readonly pairs: readonly number[]; readonly count: (text: string, counts: Uint16Array) => void };

function createPairCounter(wanted: ReadonlySet<number>): PairCounter {
  const pairs = [...wanted];
  const at = new Map(pairs.map((pair, i) => [pair, i]));
  const maybe = new Uint8Array(65536); // most pairs of a text are not wanted: one look says so
  for (const pair of pairs) maybe[(pair ^ (pair / 65536)) & 0xffff] = 1;
  return {
    pairs,
    count(text, counts) {
      counts.fill(0);
      const units = simplifyUnits(text);
      for (let i = 1; i < units.length; i++) {
        const first = units[i - 1] as number;
        const second = units[i] as number;
        if (maybe[first ^ second] !== 1) continue;
        const slot = at.get(first * 65536 + second);
        if (slot !== undefined) counts[slot] = (counts[slot] as number) + 1;
      }
    },
  };
}

function countBlanks(text: string): number {
  let count = text === "" ? 0 : 1;
  for (let at = text.indexOf(" "); at >= 0; at = text.indexOf(" ", at + 1)) count++;
  return count;
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
