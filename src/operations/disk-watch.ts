/** @file Room on the data folder's disk: warns early, and refuses files while the database still has enough to work with. */
import fs from "node:fs";
import path from "node:path";
import { type Logger, StarboxError } from "#base";
import type { DiskLevel, StorageReport } from "#contracts";

export type DiskWatch = {
  report(): StorageReport;
  level(): DiskLevel;
  /** Throws disk_full when a file of this size would leave too little. */
  requireRoom(bytes?: number): void;
};

type Limits = { readonly diskWarnMb: number; readonly diskRefuseMb: number };

export function createDiskWatch(dataDir: string, limits: Limits, logger: Logger): DiskWatch {
  const refuseBelowBytes = limits.diskRefuseMb * 2 ** 20;
  const warnBelowBytes = Math.max(limits.diskWarnMb * 2 ** 20, refuseBelowBytes);
  let told: DiskLevel = "ok";
  const space = (): { readonly freeBytes: number; readonly totalBytes: number; readonly level: DiskLevel } => {
    const { bavail, blocks, bsize } = fs.statfsSync(dataDir);
    const freeBytes = bavail * bsize;
    const level: DiskLevel = freeBytes < refuseBelowBytes ? "full" : freeBytes < warnBelowBytes ? "low" : "ok";
    if (level !== told && level !== "ok") logger.warn({ freeBytes, level }, "disk: room is getting short");
    told = level;
    return { freeBytes, totalBytes: blocks * bsize, level };
  };
  return {
    level: () => space().level,
    report: () => ({ ...space(), warnBelowBytes, refuseBelowBytes, parts: partsOf(dataDir) }),
    requireRoom(bytes = 0) {
      const { freeBytes } = space();
      if (freeBytes - bytes >= refuseBelowBytes) return;
      const megabytes = (value: number): number => Math.round(value / 2 ** 20);
      throw new StarboxError(
        "disk_full",
        `The disk has ${megabytes(freeBytes)} MB free; the box keeps ${limits.diskRefuseMb} MB for its database and takes no more files.`,
        {
          hint: "Free some space, remove documents or old backups, or move the data folder with --data. Everything else goes on working.",
          zh: {
            message: `磁盘仅剩 ${megabytes(freeBytes)} MB；星匣需为数据库保留 ${limits.diskRefuseMb} MB，暂不接收文件。`,
            hint: "请清理磁盘、删除资料或旧备份，或用 --data 更换数据文件夹。其他功能不受影响。",
          },
          details: { freeBytes, refuseBelowBytes },
        },
      );
    },
  };
}

/** What the data folder holds, largest first. */
function partsOf(dataDir: string): StorageReport["parts"] {
  const parts = fs.readdirSync(dataDir, { withFileTypes: true }).map((entry) => {
    const place = path.join(dataDir, entry.name);
    return { name: entry.name.startsWith("box.db") ? "database" : entry.name, bytes: entry.isDirectory() ? folderSize(place) : sizeOf(place) };
  });
  const sums = new Map<string, number>();
  for (const { name, bytes } of parts) sums.set(name, (sums.get(name) ?? 0) + bytes);
  return [...sums].map(([name, bytes]) => ({ name, bytes })).sort((a, b) => b.bytes - a.bytes);
}

function folderSize(folder: string): number {
  let total = 0;
  try {
    for (const entry of fs.readdirSync(folder, { withFileTypes: true, recursive: true }))
      if (entry.isFile()) total += sizeOf(path.join(entry.parentPath, entry.name));
  } catch {
    // went away meanwhile
  }
  return total;
}

function sizeOf(file: string): number {
  try {
    return fs.statSync(file).size;
  } catch {
    return 0;
  }
}
