/** @file Brings a write-ahead log to the disk off the main thread. One sync serves everybody who asked before it began; SQLite itself syncs the log before it empties it. */
import fs from "node:fs/promises";
import path from "node:path";

export function createFlush(logFile: string): () => Promise<void> {
  let running: Promise<void> | null = null;
  let next: Promise<void> | null = null;
  let knownInode = 0n;
  const sync = async (): Promise<void> => {
    const file = await fs.open(logFile, "r+");
    try {
      await file.datasync();
      const { ino } = await file.stat({ bigint: true });
      if (ino === knownInode) return;
      // A new file is only there for good when its folder says so.
      await syncFolder(path.dirname(logFile));
      knownInode = ino;
    } finally {
      await file.close();
    }
  };
  const begin = (): Promise<void> => {
    running = sync().finally(() => (running = null));
    return running;
  };
  return () => {
    if (running === null) return begin();
    // What runs may have begun before the caller's rows were written: the one after it has them.
    next ??= running
      .catch(() => undefined)
      .then(() => {
        next = null;
        return begin();
      });
    return next;
  };
}

async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return; // folders cannot be opened there; the file system's journal does it
  const handle = await fs.open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
