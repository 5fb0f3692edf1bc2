/** @file How many threads are worth using right now. Threads of one model wait for each other in every layer, so on a core that somebody else uses a second thread makes everything slower, not faster. */
import { readFileSync } from "node:fs";
import os from "node:os";

type Sample = { readonly at: number; readonly othersMs: number };

const tickMs = 10; // USER_HZ is 100 on every Linux that Node runs on

/** Milliseconds of processor time that others have used so far, work of low priority left out (it yields). Null where the system does not tell. */
function readOthersMs(): number | null {
  try {
    const fields = readFileSync("/proc/stat", "utf8").split("\n", 1)[0]?.trim().split(/\s+/).slice(1).map(Number) ?? [];
    const [user = Number.NaN, , system = 0, , , irq = 0, softIrq = 0] = fields;
    const own = process.cpuUsage();
    const total = (user + system + irq + softIrq) * tickMs - (own.user + own.system) / 1000;
    return Number.isFinite(total) ? total : null;
  } catch {
    return null;
  }
}

export class ThreadGovernor {
  readonly #most: number;
  readonly #apply: (threads: number) => void;
  #last: Sample | null = null;
  #others = 0;
  #timer: NodeJS.Timeout | null = null;
  #users = 0;

  constructor(most: number, apply: (threads: number) => void) {
    this.#most = Math.max(1, most);
    this.#apply = apply;
  }

  /** Watches while at least one request is being worked on. */
  enter(): () => void {
    this.#users++;
    if (this.#most > 1) {
      this.#look();
      this.#timer ??= setInterval(() => this.#look(), 250);
    }
    return () => {
      if (--this.#users > 0 || this.#timer === null) return;
      clearInterval(this.#timer);
      this.#timer = null;
    };
  }

  #look(): void {
    const othersMs = readOthersMs();
    if (othersMs === null) return;
    const at = performance.now();
    const last = this.#last;
    if (last !== null && at - last.at < 100) return;
    this.#last = { at, othersMs };
    if (last === null) return;
    const cores = Math.max(0, (othersMs - last.othersMs) / (at - last.at));
    this.#others = at - last.at > 2000 ? cores : 0.5 * this.#others + 0.5 * cores;
    this.#apply(Math.min(this.#most, Math.max(1, Math.floor(os.availableParallelism() - this.#others + 0.4))));
  }
}
