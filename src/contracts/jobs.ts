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
