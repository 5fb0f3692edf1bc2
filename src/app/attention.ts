/** @file Whether somebody is waiting for an answer, or was a moment ago: work in the background then holds back. */

export type Attention = {
  during<T>(work: () => Promise<T>): Promise<T>;
  /** `engineBusy`: a model is being asked right now. */
  isWanted(engineBusy: boolean): boolean;
};

/** People who talk go on talking: the next question finds the machine quiet. */
const lingerMs = 2000;

export function createAttention(now: () => number): Attention {
  let waiting = 0;
  let last = Number.NEGATIVE_INFINITY;
  return {
    async during(work) {
      waiting++;
      try {
        return await work();
      } finally {
        waiting--;
        last = now();
      }
    },
    isWanted(engineBusy) {
      if (engineBusy || waiting > 0) last = now();
      return now() - last < lingerMs;
    },
  };
}
