/** @file Makes a cross-encoder out of an encoder's GGUF: pooling becomes ranking, and a scoring head with fixed weights is added. */
import fs from "node:fs";

const scalarBytes: Readonly<Record<number, number>> = { 0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8 };
const rankPooling = 4;
const aligned = (size: number): number => Math.ceil(size / 32) * 32;

export function makeRerankerGguf(source: string, target: string): void {
  const bytes = fs.readFileSync(source);
  let at = 8;
  const u32 = (): number => bytes.readUInt32LE((at += 4) - 4);
  const u64 = (): number => Number(bytes.readBigUInt64LE((at += 8) - 8));
  const text = (): string => {
    const length = u64();
    return bytes.toString("utf8", at, (at += length));
  };
  const skip = (type: number): void => {
    if (type === 8) text();
    else if (type === 9) {
      const [inner, count] = [u32(), u64()];
      for (let i = 0; i < count; i++) skip(inner);
    } else at += scalarBytes[type] as number;
  };
  const [tensors, pairs] = [u64(), u64()];
  let width = 0;
  let patched = false;
  for (let i = 0; i < pairs; i++) {
    const key = text();
    const type = u32();
    if (key === "bert.embedding_length") width = bytes.readUInt32LE(at);
    if (key === "bert.pooling_type") {
      bytes.writeUInt32LE(rankPooling, at);
      patched = true;
    }
    skip(type);
  }
  if (!patched || width === 0) throw new Error(`${source} is not an encoder with a pooling`);
  for (let i = 0; i < tensors; i++) {
    text();
    for (let dimensions = u32(); dimensions > 0; dimensions--) u64();
    at += 12;
  }
  const data = bytes.subarray(aligned(at));
  const weights = Float32Array.from({ length: width }, (_, i) => Math.sin(i * 12.9898) * 0.5);
  const head = [
    { name: "cls.output.weight", shape: [width, 1], data: weights },
    { name: "cls.output.bias", shape: [1], data: new Float32Array(1) },
  ];
  let offset = aligned(data.length);
  const infos = head.map((tensor) => {
    const info = Buffer.alloc(8 + tensor.name.length + 4 + 8 * tensor.shape.length + 12);
    info.writeBigUInt64LE(BigInt(tensor.name.length));
    info.write(tensor.name, 8);
    let to = info.writeUInt32LE(tensor.shape.length, 8 + tensor.name.length);
    for (const size of tensor.shape) to = info.writeBigUInt64LE(BigInt(size), to);
    info.writeBigUInt64LE(BigInt(offset), info.writeUInt32LE(0, to)); // f32
    offset += aligned(tensor.data.byteLength);
    return info;
  });
  bytes.writeBigUInt64LE(BigInt(tensors + head.length), 8);
  const pad = (buffer: Uint8Array): Buffer => Buffer.concat([buffer, Buffer.alloc(aligned(buffer.length) - buffer.length)]);
  const header = Buffer.concat([bytes.subarray(0, at), ...infos]);
  fs.writeFileSync(target, Buffer.concat([pad(header), pad(data), ...head.map(({ data: values }) => pad(new Uint8Array(values.buffer)))]));
}
