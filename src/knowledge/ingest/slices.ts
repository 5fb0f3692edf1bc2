/** @file Much database work in short transactions, so that the box keeps answering in between. */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Gate } from "./gate.ts";

/** A slice stops itself after this long; its commit comes on top. */
const sliceMs = 8;

type Options = {
  readonly signal: AbortSignal;
  /** In each transaction, before its first step. False: the work has lost its purpose; stop. */
  readonly beforeSlice?: () => boolean;
  readonly afterSlice?: () => void;
  /** Between slices: lets what people wait for go first. */
  readonly gate?: Gate;
};

/** Calls `step` until it says that nothing is left; many calls a transaction, many transactions. */
export async function inSlices(
  transaction: <T>(work: () => T) => T,
  step: () => boolean,
  { signal, beforeSlice, afterSlice, gate }: Options,
): Promise<void> {
  for (;;) {
    signal.throwIfAborted();
    const more = transaction(() => {
      if (beforeSlice?.() === false) return false;
      const end = performance.now() + sliceMs;
      while (performance.now() < end) if (!step()) return false;
      return true;
    });
    afterSlice?.();
    if (!more) return;
    await nextTurn();
    await gate?.pass(signal);
  }
}
