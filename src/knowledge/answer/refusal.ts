/** @file Whether the evidence is strong enough to answer from. A logistic rule over a few signs; fitted on questions that are not the ones reported. */
import type { Evidence } from "./evidence.ts";
import type { Question } from "./question.ts";
import type { ScoredSpan } from "./span-model.ts";

/** [mean, deviation, weight] of each sign. */
const signs = {
  coverage: [0.3731, 0.2235, 1.4788],
  nearby: [0.0271, 0.0524, 0.0233],
  firstPassage: [0.4293, 0.2198, -0.2282],
  bestPassage: [0.4481, 0.2042, -0.0229],
  /** How far the first passage stands out from the others: a real source does. */
  passageGap: [0.2221, 0.2105, 1.3964],
  missing: [0.3751, 0.172, -0.2859],
  missingNames: [0.278, 0.3884, -0.2485],
  spanBelief: [0.3971, 0.2382, 0.2839],
  spanScore: [1.5911, 0.6489, -0.2147],
  questionLength: [3.0101, 0.3738, -0.053],
  fromFirstPassage: [0.9019, 0.2974, 0.8323],
  coverageGap: [0.2276, 0.2431, 0.419],
} as const satisfies Record<string, readonly [number, number, number]>;
const bias = 0.4614;

/** Below this the answer is refused. The false refusals it costs were counted on the fitting half. */
export const refusalThreshold = -0.7;

/** Log-odds that the sentences hold an answer. */
export function evidenceScore(question: Question, evidence: Evidence, spans: readonly ScoredSpan[]): number {
  const [first, second] = evidence.sentences;
  if (first === undefined) return -Infinity;
  const passages = evidence.passageCoverage;
  const others = passages.slice(1);
  const values: Record<keyof typeof signs, number> = {
    coverage: first.coverage,
    nearby: first.nearby,
    firstPassage: passages[0] ?? 0,
    bestPassage: Math.max(0, ...passages),
    passageGap: (passages[0] ?? 0) - (others.length === 0 ? 0 : others.reduce((sum, value) => sum + value, 0) / others.length),
    missing: evidence.missing,
    missingNames: evidence.missingNames,
    spanBelief: spans[0]?.probability ?? 0,
    spanScore: (spans[0]?.logit ?? 0) / 5,
    questionLength: Math.log(Math.max(1, question.text.length)),
    fromFirstPassage: first.hitRank === 0 ? 1 : 0,
    coverageGap: first.coverage - (second?.coverage ?? 0),
  };
  let score = bias;
  for (const [name, [mean, deviation, weight]] of Object.entries(signs)) {
    const z = (values[name as keyof typeof signs] - mean) / deviation;
    score += weight * Math.max(-4, Math.min(4, z));
  }
  return score;
}

export function confidenceOf(score: number): number {
  return Math.round(1000 / (1 + Math.exp(-score))) / 1000;
}
