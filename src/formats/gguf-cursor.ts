/** @file Walks the bytes of a GGUF header as hostile input: every count and length is bounded by what the file can hold. */
import type fsp from "node:fs/promises";
import type { StarboxError } from "#base";

const scalarBytes: Readonly<Record<number, number>> = { 0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8 };
const stringType = 8;
const arrayType = 9;
/** ggml's tensor types: values a block, bytes a block. Types that are not here are only checked to begin inside the file. */
const tensorBlocks: Readonly<Record<number, readonly [values: number, bytes: number]>> = {
  0: [1, 4], // f32
  1: [1, 2], // f16
  2: [32, 18], // q4_0
  3: [32, 20], // q4_1
  6: [32, 22], // q5_0
  7: [32, 24], // q5_1
  8: [32, 34], // q8_0
  10: [256, 84], // q2_k
  11: [256, 110], // q3_k
  12: [256, 144], // q4_k
  13: [256, 176], // q5_k
  14: [256, 210], // q6_k
  24: [1, 1], // i8
  25: [1, 2], // i16
  26: [1, 4], // i32
  27: [1, 8], // i64
  28: [1, 8], // f64
  30: [1, 2], // bf16
};

export type GgufMetadataValue = string | number | boolean | readonly (string | number | boolean)[];
/** Sizes innermost first, as the file has them; `offset` counts from the start of the data. */
export type TensorEntry = {
  readonly name: string;
  readonly type: number;
  readonly sizes: readonly number[];
  readonly offset: number;
  readonly sizeBytes: number;
};

export class GgufCursor {
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

  get position(): number {
    return this.#at;
  }

  /** Reads the tensors' entries. */
  async tensors(count: number): Promise<TensorEntry[]> {
    const entries: TensorEntry[] = [];
    for (let i = 0; i < count; i++) {
      const name = await this.text();
      const dimensions = (await this.bytes(4)).readUInt32LE();
      if (dimensions > 8) throw this.#fail(`it claims a tensor of ${dimensions} dimensions`);
      const sizes: number[] = [];
      for (let j = 0; j < dimensions; j++) sizes.push(Number((await this.bytes(8)).readBigUInt64LE()));
      const type = (await this.bytes(4)).readUInt32LE();
      const [perBlock, blockBytes] = tensorBlocks[type] ?? [Number.POSITIVE_INFINITY, 1];
      if (perBlock !== Number.POSITIVE_INFINITY && (sizes[0] ?? 1) % perBlock !== 0)
        throw this.#fail(`its tensor "${name}" has rows of ${sizes[0]} values, which fill no whole blocks of ${perBlock}`);
      const sizeBytes = (sizes.reduce((product, size) => product * size, 1) / perBlock) * blockBytes;
      entries.push({ name, type, sizes, offset: Number((await this.bytes(8)).readBigUInt64LE()), sizeBytes });
    }
    return entries;
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

  /** Arrays of scalars and strings in full. */
  async fullValue(type: number): Promise<GgufMetadataValue> {
    if (type !== arrayType) return (await this.value(type)) as string | number | boolean;
    const inner = (await this.bytes(4)).readUInt32LE();
    const length = await this.count();
    if (inner === arrayType) throw this.#fail("it holds an array of arrays");
    const values: (string | number | boolean)[] = [];
    while (values.length < length) {
      if (inner === stringType) this.#textsAtHand(length, values);
      if (values.length < length) values.push((await this.value(inner)) as string | number | boolean);
    }
    return values;
  }

  /** Texts that lie wholly in the buffer, read without waiting: a vocabulary has hundreds of thousands. */
  #textsAtHand(length: number, into: (string | number | boolean)[]): void {
    const buffer = this.#buffer;
    let at = this.#at - this.#bufferStart;
    if (at < 0) return;
    while (into.length < length && at + 8 <= buffer.byteLength) {
      const size = buffer.readUInt32LE(at) + buffer.readUInt32LE(at + 4) * 2 ** 32;
      if (at + 8 + size > buffer.byteLength || this.#bufferStart + at + 8 + size > this.#end) break;
      into.push(buffer.toString("utf8", at + 8, at + 8 + size));
      at += 8 + size;
    }
    this.#at = this.#bufferStart + at;
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
