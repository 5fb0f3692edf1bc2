/** @file Candidates in their final order: exact word and vector scores, fused; old editions behind the one in force; twins folded. */
import { blendCloseness } from "./dense-index.ts";
import { dot } from "./dot.ts";
import type { LexicalScorer } from "./lexical-score.ts";
import type { Candidate } from "./reader.ts";

export type Scored = {
  readonly chunkId: number;
  readonly document: number;
  readonly version: number;
  readonly ordinal: number;
  readonly text: string;
  readonly score: number;
  readonly lexicalRank: number | null;
  readonly denseRank: number | null;
  readonly cosine: number | null;
  readonly superseded: boolean;
};

export type ScoreInput = {
  readonly candidates: readonly Candidate[];
  readonly scorer: LexicalScorer;
  /** Chunk ids each search brought. */
  readonly lexical: readonly number[];
  readonly dense: readonly number[];
  readonly vector: Float32Array | null;
  readonly mean: Float32Array | null;
  /** Closeness to the candidate's whole document; null where it has no direction of its own. */
  readonly groupOf: (chunkId: number) => number | null;
  /** What speaks for a chunk whatever the question. */
  readonly bonus: (chunkId: number) => number;
  /** Versions whose edition is no longer in force. */
  readonly superseded: ReadonlySet<number>;
};

/** Weight of the share of the question's words that a text matches, beside the centred cosine. Measured: docs/lab.md. */
const wordsWeight = 1;
/** The best few say what the question is about: their mean direction is added to the question's. */
const feedbackCandidates = 5;
const feedbackWeight = 0.5;

export function scoreCandidates(input: ScoreInput): Scored[] {
  const { candidates, scorer, vector } = input;
  const lexicalScores = candidates.map((candidate) => scorer.score(candidate));
  const cosines = candidates.map((candidate) => (vector === null || candidate.vector === null ? null : dot(vector, candidate.vector)));
  const directions = candidates.map((candidate) => (vector === null || candidate.vector === null ? null : centre(candidate.vector, input.mean)));
  const groups = candidates.map((candidate) => input.groupOf(candidate.chunkId));
  const total = (closeness: readonly (number | null)[]): number[] => {
    // A chunk whose vector is still to come must not win or lose by that: it counts as the weakest one seen.
    const floor = closeness.reduce<number>((least, value) => (value === null ? least : Math.min(least, value)), 1);
    return candidates.map(({ chunkId }, i) => {
      const own = closeness[i] ?? (vector === null ? 0 : floor);
      return (wordsWeight * (lexicalScores[i] as number)) / scorer.best + blendCloseness(own, groups[i] ?? null) + input.bonus(chunkId);
    });
  };
  const question = vector === null ? null : centre(vector, input.mean);
  const closeness = directions.map((direction) => (direction === null || question === null ? null : dot(question, direction)));
  const first = total(closeness);
  const scores = question === null ? first : total(closenessAfterFeedback(question, directions, first));
  const lexicalRanks = ranksOf(candidates, new Set(input.lexical), (i) => lexicalScores[i] as number);
  const denseRanks = ranksOf(candidates, new Set(input.dense), (i) => closeness[i] ?? -1);
  return candidates
    .map((candidate, i) => ({
      chunkId: candidate.chunkId,
      document: candidate.document,
      version: candidate.version,
      ordinal: candidate.ordinal,
      text: candidate.text,
      score: scores[i] as number,
      lexicalRank: lexicalRanks.get(candidate.chunkId) ?? null,
      denseRank: denseRanks.get(candidate.chunkId) ?? null,
      cosine: cosines[i] ?? null,
      superseded: input.superseded.has(candidate.version),
    }))
    .sort((a, b) => b.score - a.score || a.chunkId - b.chunkId);
}

function ranksOf(candidates: readonly Candidate[], members: ReadonlySet<number>, score: (index: number) => number): Map<number, number> {
  const order = candidates.map((_, i) => i).filter((i) => members.has((candidates[i] as Candidate).chunkId));
  order.sort((a, b) => score(b) - score(a));
  return new Map(order.map((i, rank) => [(candidates[i] as Candidate).chunkId, rank + 1]));
}

/** Unit length, the mean taken away. Plain loops: this runs for every candidate of every question. */
export function centre(vector: Float32Array, mean: Float32Array | null): Float32Array {
  const moved = vector.slice();
  if (mean !== null && mean.length === vector.length) for (let i = 0; i < moved.length; i++) moved[i] = (moved[i] as number) - (mean[i] as number);
  const scale = 1 / Math.sqrt(dot(moved, moved) || 1);
  for (let i = 0; i < moved.length; i++) moved[i] = (moved[i] as number) * scale;
  return moved;
}

function closenessAfterFeedback(question: Float32Array, directions: readonly (Float32Array | null)[], scores: readonly number[]): (number | null)[] {
  const best = scores
    .map((score, i) => ({ score, direction: directions[i] ?? null }))
    .filter((item) => item.direction !== null)
    .sort((a, b) => b.score - a.score)
    .slice(0, feedbackCandidates);
  // One candidate would only feed itself back; so would the few of a tiny base.
  if (directions.length < 4 * feedbackCandidates) return directions.map((direction) => (direction === null ? null : dot(question, direction)));
  const moved = question.slice();
  for (const { direction } of best)
    for (let i = 0; i < moved.length; i++)
      moved[i] = (moved[i] as number) + (feedbackWeight * ((direction as Float32Array)[i] as number)) / best.length;
  const towards = centre(moved, null);
  return directions.map((direction) => (direction === null ? null : dot(towards, direction)));
}

const bare = (text: string): string => text.replace(/[\s\p{P}]+/gu, "");

/** Twins inside one version (a table repeated, an overlap) are folded into the better one; an old edition never stands before its successor's same passage. */
export function collapse(scored: readonly Scored[], limit: number): Scored[] {
  const kept: Scored[] = [];
  const seen = new Map<string, number>();
  for (const item of scored) {
    if (kept.length >= limit + 20) break;
    const text = bare(item.text);
    const twin = `${item.version}\n${text}`;
    if (seen.has(twin)) continue;
    seen.set(twin, kept.length);
    kept.push(item);
  }
  return editionsInOrder(kept).slice(0, limit);
}

/** Two editions' passages are the same place when their texts share most pairs of characters; then the one in force comes first. */
function editionsInOrder(items: Scored[]): Scored[] {
  const pairs = new Map<Scored, ReadonlySet<string>>();
  const pairsOf = (item: Scored): ReadonlySet<string> => {
    let found = pairs.get(item);
    if (found === undefined) {
      const units = bare(item.text.slice(0, comparedUnits));
      found = new Set(Array.from({ length: Math.max(0, units.length - 1) }, (_, i) => units.slice(i, i + 2)));
      pairs.set(item, found);
    }
    return found;
  };
  for (let i = 0; i < items.length; i++) {
    const old = items[i] as Scored;
    if (!old.superseded) continue;
    const later = items.findIndex((item, at) => at > i && !item.superseded && item.document !== old.document && alike(pairsOf(item), pairsOf(old)));
    if (later < 0) continue;
    const [current] = items.splice(later, 1);
    items.splice(i, 0, current as Scored);
    i++;
  }
  return items;
}

/** As much of a text as tells whether two editions' passages are the same place. */
const comparedUnits = 300;

function alike(first: ReadonlySet<string>, second: ReadonlySet<string>): boolean {
  let shared = 0;
  for (const pair of first) if (second.has(pair)) shared++;
  return shared >= 0.6 * Math.min(first.size, second.size) && shared > 0;
}
