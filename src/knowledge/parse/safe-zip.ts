/** @file Reads ZIP archives from memory without trusting them: names, sizes, ratios, overlaps and checksums are checked. Writes nothing to disk. */
import { crc32, inflateRawSync } from "node:zlib";
import { bombError, corruptError, documentError, type ParseLimits, passwordError } from "./limits.ts";

export type ZipEntry = {
  readonly name: string;
  readonly size: number;
  readonly packedSize: number;
  readonly offset: number;
  readonly method: number;
  readonly crc: number;
  readonly encrypted: boolean;
  readonly symlink: boolean;
};

/** What may still be unpacked from one file, shared by all archives nested in it. */
export type UnpackBudget = { bytes: number; entries: number };

export function createBudget(limits: ParseLimits): UnpackBudget {
  return { bytes: limits.maxUnpackedBytes, entries: limits.maxEntries };
}

function findEnd(view: DataView): number {
  const lowest = Math.max(0, view.byteLength - 22 - 0xffff);
  for (let at = view.byteLength - 22; at >= lowest; at--) if (view.getUint32(at, true) === 0x06054b50) return at;
  return -1;
}

function decodeName(bytes: Uint8Array, utf8: boolean): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder(utf8 ? "utf-8" : "gb18030").decode(bytes);
  }
}

/** Relative, forward slashes, nothing that climbs: or null. Windows programs write backslashes; those are only separators. */
export function safeName(name: string): string | null {
  const path = name.replaceAll("\\", "/");
  if (path.includes("\0") || path.startsWith("/") || /^[a-zA-Z]:/.test(path) || path.length > 1000) return null;
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  return parts.includes("..") || parts.length === 0 || parts.length > 64 ? null : parts.join("/");
}

export class ZipReader {
  readonly entries: readonly ZipEntry[];
  readonly #bytes: Uint8Array;
  readonly #limits: ParseLimits;
  readonly #budget: UnpackBudget;
  readonly #byName = new Map<string, ZipEntry>();

  constructor(bytes: Uint8Array, limits: ParseLimits, budget: UnpackBudget) {
    this.#bytes = bytes;
    this.#limits = limits;
    this.#budget = budget;
    try {
      this.entries = this.#directory();
    } catch (error) {
      if (error instanceof RangeError) throw corruptError("the ZIP directory is cut off", "ZIP 目录不完整", error);
      throw error;
    }
    for (const entry of this.entries) this.#byName.set(entry.name, entry);
  }

  has(name: string): boolean {
    return this.#byName.has(name);
  }

  #directory(): ZipEntry[] {
    const view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.byteLength);
    const end = findEnd(view);
    if (end < 0) throw corruptError("the end of the ZIP archive is missing (cut off while copying?)", "ZIP 缺少结尾（可能传输中断）");
    let count = view.getUint16(end + 10, true);
    let at = view.getUint32(end + 16, true);
    if ((count === 0xffff || at === 0xffffffff) && end >= 20 && view.getUint32(end - 20, true) === 0x07064b50) {
      const end64 = Number(view.getBigUint64(end - 20 + 8, true));
      count = Number(view.getBigUint64(end64 + 32, true));
      at = Number(view.getBigUint64(end64 + 48, true));
    }
    if (count > this.#budget.entries) throw bombError(`${count} members`, `包含 ${count} 个文件`);
    this.#budget.entries -= count;
    const entries: ZipEntry[] = [];
    let packed = 0;
    for (let i = 0; i < count; i++) {
      if (view.getUint32(at, true) !== 0x02014b50) throw corruptError("the ZIP directory is damaged", "ZIP 目录损坏");
      const { entry, next } = this.#entry(view, at);
      entries.push(entry);
      packed += entry.packedSize;
      at = next;
    }
    // Members that share the same packed bytes are how the worst bombs work.
    if (packed > this.#bytes.byteLength) throw bombError("members overlap", "成员数据互相重叠");
    return entries;
  }

  #entry(view: DataView, at: number): { entry: ZipEntry; next: number } {
    const flags = view.getUint16(at + 8, true);
    const nameLength = view.getUint16(at + 28, true);
    const extraLength = view.getUint16(at + 30, true);
    let packedSize = view.getUint32(at + 20, true);
    let size = view.getUint32(at + 24, true);
    let offset = view.getUint32(at + 42, true);
    const nameBytes = this.#bytes.subarray(at + 46, at + 46 + nameLength);
    const extraEnd = at + 46 + nameLength + extraLength;
    for (let x = at + 46 + nameLength; x + 4 <= extraEnd; ) {
      const id = view.getUint16(x, true);
      let field = x + 4;
      if (id === 1) {
        const take = (): number => {
          field += 8;
          return Number(view.getBigUint64(field - 8, true));
        };
        if (size === 0xffffffff) size = take();
        if (packedSize === 0xffffffff) packedSize = take();
        if (offset === 0xffffffff) offset = take();
      }
      x += 4 + view.getUint16(x + 2, true);
    }
    const mode = view.getUint32(at + 38, true) >>> 16;
    const unix = view.getUint8(at + 5) === 3;
    const entry: ZipEntry = {
      name: decodeName(nameBytes, (flags & 0x800) !== 0),
      size,
      packedSize,
      offset,
      method: view.getUint16(at + 10, true),
      crc: view.getUint32(at + 16, true),
      encrypted: (flags & 1) !== 0,
      symlink: unix && (mode & 0xf000) === 0xa000,
    };
    return { entry, next: at + 46 + nameLength + extraLength + view.getUint16(at + 32, true) };
  }

  read(name: string): Uint8Array | null {
    const entry = this.#byName.get(name);
    return entry === undefined ? null : this.readEntry(entry);
  }

  readEntry(entry: ZipEntry): Uint8Array {
    if (entry.encrypted) throw passwordError("ZIP");
    if (entry.size > this.#budget.bytes) throw bombError(`"${entry.name}" claims ${entry.size} bytes`, `“${entry.name}”声明大小 ${entry.size} 字节`);
    if (entry.size > this.#limits.freeUnpackedBytes && entry.size > entry.packedSize * this.#limits.maxRatio) {
      throw bombError(
        `"${entry.name}" grows ${Math.round(entry.size / Math.max(1, entry.packedSize))} times`,
        `“${entry.name}”膨胀 ${Math.round(entry.size / Math.max(1, entry.packedSize))} 倍`,
      );
    }
    const view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.byteLength);
    if (entry.offset + 30 > view.byteLength || view.getUint32(entry.offset, true) !== 0x04034b50)
      throw corruptError(`member "${entry.name}" is missing`, `缺少成员“${entry.name}”`);
    const start = entry.offset + 30 + view.getUint16(entry.offset + 26, true) + view.getUint16(entry.offset + 28, true);
    const packed = this.#bytes.subarray(start, start + entry.packedSize);
    if (packed.byteLength !== entry.packedSize) throw corruptError(`member "${entry.name}" is cut off`, `成员“${entry.name}”不完整`);
    const bytes = this.#unpack(entry, packed);
    if (crc32(bytes) !== entry.crc) throw corruptError(`member "${entry.name}" has a wrong checksum`, `成员“${entry.name}”校验和错误`);
    this.#budget.bytes -= bytes.byteLength;
    return bytes;
  }

  #unpack(entry: ZipEntry, packed: Uint8Array): Uint8Array {
    if (entry.method === 0) return packed;
    if (entry.method !== 8) {
      throw documentError(
        "unsupported_format",
        {
          message: `ZIP member "${entry.name}" uses compression method ${entry.method}.`,
          hint: "Pack the files again as an ordinary ZIP (deflate).",
        },
        { message: `ZIP 成员“${entry.name}”使用了压缩方法 ${entry.method}。`, hint: "请用普通 ZIP（deflate）重新打包。" },
      );
    }
    try {
      return inflateRawSync(packed, { maxOutputLength: Math.max(1, entry.size) });
    } catch (error) {
      if ((error as { code?: string }).code === "ERR_BUFFER_TOO_LARGE")
        throw bombError(`"${entry.name}" is larger than it says`, `“${entry.name}”实际大小超过声明`);
      throw corruptError(`member "${entry.name}" does not unpack`, `成员“${entry.name}”无法解压`, error);
    }
  }
}
