/** @file Whether the evidence is strong enough to answer from. A logistic rule over a few signs; fitted on questions that are neither the network's nor the reported ones. */
import type { RetrieveHit } from "#contracts";
import { isArticle } from "./compose.ts";
import type { Evidence } from "./evidence.ts";
import type { ScoredSpan } from "./span-model.ts";

/** None of them is a raw score of one embedder or one base: another embedder must not move the rule. */
export type Signs = {
  /** Share of the question the best sentence covers. */
  readonly coverage: number;
  /** How far the best passage's words stand out from the other passages': a real source does. */
  readonly passageGap: number | null;
  readonly missing: number;
  readonly missingNames: number;
  readonly spanBelief: number;
  readonly fromFirstPassage: number;
  readonly coverageGap: number;
  /** How far the first hit stands out in the fused score; null when search was by words only. */
  readonly scoreGap: number | null;
};
type Rule = { readonly bias: number; readonly signs: Partial<Record<keyof Signs, readonly [mean: number, deviation: number, weight: number]>> };

const withMeaning: Rule = {
  bias: 0.5716,
  signs: {
    coverage: [0.3595, 0.2345, 0.9203],
    passageGap: [0.2437, 0.2326, 0.8004],
    missing: [0.4415, 0.1982, -0.2484],
    missingNames: [0.3182, 0.4181, -0.2758],
    spanBelief: [0.3955, 0.2499, 0.2883],
    fromFirstPassage: [0.8571, 0.3499, 0.1965],
    coverageGap: [0.2227, 0.2456, 0.7649],
    scoreGap: [0.3178, 0.1976, 0.9556],
  },
};
const byWords: Rule = {
  bias: 0.5769,
  signs: {
    coverage: [0.3595, 0.2345, 1.2235],
    passageGap: [0.2437, 0.2326, 1.3465],
    missing: [0.4415, 0.1982, -0.3124],
    missingNames: [0.3182, 0.4181, -0.281],
    spanBelief: [0.3955, 0.2499, 0.3139],
    fromFirstPassage: [0.8571, 0.3499, 0.3171],
    coverageGap: [0.2227, 0.2456, 0.4937],
  },
};

/** A passage that holds this much of what the question talks about is enough, however alike the passages around it are: rules of one law always are. */
const heldEnough = { article: 0.5, other: 0.65 };

/** A question without Chinese needs this much of its own words in one passage. */
const heldAtLeast = 0.4;

/** Below this the answer is refused: about one answerable question in twelve on the fitting questions. */
export const refusalThreshold = -0.61;

export function refusalSigns(evidence: Evidence, spans: readonly ScoredSpan[], hits: readonly RetrieveHit[]): Signs | null {
  const [first, second] = evidence.sentences;
  if (first === undefined) return null;
  return {
    coverage: first.coverage,
    passageGap: standsOut(evidence.passageCoverage),
    missing: evidence.missing,
    missingNames: evidence.missingNames,
    spanBelief: spans[0]?.probability ?? 0,
    fromFirstPassage: first.hitRank === 0 ? 1 : 0,
    coverageGap: first.coverage - (second?.coverage ?? 0),
    scoreGap: hits.some((hit) => hit.cosine !== null) ? standsOut(hits.slice(0, 6).map((hit) => hit.score)) : null,
  };
}

/** Log-odds that the sentences hold an answer. */
export function evidenceScore(evidence: Evidence, spans: readonly ScoredSpan[], hits: readonly RetrieveHit[]): number {
  const signs = refusalSigns(evidence, spans, hits);
  const first = evidence.sentences[0];
  if (signs === null || first === undefined) return Number.NEGATIVE_INFINITY;
  const rule = signs.scoreGap === null ? byWords : withMeaning;
  let score = rule.bias;
  for (const [name, [mean, deviation, weight]] of Object.entries(rule.signs)) {
    const value = signs[name as keyof Signs];
    // A base with one passage has nothing to stand out from: the sign says nothing.
    if (value !== null) score += weight * Math.max(-4, Math.min(4, (value - mean) / deviation));
  }
  // Signs that compare passages mislead where one document alone is written in the question's letters.
  if (evidence.latin && evidence.held < heldAtLeast) return Math.min(score, refusalThreshold - 1);
  const bar = heldEnough[isArticle(first.hit) ? "article" : "other"];
  return evidence.held >= bar ? Math.max(score, 4 * (evidence.held - bar)) : score;
}

function standsOut([first, ...others]: readonly number[]): number | null {
  if (first === undefined || others.length === 0) return null;
  return first - others.reduce((sum, value) => sum + value, 0) / others.length;
}

export function confidenceOf(score: number): number {
  return Math.round(1000 / (1 + Math.exp(-score))) / 1000;
}
