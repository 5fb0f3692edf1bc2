/** @file Notices when the wall clock jumps (set by hand, a machine that slept, a wrong time server): waiting work must not wait for a time that never comes. */
import type { Logger } from "#base";

export type ClockWatch = { look(): number; start(): void; stop(): void };

const everyMs = 5000;
const jumpMs = 30_000;

/** `monotonic` never jumps; what the two clocks drift apart by is a jump. Returns it. */
export function createClockWatch(deps: {
  readonly wall: () => number;
  readonly monotonic: () => number;
  readonly jumped: (ms: number) => void;
  readonly logger: Logger;
}): ClockWatch {
  let offset = deps.wall() - deps.monotonic();
  let timer: NodeJS.Timeout | undefined;
  const look = (): number => {
    const now = deps.wall() - deps.monotonic();
    const jump = now - offset;
    offset = now;
    if (Math.abs(jump) < jumpMs) return 0;
    deps.logger.warn({ jumpMs: Math.round(jump) }, "clock: jumped");
    deps.jumped(jump);
    return jump;
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
