/** @file The short answer: which piece of which sentence, and how much of the sentence to show when unsure. */
import { normalise } from "../text/index.ts";
import { type ScoredSpan, withBelief } from "./span-model.ts";
import type { Span } from "./spans.ts";

/** How much the model's reading counts beside the network's, for a full match. Measured: docs/lab.md. */
const voteWeight = 6;
/** Below this belief the whole clause is shown; a vote sharpens belief, so more is asked of it then. */
const sureEnough = { alone: 0.6, voted: 0.85 };
const longestClause = 60;
const clauseBreak = /[,，;；:：。!！?？]/;

const bare = (text: string): string => normalise(text).replace(/[^\p{L}\p{N}]/gu, "");

/** Shared characters of two short texts, 0 to 1 (F1). */
export function likeness(a: string, b: string): number {
  const left = [...bare(a)];
  const right = [...bare(b)];
  const counts = new Map<string, number>();
  for (const c of right) counts.set(c, (counts.get(c) ?? 0) + 1);
  let shared = 0;
  for (const c of left) {
    const n = counts.get(c) ?? 0;
    if (n === 0) continue;
    shared++;
    counts.set(c, n - 1);
  }
  return shared === 0 ? 0 : (2 * shared) / (left.length + right.length);
}

/** Adds the model's vote. What it wrote outside the sentences counts for nothing. */
export function withVote(spans: readonly ScoredSpan[], written: string): ScoredSpan[] {
  if (bare(written) === "") return [...spans];
  return withBelief(spans.map((span) => ({ ...span, logit: span.logit + voteWeight * likeness(span.text, written) })));
}

export type Choice = Span & {
  readonly sentence: number;
  readonly belief: number /** The clause around the answer is shown, not the bare answer. */;
  readonly widened: boolean;
};

/** The most believed piece; its clause when belief is spread over several pieces. `texts` are the normalised sentences. */
export function chooseSpan(spans: readonly ScoredSpan[], texts: readonly string[], reading: keyof typeof sureEnough): Choice | null {
  const best = spans[0];
  if (best === undefined) return null;
  const belief = beliefIn(spans, best.sentence, best.start, best.end);
  if (belief < sureEnough[reading])
    return widest(spans, texts) ?? { start: best.start, end: best.end, sentence: best.sentence, belief, widened: false };
  return { start: best.start, end: best.end, sentence: best.sentence, belief, widened: false };
}

/** The clause that holds most belief, among those of the best pieces. */
function widest(spans: readonly ScoredSpan[], texts: readonly string[]): Choice | null {
  let found: Choice | null = null;
  for (const span of spans.slice(0, 8)) {
    const text = texts[span.sentence] ?? "";
    let { start, end } = span;
    while (start > 0 && !isBreak(text, start - 1)) start--;
    while (end < text.length && !isBreak(text, end)) end++;
    if (end - start > longestClause) continue;
    const belief = beliefIn(spans, span.sentence, start, end);
    if (belief > (found?.belief ?? 0) + 1e-9) found = { start, end, sentence: span.sentence, belief, widened: end - start > span.end - span.start };
  }
  return found;
}

function isBreak(text: string, at: number): boolean {
  return clauseBreak.test(text[at] as string) && !(/\d/.test(text[at - 1] ?? "") && /\d/.test(text[at + 1] ?? ""));
}

function beliefIn(spans: readonly ScoredSpan[], sentence: number, start: number, end: number): number {
  return spans.reduce((sum, span) => (span.sentence === sentence && span.start >= start && span.end <= end ? sum + span.probability : sum), 0);
}
