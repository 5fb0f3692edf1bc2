/** @file Rows of jobs. When to try again, and what a failure means, is decided in the jobs room. */
import type { ErrorRecord } from "#base";
import type { JobInfo, JobKind, JobState } from "#contracts";
import type { Connection } from "./connection.ts";

export type JobRow = JobInfo & {
  /** At most one open job of a kind has the same key. */
  readonly key: string | null;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly priority: number;
  readonly size: number;
  readonly cancel: boolean;
};

export type NewJob = {
  readonly id: string;
  readonly kind: JobKind;
  readonly subject: string;
  readonly key: string | null;
  readonly kbId: string | null;
  readonly payload: Readonly<Record<string, unknown>>;
  /** Smaller runs first; then smaller size. */
  readonly priority: number;
  readonly size: number;
  readonly unit: string;
  readonly total: number | null;
  readonly notBefore: number;
  readonly at: string;
};

const columns = `id, kind, subject, key, kb_id AS kbId, payload, state, priority, size, attempts, done, total, unit, eta_seconds AS etaSeconds, cancel, error, created_at AS createdAt, updated_at AS updatedAt`;

type Stored = Omit<JobRow, "payload" | "error" | "progress" | "cancel"> & {
  payload: string;
  error: string | null;
  done: number;
  total: number | null;
  unit: string;
  etaSeconds: number | null;
  cancel: number;
};

function readJob({ done, total, unit, etaSeconds, ...row }: Stored): JobRow {
  return {
    ...row,
    payload: JSON.parse(row.payload),
    error: row.error === null ? null : JSON.parse(row.error),
    cancel: row.cancel === 1,
    progress: { done, total, unit, etaSeconds },
  };
}

export type JobRepository = ReturnType<typeof createJobRepository>;

/**
 * Only `insert` and what a person asked for wait for the disk: after a power cut a job that was claimed or finished a moment ago
 * may run once more, and all jobs can.
 */
export function createJobRepository(connection: Connection) {
  const relaxed = <T>(work: () => T): T => connection.transaction(work, { durable: false });
  const find = (id: string): JobRow | undefined => {
    const row = connection.get<Stored>(`SELECT ${columns} FROM jobs WHERE id = ?`, id);
    return row === undefined ? undefined : readJob(row);
  };
  return {
    find,
    /** Several of the calls below as one commit. */
    together: relaxed,
    /** False when an open job of this kind and key is there already. */
    insert: (job: NewJob) =>
      connection.run(
        `INSERT INTO jobs (id, kind, subject, key, kb_id, payload, state, priority, size, not_before, total, unit, created_at, updated_at)
         SELECT ?, ?, ?, ?, ?, ?, 'queued', ?, ?, ?, ?, ?, ?, ?
         WHERE ? IS NULL OR NOT EXISTS (SELECT 1 FROM jobs WHERE kind = ? AND key = ? AND state IN ('queued', 'running'))`,
        job.id,
        job.kind,
        job.subject,
        job.key,
        job.kbId,
        JSON.stringify(job.payload),
        job.priority,
        job.size,
        job.notBefore,
        job.total,
        job.unit,
        job.at,
        job.at,
        job.key,
        job.kind,
        job.key,
      ).changes > 0,
    /** Takes the next due job of these kinds. */
    claim(kinds: readonly JobKind[], owner: string, now: number, at: string): JobRow | undefined {
      if (kinds.length === 0) return undefined;
      const row = connection.get<{ id: string }>(
        `SELECT id FROM jobs INDEXED BY jobs_next WHERE state = 'queued' AND not_before <= ? AND kind IN (${kinds.map(() => "?").join(", ")}) ORDER BY priority, size, created_at, id LIMIT 1`,
        now,
        ...kinds,
      );
      if (row === undefined) return undefined;
      relaxed(() =>
        connection.run(
          "UPDATE jobs SET state = 'running', owner = ?, heartbeat = ?, attempts = attempts + 1, updated_at = ? WHERE id = ? AND state = 'queued'",
          owner,
          now,
          at,
          row.id,
        ),
      );
      return find(row.id);
    },
    /** When the earliest waiting job becomes due; null: none waits. */
    nextDue(kinds: readonly JobKind[]): number | null {
      let due: number | null = null;
      for (const kind of kinds) {
        const row = connection.get<{ due: number }>(
          "SELECT not_before AS due FROM jobs WHERE state = 'queued' AND kind = ? ORDER BY not_before LIMIT 1",
          kind,
        );
        if (row !== undefined && (due === null || row.due < due)) due = row.due;
      }
      return due;
    },
    progress: (
      id: string,
      progress: { readonly done: number; readonly total: number | null; readonly etaSeconds: number | null },
      now: number,
      at: string,
    ) =>
      relaxed(() =>
        connection.run(
          "UPDATE jobs SET done = ?, total = ?, eta_seconds = ?, heartbeat = ?, updated_at = ? WHERE id = ?",
          progress.done,
          progress.total,
          progress.etaSeconds,
          now,
          at,
          id,
        ),
      ),
    /** With the last progress, if there was any. */
    finish: (
      id: string,
      state: Exclude<JobState, "queued" | "running">,
      error: ErrorRecord | null,
      at: string,
      progress?: { readonly done: number; readonly total: number | null },
    ) =>
      relaxed(() =>
        connection.run(
          "UPDATE jobs SET state = ?, error = ?, owner = NULL, eta_seconds = NULL, done = coalesce(?, done), total = coalesce(?, total), updated_at = ? WHERE id = ?",
          state,
          error === null ? null : JSON.stringify(error),
          progress?.done ?? null,
          progress?.total ?? null,
          at,
          id,
        ),
      ),
    /** Back into the queue: for a fault that may pass, or to make way for others. */
    requeue: (
      id: string,
      notBefore: number,
      error: ErrorRecord | null,
      at: string,
      attempts?: number,
      progress?: { readonly done: number; readonly total: number | null },
    ) =>
      relaxed(() =>
        connection.run(
          "UPDATE jobs SET state = 'queued', not_before = ?, error = ?, owner = NULL, cancel = 0, attempts = coalesce(?, attempts), done = coalesce(?, done), total = coalesce(?, total), updated_at = ? WHERE id = ?",
          notBefore,
          error === null ? null : JSON.stringify(error),
          attempts ?? null,
          progress?.done ?? null,
          progress?.total ?? null,
          at,
          id,
        ),
      ),
    makeDue: (kind: JobKind, at: string) =>
      connection.run("UPDATE jobs SET not_before = 0, updated_at = ? WHERE kind = ? AND state = 'queued' AND not_before > 0", at, kind),
    requestCancel: (id: string, at: string) =>
      connection.run("UPDATE jobs SET cancel = 1, updated_at = ? WHERE id = ? AND state IN ('queued', 'running')", at, id),
    /** Whoever ran these is dead: this process holds the data folder now. */
    requeueOrphans: (owner: string, at: string) =>
      connection.run(
        "UPDATE jobs SET state = 'queued', owner = NULL, not_before = 0, attempts = max(0, attempts - 1), updated_at = ? WHERE state = 'running' AND owner IS NOT ?",
        at,
        owner,
      ).changes,
    list({ state, limit }: { readonly state?: string; readonly limit: number }) {
      const rows =
        state === undefined
          ? connection.all<Stored>(`SELECT ${columns} FROM jobs ORDER BY updated_at DESC, id DESC LIMIT ?`, limit)
          : connection.all<Stored>(`SELECT ${columns} FROM jobs WHERE state = ? ORDER BY updated_at DESC, id DESC LIMIT ?`, state, limit);
      return rows.map(readJob);
    },
    listOpen: (kind: JobKind, kbId?: string) =>
      connection
        .all<Stored>(
          `SELECT ${columns} FROM jobs WHERE state IN ('queued', 'running') AND kind = ? AND (? IS NULL OR kb_id = ?)`,
          kind,
          kbId ?? null,
          kbId ?? null,
        )
        .map(readJob),
    findOpen(kind: JobKind, key: string): JobRow | undefined {
      const row = connection.get<Stored>(`SELECT ${columns} FROM jobs WHERE state IN ('queued', 'running') AND kind = ? AND key = ?`, kind, key);
      return row === undefined ? undefined : readJob(row);
    },
    counts: () =>
      connection.get<{ running: number; queued: number; failed: number }>(
        "SELECT coalesce(sum(state = 'running'), 0) AS running, coalesce(sum(state = 'queued'), 0) AS queued, coalesce(sum(state = 'failed'), 0) AS failed FROM jobs",
      ) as { running: number; queued: number; failed: number },
    /** Lines about something that was removed. */
    forget: (kbId: string, subject: string) =>
      connection.run("DELETE FROM jobs WHERE kb_id = ? AND subject = ? AND state <> 'running'", kbId, subject),
    /** All lines of a base that was removed; those still running end by themselves. */
    forgetBase: (kbId: string) => connection.run("DELETE FROM jobs WHERE kb_id = ? AND state <> 'running'", kbId),
    /** Finished jobs are kept for people to look at, not for ever. */
    removeFinished: (before: string) => connection.run("DELETE FROM jobs WHERE state IN ('done', 'cancelled') AND updated_at < ?", before).changes,
  };
}
