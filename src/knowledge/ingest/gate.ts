/** @file Reading in slows down while somebody waits for an answer: one short piece of work at a time, with pauses between. */
import { setTimeout as sleep } from "node:timers/promises";

export type Gate = { pass(signal: AbortSignal): Promise<void> };

/** The box's own thread then spends about a tenth of its time on storing. */
const pauseMs = 80;

export function createGate(isBusy: () => boolean, now: () => number): Gate {
  let free = 0;
  return {
    async pass(signal) {
      if (!isBusy()) return;
      const wait = Math.max(0, free - now());
      free = Math.max(now(), free) + pauseMs;
      if (wait > 0) await sleep(wait, undefined, { signal });
    },
  };
}
