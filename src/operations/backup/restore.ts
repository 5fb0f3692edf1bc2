/** @file A backup back into a data folder: written aside, checked whole, then moved into place. An unfinished restore leaves the old folder as it was. */
import fs from "node:fs";
import fsp from "node:fs/promises";
import path from "node:path";
import { StarboxError } from "#base";
import type { BackupInfo, RehearsalReport } from "#contracts";
import { listSnapshotIds, presentSnapshot, readSnapshot, type Snapshot } from "./snapshots.ts";
import { openVault, type Vault } from "./vault.ts";

export type RestoreDoor = {
  /** "ok", or what is wrong with the database in the folder. */
  check(dataDir: string): Promise<string>;
  describe(file: string): { readonly schema: number; readonly rows: Readonly<Record<string, number>>; readonly blobs: readonly string[] };
  /** Throws data_locked while a box uses the folder. */
  lock(dataDir: string): { release(): void };
};

export type RestoreOptions = {
  readonly folder: string;
  readonly passphrase: string | null;
  readonly dataDir: string;
  /** null: the newest. */
  readonly id: string | null;
  /** Moves what is in the data folder aside instead of refusing. */
  readonly force: boolean;
  readonly database: RestoreDoor;
};

export type Restored = BackupInfo & {
  /** Where the data that was there went; null: there was none. */
  readonly setAside: string | null;
  /** Models the backup names whose files are not in the folder: fetched or imported again. */
  readonly missingModels: readonly { readonly id: string; readonly sha256: string; readonly source: string }[];
};

export async function listBackups(folder: string, passphrase: string | null): Promise<readonly BackupInfo[]> {
  const vault = await openVault(folder, { passphrase, create: false });
  const ids = await listSnapshotIds(vault);
  return await Promise.all(ids.map(async (id) => presentSnapshot(await readSnapshot(vault, id), vault.encrypted)));
}

export async function restoreBackup(options: RestoreOptions): Promise<Restored> {
  const { vault, snapshot } = await openSnapshot(options.folder, options.passphrase, options.id);
  const target = path.resolve(options.dataDir);
  const isUsed = fs.existsSync(target) && fs.readdirSync(target).some((name) => name !== "backups");
  if (isUsed && !options.force) {
    throw new StarboxError("conflict", `${target} is not empty.`, {
      hint: "Restore into an empty folder (--data DIR), or move what is there aside with --force.",
      zh: { message: `${target} 不是空文件夹。`, hint: "请恢复到空文件夹（--data 文件夹），或用 --force 将现有数据移到一旁。" },
    });
  }
  if (isUsed) options.database.lock(target).release();
  const fresh = `${target}.restoring`;
  await fsp.rm(fresh, { recursive: true, force: true });
  await writeFiles(vault, snapshot, fresh);
  const problems = (await checkRestored(options.database, snapshot, fresh)).filter((check) => !check.ok);
  if (problems.length > 0) throw damaged(snapshot.id, problems.map((check) => `${check.name}: ${check.found}`).join("; "));
  const setAside = await moveIntoPlace(fresh, target, isUsed);
  const missingModels = snapshot.models.filter(({ sha256 }) => !fs.existsSync(path.join(target, "models", `sha256-${sha256}.gguf`)));
  return { ...presentSnapshot(snapshot, vault.encrypted), setAside, missingModels };
}

async function moveIntoPlace(fresh: string, target: string, isUsed: boolean): Promise<string | null> {
  let setAside: string | null = null;
  if (isUsed) {
    setAside = `${target}.before-restore-${Date.now()}`;
    await fsp.rename(target, setAside);
    // Model files are many gigabytes and named by their content: they serve the restored box as well. Backups stay where they were looked for.
    for (const name of ["models", "backups"]) await takeOver(path.join(setAside, name), path.join(fresh, name));
  } else if (fs.existsSync(path.join(target, "backups"))) await fsp.rename(path.join(target, "backups"), path.join(fresh, "backups"));
  if (fs.existsSync(target)) await fsp.rmdir(target);
  else await fsp.mkdir(path.dirname(target), { recursive: true });
  await fsp.rename(fresh, target);
  return setAside;
}

async function takeOver(from: string, to: string): Promise<void> {
  if (!fs.existsSync(from)) return;
  if (path.basename(from) === "backups") return await fsp.rename(from, to);
  await fsp.mkdir(to, { recursive: true, mode: 0o700 });
  for (const name of await fsp.readdir(from))
    if (name.endsWith(".gguf") && !fs.existsSync(path.join(to, name))) await fsp.link(path.join(from, name), path.join(to, name));
}

/** Restores into `workFolder` beside the running box, checks everything, removes it again. Never throws for what it finds. */
export async function rehearseRestore(
  options: Pick<RestoreOptions, "folder" | "passphrase" | "id"> & {
    readonly database: Pick<RestoreDoor, "check" | "describe">;
    readonly workFolder: string;
    readonly now: () => number;
  },
): Promise<RehearsalReport> {
  const started = performance.now();
  const at = new Date(options.now()).toISOString();
  const end = (backupId: string, checks: RehearsalReport["checks"]): RehearsalReport => ({
    backupId,
    at,
    ok: checks.length > 0 && checks.every((check) => check.ok),
    seconds: Math.round((performance.now() - started) / 10) / 100,
    checks,
  });
  let id = options.id ?? "?";
  try {
    const { vault, snapshot } = await openSnapshot(options.folder, options.passphrase, options.id);
    id = snapshot.id;
    await writeFiles(vault, snapshot, options.workFolder);
    return end(id, [
      { name: "files", ok: true, found: `${snapshot.files.length} files, ${snapshot.sizeBytes} bytes, every piece as it was` },
      ...(await checkRestored(options.database, snapshot, options.workFolder)),
    ]);
  } catch (error) {
    return end(id, [{ name: "files", ok: false, found: error instanceof Error ? error.message : String(error) }]);
  } finally {
    await fsp.rm(options.workFolder, { recursive: true, force: true });
  }
}

async function openSnapshot(
  folder: string,
  passphrase: string | null,
  id: string | null,
): Promise<{ readonly vault: Vault; readonly snapshot: Snapshot }> {
  const vault = await openVault(folder, { passphrase, create: false });
  const wanted = id ?? (await listSnapshotIds(vault))[0];
  if (wanted === undefined)
    throw new StarboxError("not_found", `${folder} holds no backup yet.`, {
      hint: "starbox backup",
      zh: { message: `${folder} 中还没有备份。`, hint: "starbox backup" },
    });
  return { vault, snapshot: await readSnapshot(vault, wanted) };
}

async function writeFiles(vault: Vault, snapshot: Snapshot, target: string): Promise<void> {
  await fsp.mkdir(target, { recursive: true, mode: 0o700 });
  for (const file of snapshot.files) {
    const place = path.join(target, file.path);
    // Names come out of an archive: none may lead out of the folder.
    if (path.isAbsolute(file.path) || !place.startsWith(`${target}${path.sep}`))
      throw damaged(snapshot.id, `the name ${file.path} leads out of the folder`);
    await fsp.mkdir(path.dirname(place), { recursive: true, mode: 0o700 });
    const handle = await fsp.open(place, "w", file.mode);
    let size = 0;
    try {
      for (const piece of file.pieces) {
        const bytes = await vault.get(piece);
        await handle.writeFile(bytes);
        size += bytes.byteLength;
      }
      await handle.sync();
    } finally {
      await handle.close();
    }
    if (size !== file.size) throw damaged(snapshot.id, `${file.path} has ${size} bytes instead of ${file.size}`);
  }
}

async function checkRestored(
  database: Pick<RestoreDoor, "check" | "describe">,
  snapshot: Snapshot,
  folder: string,
): Promise<RehearsalReport["checks"]> {
  const file = path.join(folder, "box.db");
  const integrity = await database.check(folder);
  const { rows, blobs, schema } = database.describe(file);
  const different = Object.keys({ ...snapshot.rows, ...rows }).filter((table) => snapshot.rows[table] !== rows[table]);
  const missing = blobs.filter((sha256) => !fs.existsSync(path.join(folder, "blobs", sha256.slice(0, 2), sha256)));
  const total = Object.values(rows).reduce((sum, count) => sum + count, 0);
  return [
    { name: "database", ok: integrity === "ok", found: integrity },
    { name: "schema", ok: schema === snapshot.schema, found: String(schema) },
    {
      name: "rows",
      ok: different.length === 0,
      found: different.length === 0 ? `${total} rows in ${Object.keys(rows).length} tables` : `different: ${different.join(", ")}`,
    },
    {
      name: "originals",
      ok: missing.length === 0,
      found: missing.length === 0 ? `${blobs.length} files` : `${missing.length} of ${blobs.length} missing`,
    },
  ];
}

const damaged = (id: string, what: string): StarboxError =>
  new StarboxError("backup_invalid", `The backup ${id} cannot be restored: ${what}.`, {
    hint: "Use another one: starbox restore --list.",
    zh: { message: `备份 ${id} 无法恢复：${what}。`, hint: "请改用其他备份：starbox restore --list。" },
  });
