/** @file Long work as people see it: durable, with progress by real units, an estimate, cancel and a reason when it fails. */
import type { ErrorRecord } from "#base";

export type JobState = "queued" | "running" | "done" | "failed" | "cancelled";

export type JobKind = "ingest" | "embed" | "reembed" | "pull" | "purge";

export type JobInfo = {
  readonly id: string;
  readonly kind: JobKind;
  readonly subject: string;
  readonly kbId: string | null;
  readonly state: JobState;
  /** Work done and to do in `unit`s (pages, chunks, bytes). */
  readonly progress: { readonly done: number; readonly total: number | null; readonly unit: string; readonly etaSeconds: number | null };
  readonly attempts: number;
  readonly error: ErrorRecord | null;
  readonly createdAt: string;
  readonly updatedAt: string;
};

export type JobRequest = {
  readonly kind: JobKind;
  /** What a person would call it: a path, a base's name. */
  readonly subject: string;
  readonly kbId: string | null;
  readonly payload: Readonly<Record<string, unknown>>;
  /** While a job of this kind and key is waiting or running, adding another one does nothing. */
  readonly key?: string;
  /** Smaller first: somebody waits for it (0), a batch (10), tidying up (20). Kinds have their own order above this. */
  readonly priority?: number;
  /** Among equals the smaller goes first. */
  readonly size?: number;
  readonly unit: string;
  readonly total?: number;
  readonly delayMs?: number;
};

export type JobContext = {
  readonly id: string;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly attempt: number;
  /** Aborted by cancel and by the box closing. Work stops at its next safe point by throwing `signal.reason`. */
  readonly signal: AbortSignal;
  /** Written now and then; the estimate follows from the measured rate. */
  progress(done: number, total?: number | null): void;
  /** True when work that comes first is waiting: return `{ againInMs: 0 }` at the next safe point. */
  shouldYield(): boolean;
};

export type JobHandler = {
  readonly kind: JobKind;
  readonly concurrency: number;
  /** Resolves when done, or with `againInMs` to be continued later without counting as a failure. Throws with a reason. */
  run(context: JobContext): Promise<void | { readonly againInMs: number }>;
};

export type JobRunner = {
  register(handler: JobHandler): void;
  /** Durable when the surrounding transaction is. False: there is one already. */
  add(request: JobRequest): boolean;
  /** Waiting jobs of this kind become due at once (what they waited for has come). */
  hurry(kind: JobKind): void;
  list(query?: { readonly state?: string; readonly limit?: number }): readonly JobInfo[];
  /** Waiting and running ones with this key or of this base. */
  listOpen(kind: JobKind, kbId?: string): readonly JobInfo[];
  cancel(id: string): void;
  /** A failed or cancelled job goes back into the queue. */
  retry(id: string): void;
  /** The running job with the most to do goes back into the queue at its next safe point. null: none runs. */
  pauseLargest(): JobInfo | null;
  /** While held no job begins. */
  hold(held: boolean): void;
  counts(): { readonly running: number; readonly queued: number; readonly failed: number };
  /** Called after any job changed its state. Returns how to stop listening. */
  onChange(listener: (job: JobInfo) => void): () => void;
  start(): void;
  /** Stops at safe points; what was running goes back into the queue. */
  stop(): Promise<void>;
};
