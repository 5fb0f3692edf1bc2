/** @file Who owns a data folder: an OS lock held by SQLite for life, and beside it, as information only, who holds it. */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { StarboxError } from "#base";
import { nameSqliteError } from "./connection.ts";

/** What the holder says about itself. A pid file lies after pid reuse, so this never decides anything. */
export type LockHolder = {
  readonly pid: number;
  readonly port: number | null;
  readonly host: string | null;
  readonly command: string;
  readonly since: string;
};

export type DataLock = { update(about: { readonly port?: number; readonly host?: string }): void; release(): void };

/** SQLITE_BUSY: somebody else holds the lock. */
const busyCode = 5;
const infoName = "lock.json";

/** `mkdir -p` by hand: Node's own never returns where a folder can be read but nothing can be made in it (/proc). */
function makeFolder(folder: string): void {
  if (existsSync(folder) && statSync(folder).isDirectory()) return;
  const parent = path.dirname(folder);
  if (parent !== folder) makeFolder(parent);
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST" || !statSync(folder).isDirectory()) throw error;
  }
}

/** Throws `data_locked` naming the holder. The kernel frees the lock when the process dies, however it dies. */
export function lockDataFolder(dataDir: string, command: string): DataLock {
  let database: DatabaseSync | undefined;
  try {
    makeFolder(dataDir);
    database = new DatabaseSync(path.join(dataDir, "lock.db"), { timeout: 0 });
    database.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE;");
  } catch (cause) {
    database?.close();
    if (((cause as { errcode?: number }).errcode ?? 0) % 256 !== busyCode) throw notWritable(dataDir, cause);
    const holder = readLockHolder(dataDir);
    const who =
      holder === null
        ? "another process"
        : `process ${holder.pid} (${holder.command}${holder.port === null ? "" : `, port ${holder.port}`}, since ${holder.since})`;
    throw new StarboxError("data_locked", `The data folder ${dataDir} belongs to ${who}.`, {
      hint: "Use the running box (STARBOX_URL), stop it, or choose another folder with --data.",
      zh: {
        message: `数据文件夹 ${dataDir} 正由 ${holder === null ? "另一个进程" : `进程 ${holder.pid}`} 使用。`,
        hint: "请使用正在运行的星匣（STARBOX_URL），或先停止它，或用 --data 指定其他文件夹。",
      },
      ...(holder === null ? {} : { details: { holder } }),
      cause,
    });
  }
  const held = database;
  let holder: LockHolder = { pid: process.pid, port: null, host: null, command, since: new Date().toISOString() };
  const write = (): void => {
    const file = path.join(dataDir, infoName);
    writeFileSync(`${file}.new`, JSON.stringify(holder));
    renameSync(`${file}.new`, file);
  };
  write();
  return {
    update(about) {
      holder = { ...holder, ...about };
      write();
    },
    release() {
      rmSync(path.join(dataDir, infoName), { force: true });
      held.close();
    },
  };
}

function notWritable(dataDir: string, cause: unknown): unknown {
  const named = nameSqliteError(cause, dataDir);
  if (StarboxError.is(named)) return named;
  return new StarboxError("settings_invalid", `The data folder ${dataDir} cannot be used: ${(cause as Error).message}.`, {
    hint: "Make it writable for this account, or choose another folder with --data.",
    zh: { message: `数据文件夹 ${dataDir} 无法使用：${(cause as Error).message}。`, hint: "请确保当前账户可写，或用 --data 指定其他文件夹。" },
    cause,
  });
}

/** Who last said it holds the folder; null when nobody did. Stale after a crash: try the lock to be sure. */
export function readLockHolder(dataDir: string): LockHolder | null {
  try {
    return JSON.parse(readFileSync(path.join(dataDir, infoName), "utf8")) as LockHolder;
  } catch {
    return null;
  }
}
