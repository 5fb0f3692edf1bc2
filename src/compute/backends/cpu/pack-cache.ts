/**
 * @file Rearranged weights kept on disk by content, so that they are made once and not at every load. The name is a hash of everything that decides the bytes; a file is written
 * beside its place and renamed, carries a hash of its contents that is checked at every read (one that is damaged counts as none and is made again), and the folder stays below
 * a size: what was not read for longest goes first. Nothing here can fail a load: without a cache, weights are rearranged anew.
 */
import { createHash, randomBytes } from "node:crypto";
import fs from "node:fs";
import path from "node:path";

export type PackCacheOptions = { readonly folder: string; readonly maxBytes: number };
/** Everything the bytes follow from: the library's build and tier, the form, the weight. */
export type PackKey = Readonly<Record<string, string | number>> & { readonly content: string };

const magic = Buffer.from("SBPACK01");
const headerBytes = magic.length + 32;
/** Left behind by a process that was killed while writing. */
const draftMs = 3_600_000;

export const contentHash = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

export class PackCache {
  readonly #folder: string;
  readonly #maxBytes: number;
  /** For people and tests: what was read, made, and found damaged. */
  readonly counts = { hits: 0, misses: 0, damaged: 0 };

  constructor({ folder, maxBytes }: PackCacheOptions) {
    this.#folder = folder;
    this.#maxBytes = maxBytes;
  }

  /** Fills `target` and answers true, or leaves it to be made. After false its contents are unspecified. */
  read(key: PackKey, target: Uint8Array): boolean {
    const file = this.#fileOf(key);
    let open: number | null = null;
    try {
      open = fs.openSync(file, "r");
      const header = Buffer.alloc(headerBytes);
      const whole = fs.fstatSync(open).size === headerBytes + target.length && fs.readSync(open, header, 0, headerBytes, 0) === headerBytes;
      const filled = whole && header.subarray(0, magic.length).equals(magic) && readAll(open, target);
      if (filled && createHash("sha256").update(target).digest().equals(header.subarray(magic.length))) {
        fs.futimesSync(open, new Date(), new Date()); // what was read last stays longest
        this.counts.hits++;
        return true;
      }
      this.counts.damaged++;
      fs.rmSync(file, { force: true });
    } catch {
      // None there, or it cannot be read: made anew.
    } finally {
      if (open !== null) fs.closeSync(open);
    }
    this.counts.misses++;
    return false;
  }

  /** Keeps what was made. A full or read-only disk only means that it is made again next time. */
  write(key: PackKey, bytes: Uint8Array): void {
    if (bytes.length + headerBytes > this.#maxBytes) return;
    const file = this.#fileOf(key);
    const draft = `${file}.${process.pid}-${randomBytes(4).toString("hex")}.draft`;
    try {
      fs.mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
      const open = fs.openSync(draft, "wx", 0o600);
      try {
        fs.writeSync(open, Buffer.concat([magic, createHash("sha256").update(bytes).digest()]));
        for (let at = 0; at < bytes.length; ) at += fs.writeSync(open, bytes, at, bytes.length - at);
      } finally {
        fs.closeSync(open);
      }
      fs.renameSync(draft, file);
      this.#shrink(path.basename(file));
    } catch {
      try {
        fs.rmSync(draft, { force: true });
      } catch {
        // The folder itself cannot be there.
      }
    }
  }

  #fileOf(key: PackKey): string {
    return path.join(this.#folder, `${contentHash(Buffer.from(JSON.stringify(Object.entries(key).toSorted())))}.packed`);
  }

  /** Down to nine tenths of the size once it is over, so that not every write has to look for something to remove. */
  #shrink(keep: string): void {
    const entries = fs.readdirSync(this.#folder).flatMap((name) => {
      const stat = fs.statSync(path.join(this.#folder, name), { throwIfNoEntry: false });
      return stat === undefined ? [] : [{ name, bytes: stat.size, at: stat.mtimeMs }];
    });
    let total = entries.reduce((sum, { bytes }) => sum + bytes, 0);
    const over = total > this.#maxBytes;
    for (const { name, bytes, at } of entries.toSorted((a, b) => a.at - b.at)) {
      const draft = name.endsWith(".draft") && Date.now() - at > draftMs;
      if (!draft && !(over && total > 0.9 * this.#maxBytes && name.endsWith(".packed") && name !== keep)) continue;
      fs.rmSync(path.join(this.#folder, name), { force: true });
      total -= bytes;
    }
  }
}

function readAll(open: number, target: Uint8Array): boolean {
  for (let at = 0; at < target.length; ) {
    const got = fs.readSync(open, target, at, target.length - at, headerBytes + at);
    if (got === 0) return false;
    at += got;
  }
  return true;
}
