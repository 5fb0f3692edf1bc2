/** @file Memory of the machine: when it runs short, the largest job makes way before the kernel chooses a victim of its own. */
import type { Logger } from "#base";

export type MemoryWatchDeps = {
  readonly availableBytes: () => number;
  readonly totalBytes: number;
  /** Puts the largest running job back into the queue; null: none runs. */
  readonly pauseLargest: () => string | null;
  /** No job begins while held. */
  readonly hold: (held: boolean) => void;
  readonly logger: Logger;
};

export type MemoryWatch = { look(): "ok" | "short"; start(): void; stop(): void };

const everyMs = 1000;
/** Short below a twentieth (at most 1 GiB); well again above twice that, so that jobs do not flicker. */
const shortShare = 0.05;

export function createMemoryWatch(deps: MemoryWatchDeps): MemoryWatch {
  const shortBelow = Math.min(2 ** 30, deps.totalBytes * shortShare);
  let held = false;
  let timer: NodeJS.Timeout | undefined;
  const look = (): "ok" | "short" => {
    const free = deps.availableBytes();
    if (free < shortBelow) {
      if (!held) deps.hold(true);
      held = true;
      const paused = deps.pauseLargest();
      deps.logger.warn({ freeBytes: free, paused }, "memory: short, the largest job makes way");
      return "short";
    }
    if (held && free > 2 * shortBelow) {
      held = false;
      deps.hold(false);
      deps.logger.info({ freeBytes: free }, "memory: enough again, jobs go on");
    }
    return held ? "short" : "ok";
  };
  return {
    look,
    start() {
      timer = setInterval(look, everyMs).unref();
    },
    stop() {
      clearInterval(timer);
    },
  };
}
