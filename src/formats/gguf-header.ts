/** @file Reads a GGUF file's header as hostile input: every count and length is bounded by what the file can hold. Reads no weights. Spec: ggml's gguf.md, version 2 and 3. */
import fsp from "node:fs/promises";
import { StarboxError } from "#base";

export type GgufHeader = {
  readonly version: number;
  readonly tensorCount: number;
  /** Scalars and strings; of arrays only the length. */
  readonly metadata: ReadonlyMap<string, string | number | boolean | { readonly arrayLength: number }>;
};

const scalarBytes: Readonly<Record<number, number>> = { 0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8 };
const stringType = 8;
const arrayType = 9;
const headerCeiling = 256 << 20;

function invalid(filePath: string, what: string): StarboxError {
  return new StarboxError("model_invalid", `${filePath}: expected a GGUF file, ${what}.`, {
    hint: "Take a .gguf file of a llama.cpp-compatible model, and copy it again if it was cut.",
    zh: { message: `${filePath} 不是有效的 GGUF 文件（${what}）。`, hint: "请使用 llama.cpp 兼容的 .gguf 文件；如拷贝不完整请重新拷贝。" },
  });
}

/** Throws model_invalid. */
export async function loadGgufHeader(filePath: string): Promise<GgufHeader> {
  const file = await fsp.open(filePath, "r");
  try {
    const { size } = await file.stat();
    const cursor = new Cursor(file, Math.min(size, headerCeiling), (what) => invalid(filePath, what));
    if ((await cursor.bytes(4)).toString("latin1") !== "GGUF") throw invalid(filePath, "got other magic bytes");
    const version = (await cursor.bytes(4)).readUInt32LE();
    if (version !== 2 && version !== 3) throw invalid(filePath, `got version ${version}, not 2 or 3`);
    const tensorCount = await cursor.count();
    const pairs = await cursor.count();
    const metadata = new Map<string, string | number | boolean | { readonly arrayLength: number }>();
    for (let i = 0; i < pairs; i++) {
      const key = await cursor.text();
      metadata.set(key, await cursor.value((await cursor.bytes(4)).readUInt32LE()));
    }
    // A tensor's entry takes at least 24 bytes and its data at least one.
    if (tensorCount * 25 > size) throw invalid(filePath, `it claims ${tensorCount} tensors in ${size} bytes`);
    return { version, tensorCount, metadata };
  } finally {
    await file.close();
  }
}

class Cursor {
  readonly #file: fsp.FileHandle;
  readonly #end: number;
  readonly #fail: (what: string) => StarboxError;
  #at = 0;
  #buffer = Buffer.alloc(0);
  #bufferStart = 0;

  constructor(file: fsp.FileHandle, end: number, fail: (what: string) => StarboxError) {
    this.#file = file;
    this.#end = end;
    this.#fail = fail;
  }

  async bytes(length: number): Promise<Buffer> {
    if (this.#at + length > this.#end) throw this.#fail("it ends in the middle of its header");
    if (this.#at < this.#bufferStart || this.#at + length > this.#bufferStart + this.#buffer.byteLength) {
      const wanted = Math.max(length, Math.min(1 << 20, this.#end - this.#at));
      const { buffer, bytesRead } = await this.#file.read(Buffer.alloc(wanted), 0, wanted, this.#at);
      if (bytesRead < length) throw this.#fail("it ends in the middle of its header");
      this.#buffer = buffer.subarray(0, bytesRead);
      this.#bufferStart = this.#at;
    }
    const from = this.#at - this.#bufferStart;
    this.#at += length;
    return this.#buffer.subarray(from, from + length);
  }

  async count(): Promise<number> {
    const value = (await this.bytes(8)).readBigUInt64LE();
    if (value > BigInt(this.#end)) throw this.#fail(`it claims ${value} entries`);
    return Number(value);
  }

  async text(): Promise<string> {
    return (await this.bytes(await this.count())).toString("utf8");
  }

  async value(type: number): Promise<string | number | boolean | { readonly arrayLength: number }> {
    if (type === stringType) return await this.text();
    if (type === arrayType) return await this.skipArray();
    const length = scalarBytes[type];
    if (length === undefined) throw this.#fail(`it holds a value of unknown type ${type}`);
    const bytes = await this.bytes(length);
    switch (type) {
      case 0:
        return bytes.readUInt8();
      case 1:
        return bytes.readInt8();
      case 2:
        return bytes.readUInt16LE();
      case 3:
        return bytes.readInt16LE();
      case 4:
        return bytes.readUInt32LE();
      case 5:
        return bytes.readInt32LE();
      case 6:
        return bytes.readFloatLE();
      case 7:
        return bytes.readUInt8() !== 0;
      case 10:
        return Number(bytes.readBigUInt64LE());
      case 11:
        return Number(bytes.readBigInt64LE());
      default:
        return bytes.readDoubleLE();
    }
  }

  async skipArray(): Promise<{ readonly arrayLength: number }> {
    const type = (await this.bytes(4)).readUInt32LE();
    const arrayLength = await this.count();
    const length = scalarBytes[type];
    if (length !== undefined) {
      if (this.#at + length * arrayLength > this.#end) throw this.#fail("it ends in the middle of its header");
      this.#at += length * arrayLength;
    } else if (type === stringType) {
      for (let i = 0; i < arrayLength; i++) {
        const skipped = await this.count();
        if (this.#at + skipped > this.#end) throw this.#fail("it ends in the middle of its header");
        this.#at += skipped;
      }
    } else throw this.#fail(`it holds an array of type ${type}`);
    return { arrayLength };
  }
}
