/** @file Snapshots in a backup folder: one list of files each, which of them to keep, and one writer at a time. */
import fs from "node:fs";
import fsp from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import { StarboxError } from "#base";
import type { BackupInfo, BackupSchedule } from "#contracts";
import { type Vault, writeWhole } from "./vault.ts";

const snapshotSchema = z.object({
  format: z.literal(1),
  id: z.string(),
  at: z.string(),
  version: z.string(),
  schema: z.number(),
  sizeBytes: z.number(),
  storedBytes: z.number(),
  seconds: z.number(),
  withModels: z.boolean(),
  models: z.array(z.object({ id: z.string(), sha256: z.string(), sizeBytes: z.number(), source: z.string() })),
  /** Rows of every table: a restore must find the same. */
  rows: z.record(z.string(), z.number()),
  files: z.array(z.object({ path: z.string(), mode: z.number(), size: z.number(), pieces: z.array(z.string()) })),
});
export type Snapshot = z.infer<typeof snapshotSchema>;

const folderOf = (vault: Vault): string => path.join(vault.folder, "snapshots");
const suffix = ".snapshot";

export async function writeSnapshot(vault: Vault, snapshot: Snapshot): Promise<void> {
  const sealed = await vault.seal(snapshot.id, Buffer.from(JSON.stringify(snapshot)));
  await writeWhole(path.join(folderOf(vault), `${snapshot.id}${suffix}`), sealed);
}

export async function readSnapshot(vault: Vault, id: string): Promise<Snapshot> {
  if (!/^[\w-]+$/.test(id)) throw noBackup(id);
  const sealed = await fsp.readFile(path.join(folderOf(vault), `${id}${suffix}`)).catch(() => {
    throw noBackup(id);
  });
  return snapshotSchema.parse(JSON.parse(Buffer.from(await vault.open(id, sealed)).toString("utf8")));
}

const noBackup = (id: string): StarboxError =>
  new StarboxError("not_found", `There is no backup ${id}.`, {
    hint: "starbox restore --list shows those there are.",
    zh: { message: `没有备份 ${id}。`, hint: "用 starbox restore --list 查看已有备份。" },
  });

/** Newest first, by the time in their names: a damaged one is still listed by `readSnapshot`'s error, not hidden. */
export async function listSnapshotIds(vault: Vault): Promise<readonly string[]> {
  const names = await fsp.readdir(folderOf(vault)).catch(() => [] as string[]);
  return names
    .filter((name) => name.endsWith(suffix))
    .map((name) => name.slice(0, -suffix.length))
    .sort()
    .reverse();
}

export async function removeSnapshot(vault: Vault, id: string): Promise<void> {
  await fsp.rm(path.join(folderOf(vault), `${id}${suffix}`), { force: true });
}

export const presentSnapshot = (snapshot: Snapshot, encrypted: boolean): BackupInfo => {
  const { format: _format, rows: _rows, files, ...rest } = snapshot;
  return { ...rest, files: files.length, encrypted };
};

type Keep = Pick<BackupSchedule, "keepDaily" | "keepWeekly" | "keepMonthly">;

/** The newest of each of the last days, weeks and months that have one; the newest of all whatever the numbers say. */
export function chooseKept(snapshots: readonly { readonly id: string; readonly at: string }[], keep: Keep): ReadonlySet<string> {
  const sorted = [...snapshots].sort((a, b) => (a.at < b.at ? 1 : -1));
  const kept = new Set(sorted.slice(0, 1).map(({ id }) => id));
  const periods: readonly [number, (at: Date) => string][] = [
    [keep.keepDaily, (at) => at.toISOString().slice(0, 10)],
    [keep.keepWeekly, (at) => String(Math.floor((at.getTime() / 86_400_000 + 3) / 7))], // weeks begin on Monday
    [keep.keepMonthly, (at) => at.toISOString().slice(0, 7)],
  ];
  for (const [count, periodOf] of periods) {
    const seen = new Set<string>();
    for (const { id, at } of sorted) {
      const period = periodOf(new Date(at));
      if (seen.has(period) || seen.size >= count) continue;
      seen.add(period);
      kept.add(id);
    }
  }
  return kept;
}

/** Removes what rotation does not keep, and pieces nobody names. A snapshot that cannot be read stops it: its pieces are not known. */
export async function rotate(vault: Vault, keep: Keep): Promise<{ readonly removed: number; readonly freedBytes: number }> {
  const ids = await listSnapshotIds(vault);
  const snapshots = await Promise.all(ids.map((id) => readSnapshot(vault, id)));
  const kept = chooseKept(snapshots, keep);
  for (const id of ids) if (!kept.has(id)) await removeSnapshot(vault, id);
  const used = new Set(snapshots.filter(({ id }) => kept.has(id)).flatMap(({ files }) => files.flatMap(({ pieces }) => pieces)));
  const { bytes } = await vault.removeUnless((id) => used.has(id));
  return { removed: ids.length - kept.size, freedBytes: bytes };
}

const lockStaleMs = 10 * 60_000;

/** One writer a folder: a backup beside a rotation would lose pieces. A lock nobody has touched for ten minutes is a dead one's. */
export async function withFolderLock<T>(folder: string, work: () => Promise<T>): Promise<T> {
  await fsp.mkdir(folder, { recursive: true, mode: 0o700 });
  const lock = path.join(folder, "writing.lock");
  const take = async (): Promise<boolean> =>
    await fsp.writeFile(lock, String(process.pid), { flag: "wx" }).then(
      () => true,
      () => false,
    );
  if (!(await take())) {
    const age = Date.now() - ((await fsp.stat(lock).catch(() => null))?.mtimeMs ?? 0);
    const mine = Number(await fsp.readFile(lock, "utf8").catch(() => "0"));
    if (age < lockStaleMs && age > -lockStaleMs && isAlive(mine))
      throw new StarboxError("busy", `A backup is being written to ${folder} already.`, {
        hint: "Wait until it is done.",
        zh: { message: `${folder} 正在写入另一个备份。`, hint: "请等待它完成。" },
        retryAfterSeconds: 60,
      });
    await fsp.rm(lock, { force: true });
    if (!(await take())) return await withFolderLock(folder, work);
  }
  const touch = setInterval(() => void fsp.utimes(lock, new Date(), new Date()).catch(() => undefined), 60_000).unref();
  try {
    return await work();
  } finally {
    clearInterval(touch);
    fs.rmSync(lock, { force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    return pid > 0 && process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
