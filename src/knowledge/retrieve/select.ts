/** @file The few largest of many, in order: numbers are sorted natively, only the chosen ones with a comparison. */

/** Positions of the `limit` largest scores, largest first; of equal ones the earlier position first. */
export function largestFirst(scores: Float64Array, limit: number): number[] {
  const least = scores.length > limit ? (scores.slice().sort()[scores.length - limit] as number) : Number.NEGATIVE_INFINITY;
  const chosen: number[] = [];
  for (let i = 0; i < scores.length; i++) if ((scores[i] as number) >= least) chosen.push(i);
  return chosen.sort((a, b) => (scores[b] as number) - (scores[a] as number) || a - b).slice(0, limit);
}
