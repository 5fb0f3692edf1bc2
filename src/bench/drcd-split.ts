/** @file Which reading-comprehension questions are for fitting and which for reporting: whole articles, by a hash of their id, so that no text is on both sides. */

export type Part = "train" | "thresholds" | "report";

export function partOf(articleId: string): Part {
  let hash = 2166136261;
  for (const c of `x${articleId}`) hash = Math.imul(hash ^ c.charCodeAt(0), 16777619);
  const share = (hash >>> 0) % 100;
  return share < 45 ? "train" : share < 60 ? "thresholds" : "report";
}
