/** @file Who works next on an engine: one request a person in turn, a limit on how many may wait, an honest guess of how long. Knows no engine. */
import { StarboxError } from "#base";
import type { QueuePlace } from "#contracts";

type Waiter = {
  readonly person: string;
  readonly start: (release: () => void) => void;
  readonly onPlace: ((place: QueuePlace) => void) | undefined;
  told: number;
};

/** How much later than told somebody may come back and still find the place that was kept. */
const graceMs = 10_000;
const maxPromised = 1000;
const maxGuessSeconds = 5;

export class FairQueue {
  readonly #slots: number;
  readonly #limit: number;
  readonly #now: () => number;
  readonly #lines = new Map<string, Waiter[]>(); // in order of turns: who was served goes to the back
  /** Who was sent away because all places were taken, until when a place is kept for their return. */
  readonly #promised = new Map<string, number>();
  #running = 0;
  #meanMs = 5_000; // until the first requests have been measured
  #measured = false;

  constructor(options: { readonly slots: number; readonly limit: number; readonly now?: () => number }) {
    this.#slots = options.slots;
    this.#limit = options.limit;
    this.#now = options.now ?? (() => performance.now());
  }

  get running(): number {
    return this.#running;
  }
  get waiting(): number {
    let count = 0;
    for (const line of this.#lines.values()) count += line.length;
    return count;
  }
  get limit(): number {
    return this.#limit;
  }

  /** Seconds until somebody in front of whom so many were sent away finds a place to wait: the moment to come back, not the moment of the turn. */
  #secondsToPlace(ahead: number): number {
    const leaving = this.waiting + ahead + 1 - this.#limit;
    const seconds = Math.max(1, Math.ceil(((leaving / this.#slots) * this.#meanMs) / 1000));
    // A guess nothing was measured for must not send people away for minutes.
    return this.#measured ? seconds : Math.min(seconds, maxGuessSeconds);
  }

  /**
   * Resolves with the function that ends the turn. Throws `busy` when too many wait, `cancelled` when the signal fires first.
   * `onPlace` is told the place of who has to wait, whenever it changes, and 0 when the turn has come.
   */
  async enter(person: string, signal?: AbortSignal, onPlace?: (place: QueuePlace) => void): Promise<() => void> {
    if (signal?.aborted === true) throw cancelled();
    if (this.#running < this.#slots) return this.#begin();
    if (this.#isFullFor(person)) {
      const retryAfterSeconds = this.#secondsToPlace(this.#aheadOf(person));
      this.#promise(person, retryAfterSeconds);
      throw new StarboxError("busy", `${this.waiting} requests are waiting for this model, the most it accepts.`, {
        hint: `Try again in about ${retryAfterSeconds} s.`,
        retryAfterSeconds,
        details: { waiting: this.waiting, limit: this.#limit },
        zh: { message: `已有 ${this.waiting} 个请求在等待该模型，已达上限。`, hint: `请约 ${retryAfterSeconds} 秒后再试。` },
      });
    }
    this.#promised.delete(person);
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        person,
        onPlace,
        told: -1,
        start: (release) => {
          signal?.removeEventListener("abort", leave);
          onPlace?.({ position: 0, etaSeconds: 0 });
          resolve(release);
        },
      };
      const leave = (): void => {
        const line = this.#lines.get(person) ?? [];
        const rest = line.filter((other) => other !== waiter);
        if (rest.length === 0) this.#lines.delete(person);
        else this.#lines.set(person, rest);
        reject(cancelled());
        this.#tellPlaces();
      };
      signal?.addEventListener("abort", leave, { once: true });
      const line = this.#lines.get(person);
      if (line === undefined) this.#lines.set(person, [waiter]);
      else line.push(waiter);
      this.#tellPlaces();
    });
  }

  /**
   * Whoever comes back when told to finds a place before those who were served meanwhile: else the ones inside, who ask again at once,
   * would keep the others out for ever. Places are kept only while the slots have enough to do.
   */
  #isFullFor(person: string): boolean {
    const now = this.#now();
    for (const [other, until] of this.#promised) if (until < now) this.#promised.delete(other);
    if (this.waiting >= this.#limit) return true;
    if (this.waiting < this.#slots) return false;
    return this.waiting + this.#aheadOf(person) >= this.#limit;
  }

  /** First sent away, first let in. */
  #aheadOf(person: string): number {
    return this.#promised.has(person) ? [...this.#promised.keys()].indexOf(person) : this.#promised.size;
  }

  #promise(person: string, retryAfterSeconds: number): void {
    if (!this.#promised.has(person) && this.#promised.size >= maxPromised) return;
    this.#promised.set(person, this.#now() + retryAfterSeconds * 1000 + graceMs);
  }

  /** Persons take turns: before my third come at most three of everybody in front of me, two of everybody behind. */
  #tellPlaces(): void {
    const lines = [...this.#lines.values()];
    lines.forEach((line, at) => {
      line.forEach((waiter, own) => {
        if (waiter.onPlace === undefined) return;
        const others = lines.reduce((sum, other, i) => (i === at ? sum : sum + Math.min(other.length, own + (i < at ? 1 : 0))), 0);
        const position = own + others + 1;
        if (position === waiter.told) return;
        waiter.told = position;
        waiter.onPlace({ position, etaSeconds: Math.max(1, Math.ceil(((position / this.#slots) * this.#meanMs) / 1000)) });
      });
    });
  }

  #begin(): () => void {
    this.#running++;
    const began = this.#now();
    let ended = false;
    return () => {
      if (ended) return;
      ended = true;
      this.#running--;
      const tookMs = this.#now() - began;
      this.#meanMs = this.#measured ? 0.8 * this.#meanMs + 0.2 * tookMs : tookMs;
      this.#measured = true;
      this.#next();
    };
  }

  #next(): void {
    if (this.#running >= this.#slots) return;
    const [person, line] = this.#lines.entries().next().value ?? [];
    if (person === undefined || line === undefined) return;
    const waiter = line.shift();
    this.#lines.delete(person);
    if (line.length > 0) this.#lines.set(person, line); // behind everybody else
    waiter?.start(this.#begin());
    this.#tellPlaces();
  }
}

function cancelled(): StarboxError {
  return new StarboxError("cancelled", "The request was cancelled while it waited.", { zh: { message: "请求在排队时被取消。" } });
}
