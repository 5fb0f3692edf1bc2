/** @file Bytes of a recorded plan, little-endian: the format is native/replay/record.h. */
export class RecordWriter {
  readonly #pieces: Uint8Array[] = [];

  raw(bytes: Uint8Array): this {
    this.#pieces.push(bytes);
    return this;
  }
  u32(value: number): this {
    return this.raw(new Uint8Array(Uint32Array.of(value).buffer));
  }
  i32(value: number): this {
    return this.raw(new Uint8Array(Int32Array.of(value).buffer));
  }
  i64(value: number): this {
    return this.raw(new Uint8Array(BigInt64Array.of(BigInt(value)).buffer));
  }
  f64(value: number): this {
    return this.raw(new Uint8Array(Float64Array.of(value).buffer));
  }
  /** With its length before it. */
  text(value: string): this {
    const bytes = Buffer.from(value);
    return this.u32(bytes.length).raw(bytes);
  }
  sized(bytes: Uint8Array): this {
    return this.i64(bytes.length).raw(bytes);
  }
  bytes(): Buffer {
    return Buffer.concat(this.#pieces);
  }
}
