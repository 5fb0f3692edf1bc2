/**
 * @file Continuous batching: every step takes one row of each answer under way and, with the room that is left, the next rows of prompts. Sequences come and go
 * between steps. Knows tokens and pages, not text.
 */
import { PageStore } from "./page-store.ts";
import type { StepInput } from "./step-programs.ts";

export type SequenceRequest = {
  readonly prompt: readonly number[];
  /** Prompt and answer together at most. */
  readonly mostTokens: number;
  /** What the prompt's keys and values depend on besides its tokens: the adapter. */
  readonly root: string;
  readonly group: () => number;
  /** False: everything is computed anew, and not kept. */
  readonly shared: boolean;
  /** Logits of the last token -> the next one, or null: the answer is over. May change the logits. */
  readonly choose: (logits: Float32Array) => number | null | Promise<number | null>;
  readonly signal: AbortSignal;
  readonly onProgress: (work: { readonly prompt: number; readonly cached: number }) => void;
};

type Sequence = {
  readonly request: SequenceRequest;
  readonly tokens: number[];
  readonly pages: number[];
  /** Tokens whose keys and values are in the cache. */
  computed: number;
  readonly done: (error?: unknown) => void;
};

export type SchedulerOptions = {
  readonly sequences: number;
  readonly pages: number;
  readonly pageRows: number;
  readonly pagesEach: number;
  readonly vocabulary: number;
  /** Rows of one step at most. */
  readonly mostRows: number;
  readonly run: (step: StepInput) => Promise<Float32Array>;
  /** Between steps, while nothing runs. */
  readonly between: () => Promise<void> | void;
};

export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #store: PageStore;
  readonly #waiting: Sequence[] = [];
  #active: Sequence[] = [];
  #working = false;
  /** Somebody came since the step under way began. */
  #asked = false;
  /** Steps and their rows so far. */
  readonly work = { steps: 0, rows: 0 };

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#store = new PageStore(options.pages, options.pageRows);
  }

  get idle(): boolean {
    return this.#active.length === 0 && this.#waiting.length === 0;
  }

  get freePages(): number {
    return this.#store.freePages;
  }

  forgetRoot(root: string): void {
    this.#store.forgetRoot(root);
  }

  /** Settles when the answer is over; rejects with the signal's reason when it is cancelled. */
  submit(request: SequenceRequest): Promise<void> {
    request.signal.throwIfAborted();
    return new Promise((resolve, reject) => {
      this.#waiting.push({
        request,
        tokens: [...request.prompt],
        pages: [],
        computed: 0,
        done: (error) => (error === undefined ? resolve() : reject(error as Error)),
      });
      this.wake();
    });
  }

  /** Also runs `between` when nothing is asked for. */
  wake(): void {
    this.#asked = true;
    if (this.#working) return;
    this.#working = true;
    void this.#loop().finally(() => {
      this.#working = false;
      if (this.#asked) this.wake();
    });
  }

  async #loop(): Promise<void> {
    do {
      this.#asked = false;
      await this.#options.between();
      this.#dropCancelled();
      this.#admit();
      if (this.#active.length > 0) await this.#step();
    } while (!this.idle || this.#asked);
  }

  #dropCancelled(): void {
    const leaving = (sequence: Sequence): boolean => sequence.request.signal.aborted;
    for (const sequence of this.#active.filter(leaving)) this.#finish(sequence, sequence.request.signal.reason);
    for (let i = this.#waiting.length - 1; i >= 0; i--) {
      const sequence = this.#waiting[i]!;
      if (leaving(sequence)) this.#waiting.splice(i, 1)[0]!.done(sequence.request.signal.reason);
    }
  }

  #admit(): void {
    while (this.#waiting.length > 0 && this.#active.length < this.#options.sequences) {
      const sequence = this.#waiting.shift()!;
      const { prompt, shared, root, onProgress } = sequence.request;
      // The last token is always computed: its logits are wanted.
      if (shared) sequence.pages.push(...this.#store.find(root, prompt, prompt.length - 1));
      sequence.computed = sequence.pages.length * this.#options.pageRows;
      onProgress({ prompt: sequence.computed, cached: sequence.computed });
      this.#active.push(sequence);
    }
  }

  #finish(sequence: Sequence, error?: unknown): void {
    this.#active = this.#active.filter((other) => other !== sequence);
    const { request, tokens, computed, pages } = sequence;
    this.#store.release(request.root, tokens, computed, pages, request.shared);
    sequence.done(error);
  }

  /** Rows of each sequence in this step: answers first, one each; prompts share what is left in the order they came. */
  #plan(): { readonly sequence: Sequence; readonly count: number }[] {
    let room = this.#options.mostRows;
    const planned = new Map<Sequence, number>();
    const remaining = (sequence: Sequence): number => sequence.tokens.length - sequence.computed;
    for (const sequence of this.#active.filter((one) => remaining(one) === 1)) {
      planned.set(sequence, 1);
      room--;
    }
    for (const sequence of this.#active.filter((one) => remaining(one) > 1)) {
      const count = Math.min(room, remaining(sequence));
      if (count === 0) break;
      planned.set(sequence, count);
      room -= count;
    }
    return [...planned].map(([sequence, count]) => ({ sequence, count }));
  }

  async #step(): Promise<void> {
    const { sequences, pageRows, pagesEach, vocabulary, run } = this.#options;
    const planned = this.#plan();
    const total = planned.reduce((sum, { count }) => sum + count, 0);
    const step = {
      ids: new Int32Array(total),
      positions: new Int32Array(total),
      slots: new Int32Array(total),
      groups: new Int32Array(total),
      sequences: new Int32Array(sequences * 3),
      pages: new Int32Array(sequences * pagesEach).fill(-1),
    };
    const rows: number[] = [];
    const choosing: Sequence[] = [];
    let at = 0;
    planned.forEach(({ sequence, count }, s) => {
      const { tokens, computed, pages } = sequence;
      while (pages.length * pageRows < computed + count) pages.push(this.#store.take()!); // every sequence has its share of the cache
      step.sequences.set([at, count, computed + count], s * 3);
      step.pages.set(pages, s * pagesEach);
      const group = sequence.request.group();
      for (let i = 0; i < count; i++, at++) {
        const position = computed + i;
        step.ids[at] = tokens[position]!;
        step.positions[at] = position;
        step.slots[at] = pages[Math.floor(position / pageRows)]! * pageRows + (position % pageRows);
        step.groups[at] = group;
      }
      if (computed + count === tokens.length) {
        rows.push(at - 1);
        choosing.push(sequence);
      }
    });
    let logits: Float32Array;
    try {
      logits = await run({ ...step, rows: Int32Array.from(rows) });
    } catch (error) {
      for (const { sequence } of planned) this.#finish(sequence, error);
      return;
    }
    this.work.steps++;
    this.work.rows += total;
    for (const { sequence, count } of planned) {
      sequence.computed += count;
      sequence.request.onProgress({ prompt: Math.min(sequence.computed, sequence.request.prompt.length), cached: -1 });
    }
    for (const [i, sequence] of choosing.entries()) await this.#choose(sequence, logits.subarray(i * vocabulary, (i + 1) * vocabulary));
  }

  async #choose(sequence: Sequence, logits: Float32Array): Promise<void> {
    if (sequence.request.signal.aborted) return; // dropped before the next step
    try {
      const next = await sequence.request.choose(logits);
      if (next === null || sequence.tokens.length >= sequence.request.mostTokens) this.#finish(sequence);
      else sequence.tokens.push(next);
    } catch (error) {
      this.#finish(sequence, error);
    }
  }
}
