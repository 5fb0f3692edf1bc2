/** @file Runs durable jobs one process at a time: order, retries, progress, cancel, picking up after a crash. Knows no kind of work. */
import { type ErrorRecord, type Logger, newId, StarboxError, silentLogger, toErrorRecord } from "#base";
import type { JobContext, JobHandler, JobInfo, JobKind, JobRequest, JobRunner } from "#contracts";
import type { JobRepository, JobRow } from "#storage";
import { createRate } from "./rate.ts";
import { isPassing, retryDelayMs } from "./retry.ts";

/** Words before vectors, tidying up in between: a kind waits while one above it has work that is due. */
const kindOrder: Readonly<Record<JobKind, number>> = { pull: 0, ingest: 0, purge: 1, embed: 2, reembed: 3 };

const progressEveryMs = 500;
/** After a write that failed. */
const retryWriteMs = 3000;

type Running = { readonly job: JobRow; readonly abort: AbortController; finished: Promise<void>; progress: JobInfo["progress"] };

type Options = { readonly store: JobRepository; readonly logger?: Logger; readonly now?: () => number };

/** Why a job was interrupted. */
const closing = new StarboxError("cancelled", "The box is closing; the work goes on when it starts again.");
const paused = new StarboxError("cancelled", "Memory is short; the work goes on when there is enough.");
const cancelled = new StarboxError("cancelled", "Cancelled.", { zh: { message: "已取消。" } });

export function createJobRunner({ store, logger = silentLogger, now = Date.now }: Options): JobRunner {
  const owner = newId("run");
  const handlers = new Map<JobKind, JobHandler>();
  const running = new Map<string, Running>();
  const listeners = new Set<(job: JobInfo) => void>();
  /** Outcomes that are not in the table yet, and jobs taken from it that do not run yet: both only between two commits. */
  const outcomes: (() => void)[] = [];
  const claimed: JobRow[] = [];
  let started = false;
  let held = false;
  let timer: NodeJS.Timeout | undefined;
  let planned = false;
  const at = (): string => new Date(now()).toISOString();

  const announce = (id: string): void => {
    const job = store.find(id);
    if (job === undefined) return;
    for (const listener of listeners) listener(presentJob(job));
  };
  const runningOf = (kind: JobKind): number =>
    claimed.filter((job) => job.kind === kind).length + [...running.values()].filter((entry) => entry.job.kind === kind).length;

  /** Kinds with a free place, none of which would run ahead of work that comes first. */
  const claimable = (moment: number): JobKind[] => {
    const kinds = [...handlers.values()].filter((handler) => runningOf(handler.kind) < handler.concurrency).map((handler) => handler.kind);
    return kinds.filter((kind) => !hasAhead(kind, moment));
  };
  /** Work of an earlier kind that runs or could run now. */
  const hasAhead = (kind: JobKind, moment: number): boolean => {
    const ahead = [...handlers.keys()].filter((other) => kindOrder[other] < kindOrder[kind] && other !== "pull");
    if (ahead.length === 0) return false;
    if (ahead.some((other) => runningOf(other) > 0)) return true;
    const due = store.nextDue(ahead);
    return due !== null && due <= moment;
  };

  const schedule = (): void => {
    if (!started || planned) return;
    planned = true;
    setImmediate(() => {
      planned = false;
      fill();
    });
  };
  /** Records what ended, starts what can be started (one commit for both), and sleeps until the next job becomes due. */
  const fill = (): void => {
    clearTimeout(timer);
    if (!started && outcomes.length === 0) return;
    // One moment for both: a job that becomes due between the claim and the alarm would get neither.
    const moment = now();
    const taken: JobRow[] = [];
    try {
      store.together(() => {
        for (const write of outcomes) write();
        for (let job = next(moment); job !== undefined; job = next(moment)) claimed.push(job);
      });
      outcomes.length = 0;
      taken.push(...claimed);
      const due = store.nextDue([...handlers.keys()]);
      if (due !== null && due > moment) timer = setTimeout(schedule, Math.min(due - moment, 60_000)).unref();
    } catch (error) {
      // A full disk stops the queue, not the box; what ended is recorded when there is room again.
      logger.error({ error: toErrorRecord(error) }, "jobs: the queue cannot be written");
      if (started) timer = setTimeout(schedule, retryWriteMs).unref();
    } finally {
      claimed.length = 0;
    }
    for (const job of taken) launch(job);
  };
  const next = (moment: number): JobRow | undefined => (started && !held ? store.claim(claimable(moment), owner, moment, at()) : undefined);

  const launch = (job: JobRow): void => {
    const handler = handlers.get(job.kind) as JobHandler;
    const abort = new AbortController();
    const rate = createRate(now);
    let writtenAt = now();
    const entry: Running = { job, abort, finished: Promise.resolve(), progress: job.progress };
    const context: JobContext = {
      id: job.id,
      payload: job.payload,
      attempt: job.attempts,
      signal: abort.signal,
      shouldYield: () => hasAhead(job.kind, now()),
      progress(done, total = entry.progress.total) {
        rate.add(done);
        entry.progress = { done, total, unit: job.progress.unit, etaSeconds: rate.etaSeconds(done, total) };
        if (now() - writtenAt < progressEveryMs) return;
        writtenAt = now();
        store.progress(job.id, entry.progress, now(), at());
        announce(job.id);
      },
    };
    entry.finished = (async () => {
      await Promise.resolve();
      if (job.cancel) throw cancelled;
      return await handler.run(context);
    })().then(
      (outcome) =>
        settle(entry, () => {
          // Coming back later is no failure: the attempt does not count.
          if (typeof outcome === "object") store.requeue(job.id, now() + outcome.againInMs, null, at(), job.attempts - 1, entry.progress);
          else store.finish(job.id, "done", null, at(), entry.progress);
        }),
      (error: unknown) => settle(entry, () => fail(job, abort.signal, error)),
    );
    running.set(job.id, entry);
    announce(job.id);
  };

  const fail = (job: JobRow, signal: AbortSignal, error: unknown): void => {
    const record: ErrorRecord = toErrorRecord(error);
    if (signal.aborted && (signal.reason === closing || signal.reason === paused)) store.requeue(job.id, 0, null, at(), job.attempts - 1);
    else if (signal.aborted || error === cancelled) store.finish(job.id, "cancelled", null, at());
    else if (isPassing(record.code, job.attempts)) store.requeue(job.id, now() + retryDelayMs(job.attempts), record, at());
    else store.finish(job.id, "failed", record, at());
    if (!signal.aborted)
      logger.warn({ job: job.id, kind: job.kind, code: record.code, message: record.message, attempt: job.attempts }, "jobs: failed");
  };

  const settle = (entry: Running, write: () => void): void => {
    running.delete(entry.job.id);
    outcomes.push(() => {
      write();
      announce(entry.job.id);
    });
    if (started) schedule();
    else fill();
  };

  const presentJob = ({ key: _key, payload: _payload, priority: _priority, size: _size, cancel: _cancel, ...job }: JobRow): JobInfo => {
    const live = running.get(job.id);
    return live === undefined ? job : { ...job, progress: live.progress };
  };

  return {
    register(handler) {
      handlers.set(handler.kind, handler);
      schedule();
    },
    add(request) {
      const added = store.insert(toRow(request, now(), at()));
      schedule();
      return added;
    },
    hurry(kind) {
      store.makeDue(kind, at());
      schedule();
    },
    list: (query = {}) => store.list({ limit: query.limit ?? 200, ...(query.state === undefined ? {} : { state: query.state }) }).map(presentJob),
    listOpen: (kind, kbId) => store.listOpen(kind, kbId).map(presentJob),
    cancel(id) {
      const job = store.find(id);
      if (job === undefined) throw jobNotFound(id);
      const live = running.get(id);
      if (live !== undefined) {
        store.requestCancel(id, at());
        live.abort.abort(cancelled);
      } else if (job.state === "queued") {
        store.finish(id, "cancelled", null, at());
        announce(id);
      }
    },
    retry(id) {
      const job = store.find(id);
      if (job === undefined) throw jobNotFound(id);
      if (job.state !== "failed" && job.state !== "cancelled") return;
      if (job.key !== null && store.findOpen(job.kind, job.key) !== undefined) return;
      store.requeue(id, 0, null, at(), 0);
      announce(id);
      schedule();
    },
    pauseLargest() {
      const [largest] = [...running.values()]
        .filter(({ abort, job }) => !abort.signal.aborted && job.kind !== "pull")
        .sort((a, b) => b.job.size - a.job.size);
      if (largest === undefined) return null;
      largest.abort.abort(paused);
      return presentJob(largest.job);
    },
    hold(value) {
      held = value;
      if (!held) schedule();
    },
    counts: () => store.counts(),
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    start() {
      const orphans = store.requeueOrphans(owner, at());
      if (orphans > 0) logger.info({ jobs: orphans }, "jobs: resuming what a stopped box left");
      store.removeFinished(new Date(now() - 7 * 86_400_000).toISOString());
      started = true;
      schedule();
    },
    async stop() {
      started = false;
      clearTimeout(timer);
      const open = [...running.values()];
      for (const entry of open) entry.abort.abort(closing);
      await Promise.all(open.map((entry) => entry.finished));
      fill();
    },
  };
}

function toRow(request: JobRequest, now: number, at: string): Parameters<JobRepository["insert"]>[0] {
  return {
    id: newId("job", now),
    kind: request.kind,
    subject: request.subject,
    key: request.key ?? null,
    kbId: request.kbId,
    payload: request.payload,
    priority: kindOrder[request.kind] * 100 + (request.priority ?? 10),
    size: request.size ?? 0,
    unit: request.unit,
    total: request.total ?? null,
    notBefore: request.delayMs === undefined ? 0 : now + request.delayMs,
    at,
  };
}

function jobNotFound(id: string): StarboxError {
  return new StarboxError("not_found", `There is no job ${id}.`, { hint: "GET /api/jobs lists them.", zh: { message: `没有任务 ${id}。` } });
}
