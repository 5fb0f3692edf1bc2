/** @file OperationsService: backups by hand and by night, what the disk holds, which copies an upgrade left. */
import fs from "node:fs";
import path from "node:path";
import { type Logger, newId, StarboxError, toErrorRecord } from "#base";
import type { BackupInfo, BackupSchedule, BackupState, OperationsService, RehearsalReport, StorageReport, UpdateState } from "#contracts";
import { createBackup, type DatabaseDoor } from "./backup/backup.ts";
import { readPassphrase } from "./backup/passphrase.ts";
import { listBackups, type RestoreDoor, rehearseRestore } from "./backup/restore.ts";
import { listSnapshotIds, removeSnapshot, rotate, withFolderLock } from "./backup/snapshots.ts";
import { openVault } from "./backup/vault.ts";
import { defaultSchedule, isDue, nextDue } from "./nightly.ts";

export type OperationsDeps = {
  readonly dataDir: string;
  readonly settings: { readonly backups: string; readonly backupKeyFile: string };
  readonly store: { read(key: string): string | null; write(key: string, value: string): unknown };
  readonly database: DatabaseDoor & Pick<RestoreDoor, "check">;
  readonly version: string;
  readonly storage: () => StorageReport;
  readonly updates: () => UpdateState;
  readonly logger: Logger;
  readonly now: () => number;
};

export type Operations = OperationsService & {
  /** Looks at the clock now and then. */
  start(): void;
  /** Waits for a backup under way. */
  stop(): Promise<void>;
};

const lookEveryMs = 30_000;
type Last = NonNullable<BackupState["last"]>;

export function createOperations(deps: OperationsDeps): Operations {
  const { dataDir, settings, store, logger, now } = deps;
  const folder = settings.backups === "" ? path.join(dataDir, "backups") : path.resolve(settings.backups);
  const passphrase = (): string | null => readPassphrase(settings.backupKeyFile);
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<unknown> | null = null;

  const readJson = <T>(key: string): T | null => {
    const text = store.read(key);
    return text === null ? null : (JSON.parse(text) as T);
  };
  const schedule = (): BackupSchedule => ({ ...defaultSchedule, ...readJson<Partial<BackupSchedule>>("backup.schedule") });
  const last = (): Last | null => readJson<Last>("backup.last");
  const lastAt = (): number | null => {
    const found = last();
    return found === null ? null : Date.parse(found.at);
  };
  const note = (backupId: string | null, error: string | null): void =>
    void store.write("backup.last", JSON.stringify({ at: new Date(now()).toISOString(), backupId, error } satisfies Last));

  /** One at a time: a second call joins neither; it is told. */
  const exclusively = async <T>(work: () => Promise<T>): Promise<T> => {
    if (running !== null)
      throw new StarboxError("busy", "A backup or a rehearsal is under way.", {
        hint: "Wait until it is done.",
        zh: { message: "正在备份或演练恢复。", hint: "请等待其完成。" },
        retryAfterSeconds: 30,
      });
    const done = work();
    running = done;
    try {
      return await done;
    } finally {
      running = null;
    }
  };

  const backupNow = async (withModels: boolean): Promise<BackupInfo> => {
    try {
      const made = await createBackup({ dataDir, folder, passphrase: passphrase(), withModels, version: deps.version, database: deps.database, now });
      note(made.id, null);
      logger.info({ backup: made.id, bytes: made.sizeBytes, stored: made.storedBytes, seconds: made.seconds }, "backup: done");
      return made;
    } catch (error) {
      note(null, toErrorRecord(error).message);
      logger.error({ error: toErrorRecord(error) }, "backup: failed");
      throw error;
    }
  };

  const rehearseNow = async (id: string | null): Promise<RehearsalReport> => {
    const workFolder = path.join(dataDir, "tmp", newId("rehearsal"));
    const report = await rehearseRestore({ folder, passphrase: passphrase(), id, database: deps.database, workFolder, now });
    store.write("backup.rehearsal", JSON.stringify(report));
    logger[report.ok ? "info" : "error"]({ backup: report.backupId, ok: report.ok, checks: report.checks }, "backup: restore rehearsed");
    return report;
  };

  const night = async (): Promise<void> => {
    const made = await backupNow(false);
    const { removed, freedBytes } = await withFolderLock(
      folder,
      async () => await rotate(await openVault(folder, { passphrase: passphrase(), create: false }), schedule()),
    );
    if (removed > 0) logger.info({ removed, freedBytes }, "backup: rotation");
    if (schedule().rehearse) await rehearseNow(made.id);
  };

  const look = (): void => {
    if (running !== null || !isDue(schedule(), lastAt(), now())) return;
    exclusively(night).catch((error: unknown) => logger.error({ error: toErrorRecord(error) }, "backup: the night's round failed"));
  };

  const readState = async (): Promise<BackupState> => {
    const plan = schedule();
    const next = nextDue(plan, lastAt(), now());
    return {
      folder,
      encrypted: settings.backupKeyFile !== "",
      sameDisk: onOneDisk(folder, dataDir),
      schedule: plan,
      nextAt: next === null ? null : new Date(next).toISOString(),
      running: running !== null,
      last: last(),
      rehearsal: readJson<RehearsalReport>("backup.rehearsal"),
    };
  };

  return {
    backup: async (options) => await exclusively(async () => await backupNow(options?.withModels ?? false)),
    listBackups: async () => (fs.existsSync(path.join(folder, "snapshots")) ? await listBackups(folder, passphrase()) : []),
    async removeBackup(id) {
      await withFolderLock(folder, async () => {
        const vault = await openVault(folder, { passphrase: passphrase(), create: false });
        if (!(await listSnapshotIds(vault)).includes(id))
          throw new StarboxError("not_found", `There is no backup ${id}.`, { zh: { message: `没有备份 ${id}。` } });
        await removeSnapshot(vault, id);
        await rotate(vault, { keepDaily: 1 << 20, keepWeekly: 0, keepMonthly: 0 });
      });
    },
    rehearse: async (id) => await exclusively(async () => await rehearseNow(id ?? null)),
    readState,
    async writeSchedule(patch) {
      store.write("backup.schedule", JSON.stringify(checkedSchedule({ ...schedule(), ...patch })));
      return await readState();
    },
    storage: async () => deps.storage(),
    updates: async () => deps.updates(),
    start() {
      timer = setInterval(look, lookEveryMs).unref();
      setTimeout(look, 60_000).unref();
    },
    async stop() {
      clearInterval(timer);
      await running?.catch(() => undefined);
    },
  };
}

function checkedSchedule(schedule: BackupSchedule): BackupSchedule {
  const numbers = [schedule.keepDaily, schedule.keepWeekly, schedule.keepMonthly];
  if (/^([01]\d|2[0-3]):[0-5]\d$/.test(schedule.at) && numbers.every((count) => Number.isInteger(count) && count >= 0 && count <= 1000))
    return schedule;
  throw new StarboxError("invalid_input", `Expected a time HH:MM and numbers from 0 to 1000, got ${schedule.at} and ${numbers.join(", ")}.`, {
    zh: { message: `时间应为 HH:MM，保留份数应为 0 到 1000 的整数。` },
  });
}

function onOneDisk(folder: string, dataDir: string): boolean {
  const existing = (where: string): string => (fs.existsSync(where) ? where : existing(path.dirname(where)));
  return fs.statSync(existing(folder)).dev === fs.statSync(existing(dataDir)).dev;
}
