/** @file A GGUF file opened for its weights: full metadata, where every tensor lies, its bytes on demand. Hostile input until proven sound. */
import fsp from "node:fs/promises";
import type { StarboxError } from "#base";
import { GgufCursor, type GgufMetadataValue } from "./gguf-cursor.ts";
import { headerCeiling, invalidGguf } from "./gguf-header.ts";

export type GgufTensorInfo = {
  readonly name: string;
  /** ggml's type id. */
  readonly type: number;
  /** Outermost first. */
  readonly shape: readonly number[];
  /** From the start of the file. */
  readonly position: number;
  readonly sizeBytes: number;
};

export class GgufFile implements AsyncDisposable {
  readonly path: string;
  readonly metadata: ReadonlyMap<string, GgufMetadataValue>;
  readonly tensors: ReadonlyMap<string, GgufTensorInfo>;
  readonly #file: fsp.FileHandle;

  private constructor(
    path: string,
    file: fsp.FileHandle,
    metadata: ReadonlyMap<string, GgufMetadataValue>,
    tensors: ReadonlyMap<string, GgufTensorInfo>,
  ) {
    this.path = path;
    this.#file = file;
    this.metadata = metadata;
    this.tensors = tensors;
  }

  /** Throws model_invalid. The caller closes it. */
  static async open(path: string): Promise<GgufFile> {
    const file = await fsp.open(path, "r");
    try {
      const { size } = await file.stat();
      const fail = (what: string): StarboxError => invalidGguf(path, what);
      const cursor = new GgufCursor(file, Math.min(size, headerCeiling), fail);
      if ((await cursor.bytes(4)).toString("latin1") !== "GGUF") throw fail("got other magic bytes");
      const version = (await cursor.bytes(4)).readUInt32LE();
      if (version !== 2 && version !== 3) throw fail(`got version ${version}, not 2 or 3`);
      const tensorCount = await cursor.count();
      const pairs = await cursor.count();
      if (tensorCount * 25 > size) throw fail(`it claims ${tensorCount} tensors in ${size} bytes`);
      const metadata = new Map<string, GgufMetadataValue>();
      for (let i = 0; i < pairs; i++) {
        const key = await cursor.text();
        metadata.set(key, await cursor.fullValue((await cursor.bytes(4)).readUInt32LE()));
      }
      const entries = await cursor.tensors(tensorCount);
      const alignment = metadata.get("general.alignment") ?? 32;
      if (typeof alignment !== "number" || !Number.isInteger(alignment) || alignment < 8 || alignment % 8 !== 0)
        throw fail(`its alignment is ${String(alignment)}`);
      const start = Math.ceil(cursor.position / alignment) * alignment;
      const tensors = new Map<string, GgufTensorInfo>();
      for (const { name, type, sizes, offset, sizeBytes } of entries) {
        if (tensors.has(name)) throw fail(`it holds two tensors "${name}"`);
        if (!Number.isSafeInteger(sizeBytes) || start + offset + sizeBytes > size) throw fail(`its tensor "${name}" does not lie inside the file`);
        if (offset % alignment !== 0) throw fail(`its tensor "${name}" begins at ${offset}, which is no multiple of ${alignment}`);
        tensors.set(name, { name, type, shape: sizes.toReversed(), position: start + offset, sizeBytes });
      }
      const byPosition = [...tensors.values()].toSorted((a, b) => a.position - b.position);
      byPosition.forEach((tensor, i) => {
        const next = byPosition[i + 1];
        if (next !== undefined && tensor.position + tensor.sizeBytes > next.position)
          throw fail(`its tensors "${tensor.name}" and "${next.name}" overlap`);
      });
      return new GgufFile(path, file, metadata, tensors);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** A metadata value of one kind; throws model_invalid when it is missing and has no fallback, or is of another kind. */
  number(key: string, fallback?: number): number {
    const value = this.metadata.get(key) ?? fallback;
    if (typeof value !== "number")
      throw invalidGguf(this.path, `"${key}" should be a number and is ${value === undefined ? "missing" : typeof value}`);
    return value;
  }

  text(key: string, fallback?: string): string {
    const value = this.metadata.get(key) ?? fallback;
    if (typeof value !== "string") throw invalidGguf(this.path, `"${key}" should be text and is ${value === undefined ? "missing" : typeof value}`);
    return value;
  }

  /** The tensor's bytes as they lie in the file, or only some of its rows. */
  async read(name: string, rows?: { readonly start: number; readonly count: number }): Promise<Uint8Array<ArrayBuffer>> {
    const info = this.tensors.get(name);
    if (info === undefined) throw invalidGguf(this.path, `it holds no tensor "${name}"`);
    const rowBytes = info.sizeBytes / Math.max(1, info.shape[0] ?? 1);
    const from = info.position + (rows === undefined ? 0 : rows.start * rowBytes);
    const bytes = new Uint8Array(rows === undefined ? info.sizeBytes : rows.count * rowBytes);
    for (let at = 0; at < bytes.byteLength; ) {
      const { bytesRead } = await this.#file.read(bytes, at, Math.min(bytes.byteLength - at, 1 << 28), from + at);
      if (bytesRead === 0) throw invalidGguf(this.path, `it ends inside the tensor "${name}"`);
      at += bytesRead;
    }
    return bytes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}
