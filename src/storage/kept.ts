/** @file Copies of the database kept before its schema changes, and the way back to one. */
import { constants, copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statfsSync, statSync } from "node:fs";
import path from "node:path";
import { StarboxError } from "#base";
import { type Connection, diskFull, openConnection } from "./connection.ts";
import { lockDataFolder } from "./lock.ts";
import { readSchemaVersion } from "./migrate.ts";

export type KeptCopy = { readonly file: string; readonly schema: number; readonly at: string; readonly sizeBytes: number };

const folderName = "kept";
const howMany = 3;

/** For the owner of the data folder, before a migration: the whole database as it is, byte by byte. */
export function keepCopy(connection: Connection, dataDir: string, now: Date = new Date()): KeptCopy {
  const database = path.join(dataDir, "box.db");
  connection.get("PRAGMA wal_checkpoint(TRUNCATE)");
  const { size } = statSync(database);
  const { bavail, bsize } = statfsSync(dataDir);
  if (bavail * bsize < size * 1.1 + (16 << 20)) throw diskFull();
  const folder = path.join(dataDir, folderName);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const name = `schema-${readSchemaVersion(connection)}-${now.toISOString().replace(/\D/g, "").slice(0, 14)}.db`;
  copyFileSync(database, path.join(folder, `${name}.new`), constants.COPYFILE_FICLONE);
  renameSync(path.join(folder, `${name}.new`), path.join(folder, name));
  for (const old of listKeptCopies(dataDir).slice(howMany)) rmSync(old.file, { force: true });
  return listKeptCopies(dataDir)[0]!;
}

/** Newest first. */
export function listKeptCopies(dataDir: string): readonly KeptCopy[] {
  const folder = path.join(dataDir, folderName);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .flatMap((name) => {
      const found = /^schema-(\d+)-(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)\.db$/.exec(name);
      if (found === null) return [];
      const [, schema, year, month, day, hour, minute, second] = found;
      const file = path.join(folder, name);
      return [{ file, schema: Number(schema), at: `${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`, sizeBytes: statSync(file).size }];
    })
    .sort((a, b) => (a.at < b.at ? 1 : -1));
}

/** Back to the newest kept copy; today's database is set aside, not lost. Throws data_locked while a box uses the folder. */
export function returnToCopy(dataDir: string, now: Date = new Date()): { readonly copy: KeptCopy; readonly setAside: string } {
  const lock = lockDataFolder(dataDir, "starbox upgrade --back");
  try {
    const [copy] = listKeptCopies(dataDir);
    if (copy === undefined)
      throw new StarboxError("not_found", `${dataDir} holds no copy from before an upgrade.`, {
        hint: "Copies are kept when a newer version changes the schema. A backup may help: starbox restore --list.",
        zh: { message: `${dataDir} 中没有升级前的副本。`, hint: "新版本改变数据结构时才会保留副本。也可使用备份：starbox restore --list。" },
      });
    const database = path.join(dataDir, "box.db");
    const connection = openConnection(database);
    connection.get("PRAGMA wal_checkpoint(TRUNCATE)");
    connection.close();
    const setAside = path.join(dataDir, folderName, `newer-${now.getTime()}.db`);
    renameSync(database, setAside);
    for (const tail of ["-wal", "-shm"]) rmSync(`${database}${tail}`, { force: true });
    copyFileSync(copy.file, database, constants.COPYFILE_FICLONE);
    rmSync(copy.file);
    return { copy, setAside };
  } finally {
    lock.release();
  }
}
