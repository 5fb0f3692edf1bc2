/**
 * @file One trip to the disk for many commits, made by a helper thread of the runtime while the box goes on.
 *
 * A relaxed commit has written its frames to the write-ahead log and not synced them. Syncing that file makes them last; frames that
 * a checkpoint has moved meanwhile were synced with the database before the log is used anew (https://sqlite.org/wal.html).
 */
import { closeSync, fsync, fsyncSync, openSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { nameSqliteError } from "./connection.ts";

export type WalSync = {
  /** Resolves when everything committed before the call is on the disk for good. Throws what the disk says. */
  sync(): Promise<void>;
  close(): void;
};

const syncFd = promisify(fsync);

export function createWalSync(databaseFile: string): WalSync {
  let fd: number | undefined;
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  let isClosed = false;
  const close = (): void => {
    if (fd !== undefined) closeSync(fd);
    fd = undefined;
  };
  const syncLog = async (): Promise<void> => {
    try {
      fd ??= openLog(databaseFile);
      await syncFd(fd);
    } catch (error) {
      throw nameSqliteError(error, databaseFile);
    } finally {
      running = undefined;
      if (isClosed) close();
    }
  };
  return {
    sync() {
      // One that has begun may have missed the caller's frames: all who come now share the one after it.
      next ??= (running ?? Promise.resolve())
        .catch(() => undefined)
        .then(() => {
          next = undefined;
          running = syncLog();
          return running;
        });
      return next;
    },
    close() {
      isClosed = true;
      if (running === undefined) close();
    },
  };
}

/** Writable, or Windows refuses to sync it. The log may be new: its name in the folder has to last too. */
function openLog(databaseFile: string): number {
  const fd = openSync(`${databaseFile}-wal`, "r+");
  if (process.platform === "win32") return fd;
  const folder = openSync(path.dirname(databaseFile), "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
  return fd;
}
