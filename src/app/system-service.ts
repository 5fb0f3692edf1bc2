/** @file SystemService: readiness, machine, jobs and metrics of this box. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { type Settings, StarboxError } from "#base";
import type { Access, Actor, BackupState, DiskLevel, JobInfo, ModelsService, ReadyState, SystemInfo, SystemService } from "#contracts";
import { createBoxMetrics } from "./box-metrics.ts";
import { doctor } from "./doctor.ts";
import { boxProcesses, folderBytes, readDisk, readMachine } from "./machine.ts";

export type JobsDoor = {
  list(query?: { readonly state?: string; readonly limit?: number }): readonly JobInfo[];
  cancel(id: string): void;
  retry(id: string): void;
  counts(): { readonly running: number; readonly queued: number; readonly failed: number };
};

export type EngineStatus = {
  readonly model: string;
  readonly running: number;
  readonly waiting: number;
  readonly limit: number;
  readonly processes: readonly { readonly name: string; readonly pid: number }[];
};

const packageVersion = (JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { version: string }).version;
export const readVersion = (): string => packageVersion;

/** A bundle brings the name of its commit; undefined: this is none. */
function bundledCommit(): string | null | undefined {
  try {
    return readFileSync(new URL("../../.commit", import.meta.url), "utf8").trim() || null;
  } catch {
    return undefined;
  }
}

let commitSeen: string | null | undefined;
/** The commit the box runs from; null outside a clone. */
export function readCommit(): string | null {
  if (commitSeen === undefined) commitSeen = bundledCommit();
  if (commitSeen === undefined) {
    try {
      commitSeen = execFileSync("git", ["rev-parse", "--short", "HEAD"], {
        cwd: new URL("../..", import.meta.url),
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
      }).trim();
    } catch {
      commitSeen = null;
    }
  }
  return commitSeen;
}

const isAdministrator = (actor: Actor): boolean => actor.role === "operator" || actor.role === "administrator";

/** A file's job is for those who may write the file; a whole base's counts every file, so it is for those who manage it. */
function mayFollow(access: Access, actor: Actor, job: JobInfo): boolean {
  if (job.kind === "pull" || isAdministrator(actor)) return true;
  if (job.kbId === null) return false;
  if (job.kind !== "ingest") return access.base(actor, job.kbId) === "manage";
  const level = access.path(actor, job.kbId, job.subject);
  return level === "write" || level === "manage";
}

export function createSystemService(parts: {
  readonly access: Access;
  readonly findJob: (id: string) => JobInfo | undefined;
  readonly settings: Settings;
  readonly models: ModelsService;
  readonly jobs: JobsDoor;
  readonly engines: () => readonly EngineStatus[];
  readonly checkDatabase: () => Promise<string>;
  /** Ids of the models that have answered since the box started; null where nobody waits for that (command line alone). */
  readonly answered: ReadonlySet<string> | null;
  readonly serving: boolean;
  readonly backups: () => Promise<BackupState>;
  readonly diskLevel: () => Promise<DiskLevel>;
}): SystemService {
  const { settings, models, jobs } = parts;
  const started = Date.now();

  const ready = async (): Promise<ReadyState> => {
    const missing: ReadyState["missing"][number][] = [];
    const list = await models.list();
    const defaults = models.defaults();
    for (const [what, id] of [
      ["language-model", defaults.language],
      ["embedder", defaults.embedding],
    ] as const) {
      if (id === null) continue; // switched off by a setting: nothing to wait for
      const model = list.find((item) => item.id === id);
      const onDisk = model !== undefined && (model.state === "ready" || model.state === "loaded");
      if (onDisk && (parts.answered === null || parts.answered.has(id))) continue;
      const detail =
        model === undefined
          ? `${id} is not in the catalogue`
          : model.error !== undefined
            ? `${id}: ${model.error.message}`
            : `${id}: ${onDisk ? "loading" : model.state}`;
      missing.push({ what, detail, etaSeconds: model?.progress?.etaSeconds ?? null });
    }
    return { ready: missing.length === 0, missing };
  };

  const engineNames = (): ReadonlyMap<number, string> =>
    new Map(parts.engines().flatMap(({ processes }) => processes.map(({ pid, name }) => [pid, name] as const)));

  const info = async (): Promise<SystemInfo> => ({
    version: packageVersion,
    commit: readCommit(),
    uptimeSeconds: Math.round((Date.now() - started) / 1000),
    machine: readMachine(),
    disk: { ...readDisk(settings.data), dataBytes: folderBytes(settings.data) },
    processes: boxProcesses().map((process) => ({ ...process, name: engineNames().get(process.pid) ?? process.name })),
    queue: parts.engines().map(({ model, running, waiting, limit }) => ({ model, running, waiting, limit })),
    jobs: jobs.counts(),
    dataFolder: settings.data,
  });

  const metrics = createBoxMetrics({ info, backups: parts.backups, disk: parts.diskLevel });

  const own = (actor: Actor, id: string): string => {
    const job = parts.findJob(id);
    if (job !== undefined && actor.viewedBy === undefined && mayFollow(parts.access, actor, job)) return id;
    throw new StarboxError("not_found", `There is no job ${id}.`, { hint: "GET /api/jobs lists them.", zh: { message: `没有任务 ${id}。` } });
  };
  return {
    ready,
    info,
    metrics,
    doctor: () => doctor({ settings, models, checkDatabase: parts.checkDatabase, serving: parts.serving, backups: parts.backups }),
    async listJobs(actor, query) {
      const limit = query?.limit ?? 200;
      // Those left out must not shorten the list.
      return jobs
        .list({ ...query, limit: isAdministrator(actor) ? limit : 2000 })
        .filter((job) => mayFollow(parts.access, actor, job))
        .slice(0, limit);
    },
    cancelJob: async (actor, id) => jobs.cancel(own(actor, id)),
    retryJob: async (actor, id) => jobs.retry(own(actor, id)),
  };
}
