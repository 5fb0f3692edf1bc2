/** @file One backup of a data folder while it is served: a snapshot of the database, every file its rows name, settings and keys; models by hash. */
import fs from "node:fs";
import fsp from "node:fs/promises";
import path from "node:path";
import { newId, StarboxError } from "#base";
import type { BackedUpModel, BackupInfo } from "#contracts";
import { listSnapshotIds, presentSnapshot, readSnapshot, type Snapshot, withFolderLock, writeSnapshot } from "./snapshots.ts";
import { openVault, type Vault } from "./vault.ts";

/** What `storage` knows of a database file. */
export type DatabaseDoor = {
  /** A consistent copy of the served database. */
  snapshot(dataDir: string, target: string): Promise<void>;
  describe(file: string): { readonly schema: number; readonly rows: Readonly<Record<string, number>>; readonly blobs: readonly string[] };
};

export type BackupOptions = {
  readonly dataDir: string;
  readonly folder: string;
  readonly passphrase: string | null;
  readonly withModels: boolean;
  readonly version: string;
  readonly database: DatabaseDoor;
  readonly now?: () => number;
};

/** Made again, of no use elsewhere, or copied in their own way. */
const left = new Set([
  "box.db",
  "box.db-wal",
  "box.db-shm",
  "lock.db",
  "lock.db-journal",
  "lock.json",
  "operator.token",
  "tmp",
  "logs",
  "backups",
  "bench",
  "kept",
  "writing.lock",
]);
const databasePieceBytes = 128 << 10;
const pieceBytes = 4 << 20;
const tries = 5;

type FileEntry = Snapshot["files"][number];

export async function createBackup(options: BackupOptions): Promise<BackupInfo> {
  return await withFolderLock(options.folder, async () => {
    const vault = await openVault(options.folder, {
      passphrase: options.passphrase,
      create: true,
      ...(options.now === undefined ? {} : { now: options.now }),
    });
    const work = path.join(options.dataDir, "tmp", newId("backup"));
    await fsp.mkdir(work, { recursive: true, mode: 0o700 });
    try {
      const known = await filesOfNewest(vault);
      for (let attempt = 1; ; attempt++) {
        const snapshot = await takeSnapshot(options, vault, path.join(work, "box.db"), known);
        if (snapshot === null && attempt < tries) continue;
        if (snapshot === null)
          throw new StarboxError("busy", "Documents were removed faster than they could be backed up.", {
            hint: "Try again when the box is quieter.",
            zh: { message: "资料被移除的速度快于备份。", hint: "请在空闲时重试。" },
          });
        await writeSnapshot(vault, snapshot);
        return presentSnapshot(snapshot, vault.encrypted);
      }
    } finally {
      await fsp.rm(work, { recursive: true, force: true });
    }
  });
}

/** null: a file that the copied rows name went away before it was read; the copy is of no use. */
async function takeSnapshot(options: BackupOptions, vault: Vault, copy: string, known: ReadonlyMap<string, FileEntry>): Promise<Snapshot | null> {
  const started = performance.now();
  const at = new Date((options.now ?? Date.now)()).toISOString();
  await fsp.rm(copy, { force: true });
  await options.database.snapshot(options.dataDir, copy);
  const { schema, rows, blobs } = options.database.describe(copy);
  const files: FileEntry[] = [];
  let storedBytes = 0;
  const add = async (name: string, source: string, bytesAtOnce: number): Promise<boolean> => {
    const stored = await storeFile(vault, name, source, bytesAtOnce);
    if (stored === null) return false;
    files.push(stored.entry);
    storedBytes += stored.written;
    return true;
  };
  await add("box.db", copy, databasePieceBytes);
  for (const sha256 of blobs) {
    const name = `blobs/${sha256.slice(0, 2)}/${sha256}`;
    // A blob's name is its content: what an earlier backup holds need not be read again.
    const before = known.get(name);
    if (before?.pieces.every((piece) => vault.has(piece)) === true) files.push(before);
    else if (!(await add(name, path.join(options.dataDir, name), pieceBytes))) return null;
  }
  for (const name of await otherFiles(options)) await add(name, path.join(options.dataDir, name), pieceBytes);
  return {
    format: 1,
    id: `${at.replace(/\D/g, "").slice(0, 17)}-${newId("b").slice(-6)}`,
    at,
    version: options.version,
    schema,
    sizeBytes: files.reduce((sum, file) => sum + file.size, 0),
    storedBytes,
    seconds: Math.round((performance.now() - started) / 10) / 100,
    withModels: options.withModels,
    models: await readModels(options.dataDir),
    rows: { ...rows },
    files,
  };
}

async function storeFile(
  vault: Vault,
  name: string,
  source: string,
  bytesAtOnce: number,
): Promise<{ readonly entry: FileEntry; readonly written: number } | null> {
  const handle = await fsp.open(source, "r").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return null;
    throw error;
  });
  if (handle === null) return null;
  try {
    const { mode } = await handle.stat();
    const pieces: string[] = [];
    let size = 0;
    let written = 0;
    for (;;) {
      const buffer = Buffer.allocUnsafe(bytesAtOnce);
      let filled = 0;
      while (filled < bytesAtOnce) {
        const { bytesRead } = await handle.read(buffer, filled, bytesAtOnce - filled, null);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      if (filled === 0) break;
      const piece = await vault.put(buffer.subarray(0, filled));
      pieces.push(piece.id);
      written += piece.written;
      size += filled;
      if (filled < bytesAtOnce) break;
    }
    return { entry: { path: name, mode: mode & 0o777, size, pieces }, written };
  } finally {
    await handle.close();
  }
}

async function filesOfNewest(vault: Vault): Promise<ReadonlyMap<string, FileEntry>> {
  const [id] = await listSnapshotIds(vault);
  if (id === undefined) return new Map();
  // A damaged one is no help, and no hindrance: everything is then read again.
  const newest = await readSnapshot(vault, id).catch(() => null);
  return new Map(newest?.files.map((file) => [file.path, file]));
}

/** Everything else in the data folder, whoever put it there; of models only what is said about them, unless wanted. */
async function otherFiles({ dataDir, folder, withModels }: BackupOptions): Promise<readonly string[]> {
  const found: string[] = [];
  const visit = async (relative: string): Promise<void> => {
    for (const entry of await fsp.readdir(path.join(dataDir, relative), { withFileTypes: true }).catch(() => [])) {
      const name = relative === "" ? entry.name : `${relative}/${entry.name}`;
      if (left.has(name) || name === "blobs" || path.join(dataDir, name) === path.resolve(folder) || name === "models/pulling") continue;
      if (entry.isDirectory()) await visit(name);
      else if (entry.isFile() && (withModels || relative !== "models" || name.endsWith(".json"))) found.push(name);
    }
  };
  await visit("");
  return found.sort();
}

async function readModels(dataDir: string): Promise<BackedUpModel[]> {
  const folder = path.join(dataDir, "models");
  const models: BackedUpModel[] = [];
  for (const name of await fsp.readdir(folder).catch(() => [] as string[])) {
    if (!name.endsWith(".json")) continue;
    try {
      const { id, sha256, sizeBytes, source, file } = JSON.parse(fs.readFileSync(path.join(folder, name), "utf8")) as Partial<
        BackedUpModel & { file: string }
      >;
      if (id === undefined || sha256 === undefined || file === undefined || !fs.existsSync(path.join(folder, file))) continue;
      models.push({ id, sha256, sizeBytes: sizeBytes ?? 0, source: source ?? "" });
    } catch {
      // not a model's manifest
    }
  }
  return models;
}
