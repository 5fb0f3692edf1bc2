/** @file Original bytes by their SHA-256: written aside, synced, renamed. Which rows use them is the database's business. */
import { createHash } from "node:crypto";
import { createReadStream, existsSync, statSync } from "node:fs";
import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import path from "node:path";
import { newId, StarboxError } from "#base";
import { nameSqliteError } from "./connection.ts";

export type BlobSource = { readonly filePath: string } | { readonly bytes: Uint8Array } | { readonly stream: ReadableStream<Uint8Array> };

/** A blob just written. Until `release`, `removeUnused` leaves it alone even though no row names it yet. */
export type PinnedBlob = { readonly sha256: string; readonly bytes: number; release(): void };

export type Blobs = {
  /** Resolves when the bytes are on disk for good. Throws too_large, disk_full. */
  write(source: BlobSource, options: { readonly maxBytes: number }): Promise<PinnedBlob>;
  filePath(sha256: string): string;
  has(sha256: string): boolean;
  /** Removes the blob unless it is pinned or `isUsed` says a row names it. */
  remove(sha256: string, isUsed: (sha256: string) => boolean): Promise<boolean>;
  /** Leftovers of a crash: half-written files, and blobs no row names. */
  sweep(isUsed: (sha256: string) => boolean): Promise<number>;
};

export function createBlobs(dataDir: string): Blobs {
  const root = path.join(dataDir, "blobs");
  const temporary = path.join(dataDir, "tmp");
  const openedAt = Date.now();
  const pins = new Map<string, number>();
  const filePath = (sha256: string): string => path.join(root, sha256.slice(0, 2), sha256);
  const pin = (sha256: string): (() => void) => {
    pins.set(sha256, (pins.get(sha256) ?? 0) + 1);
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      const left = (pins.get(sha256) ?? 1) - 1;
      if (left === 0) pins.delete(sha256);
      else pins.set(sha256, left);
    };
  };
  const remove = async (sha256: string, isUsed: (sha256: string) => boolean): Promise<boolean> => {
    if (pins.has(sha256) || isUsed(sha256) || !existsSync(filePath(sha256))) return false;
    await rm(filePath(sha256), { force: true });
    return true;
  };
  return {
    filePath,
    has: (sha256) => existsSync(filePath(sha256)),
    async write(source, { maxBytes }) {
      const partial = path.join(temporary, `${newId("blob")}.part`);
      await mkdir(temporary, { recursive: true });
      try {
        const { sha256, bytes } = await copyAndHash(source, partial, maxBytes);
        const release = pin(sha256);
        try {
          const folder = path.dirname(filePath(sha256));
          const known = existsSync(filePath(sha256)) && statSync(filePath(sha256)).size === bytes;
          if (known) await rm(partial);
          else {
            if ((await mkdir(folder, { recursive: true })) !== undefined) await syncFolder(root);
            await rename(partial, filePath(sha256));
            await syncFolder(folder);
          }
        } catch (error) {
          release();
          throw error;
        }
        return { sha256, bytes, release };
      } catch (error) {
        await rm(partial, { force: true }).catch(() => undefined);
        throw nameSqliteError(error, partial);
      }
    },
    remove,
    async sweep(isUsed) {
      let removed = 0;
      for (const name of await readdir(temporary).catch(() => [] as string[])) {
        const file = path.join(temporary, name);
        // Younger ones are being written by this very process.
        if (name.startsWith("blob_") && ((await stat(file).catch(() => null))?.mtimeMs ?? 0) < openedAt - 100) await rm(file, { force: true });
      }
      for (const folder of await readdir(root).catch(() => [] as string[])) {
        for (const sha256 of await readdir(path.join(root, folder))) if (await remove(sha256, isUsed)) removed++;
      }
      return removed;
    },
  };
}

async function copyAndHash(source: BlobSource, target: string, maxBytes: number): Promise<{ sha256: string; bytes: number }> {
  if ("filePath" in source) {
    // Asked before copying: a 2 GB file costs nothing, and a pipe would never end.
    const about = await stat(source.filePath);
    if (!about.isFile())
      throw new StarboxError("invalid_input", `${source.filePath} is not a file.`, {
        hint: "Add files or folders of files.",
        zh: { message: `${source.filePath} 不是文件。`, hint: "请添加文件或文件夹。" },
      });
    if (about.size > maxBytes) throw tooLarge(maxBytes);
  }
  const hash = createHash("sha256");
  let bytes = 0;
  const file = await open(target, "wx", 0o600);
  try {
    for await (const part of readParts(source)) {
      bytes += part.byteLength;
      if (bytes > maxBytes) throw tooLarge(maxBytes);
      hash.update(part);
      await file.writeFile(part);
    }
    await file.sync();
  } finally {
    await file.close();
  }
  return { sha256: hash.digest("hex"), bytes };
}

async function* readParts(source: BlobSource): AsyncIterable<Uint8Array> {
  if ("bytes" in source) yield source.bytes;
  else if ("filePath" in source) yield* createReadStream(source.filePath, { highWaterMark: 1 << 20 });
  else yield* source.stream;
}

function tooLarge(maxBytes: number): StarboxError {
  const megabytes = Math.round(maxBytes / 2 ** 20);
  return new StarboxError("document_too_large", `The file is larger than ${megabytes} MB, the largest accepted.`, {
    hint: "Split it, or raise STARBOX_MAX_FILE_MB.",
    zh: { message: `文件超过上限 ${megabytes} MB。`, hint: "请拆分文件，或调大 STARBOX_MAX_FILE_MB。" },
    details: { maxBytes },
  });
}

/** A rename is durable only when its folder is. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
