/** @file A fixed answer of the knowledge owner wins when the same question is asked again in nearly the same words. */
import { normalise } from "../text/index.ts";
import { unitsOf } from "./evidence.ts";

export type CuratedSource = { readonly id: string; readonly question: string; readonly answer: string };

const same = 0.8;

const bare = (text: string): string =>
  normalise(text)
    .replace(/^(?:请问|想问|问一下|麻烦问)+/u, "")
    .replace(/[^\p{L}\p{N}]/gu, "");

export function findCurated(question: string, curated: readonly CuratedSource[]): CuratedSource | null {
  const asked = bare(question);
  const exact = curated.find((item) => bare(item.question) === asked);
  if (exact !== undefined || asked.length < 6) return exact ?? null;
  const units = unitsOf(asked);
  let best: { item: CuratedSource; share: number } | null = null;
  for (const item of curated) {
    if (digits(item.question) !== digits(question)) continue; // "第三条" is not "第五条"
    const other = unitsOf(bare(item.question));
    let shared = 0;
    for (const unit of units) if (other.has(unit)) shared++;
    const share = shared / Math.max(1, units.size + other.size - shared);
    if (share >= same && share > (best?.share ?? 0) && negated(item.question) === negated(question)) best = { item, share };
  }
  return best?.item ?? null;
}

/** How much two questions ask the same, 0 to 1. */
export function questionLikeness(a: string, b: string): number {
  const left = unitsOf(bare(a));
  const right = unitsOf(bare(b));
  if (left.size === 0 || right.size === 0) return bare(a) === bare(b) ? 1 : 0;
  let shared = 0;
  for (const unit of left) if (right.has(unit)) shared++;
  return (2 * shared) / (left.size + right.size);
}

function digits(text: string): string {
  return (normalise(text).match(/[\d零一二三四五六七八九十百千万]+/g) ?? []).join(" ");
}

function negated(text: string): boolean {
  return /不|没|无|非|未|\bnot\b/.test(normalise(text));
}
