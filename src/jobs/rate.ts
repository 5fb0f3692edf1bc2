/** @file How fast units are done, measured; and how long the rest will take. */

const halfLifeMs = 20_000;

/** A rate that forgets slowly: the estimate follows a change of speed within half a minute and does not jump at every batch. */
export function createRate(now: () => number) {
  let lastAt: number | undefined;
  let lastDone = 0;
  let unitsSeen = 0;
  let msSeen = 0;
  return {
    add(done: number): void {
      const at = now();
      if (lastAt !== undefined && done >= lastDone) {
        const passed = at - lastAt;
        const keep = 0.5 ** (passed / halfLifeMs);
        unitsSeen = unitsSeen * keep + (done - lastDone);
        msSeen = msSeen * keep + passed;
      }
      lastAt = at;
      lastDone = done;
    },
    /** null while nothing is known: an honest "don't know" instead of a guess. */
    etaSeconds(done: number, total: number | null): number | null {
      if (total === null || unitsSeen <= 0 || msSeen < 200) return null;
      return Math.max(0, Math.round(((total - done) * msSeen) / unitsSeen / 100) / 10);
    },
  };
}
