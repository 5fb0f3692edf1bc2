/** @file Rewrites a GGUF with its Q5_0 tensors as Q8_0. Both have blocks of 32 with one scale, so every weight keeps its exact value; int8 matrix units can multiply only the second. */
import { type FileHandle, open } from "node:fs/promises";
import { StarboxError } from "#base";

const q5Type = 6;
const q8Type = 8;
const q5Bytes = 22;
const q8Bytes = 34;
export const headerCeiling = 128 << 20;
const scalarBytes: Readonly<Record<number, number>> = { 0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8 };

type Tensor = { readonly name: Buffer; readonly shape: readonly number[]; readonly type: number; readonly offset: number };
type Layout = { readonly metadata: Buffer; readonly tensors: readonly Tensor[]; readonly dataStart: number; readonly alignment: number };

const invalid = (what: string): StarboxError =>
  new StarboxError("model_invalid", `This GGUF cannot be rewritten: ${what}.`, { zh: { message: `无法改写该 GGUF：${what}。` } });

/** Metadata as its raw bytes, and where tensors lie. */
export function readLayout(bytes: Buffer): Layout {
  let at = 0;
  const take = (size: number): Buffer => {
    if (!(size >= 0) || at + size > bytes.length) throw invalid("its header ends early");
    at += size;
    return bytes.subarray(at - size, at);
  };
  const u32 = (): number => take(4).readUInt32LE();
  const u64 = (): number => Number(take(8).readBigUInt64LE());
  const skipValue = (type: number): void => {
    if (type === 8) take(u64());
    else if (type === 9) {
      const [inner, count] = [u32(), u64()];
      const size = scalarBytes[inner];
      if (size !== undefined) take(size * count);
      else for (let i = 0; i < count; i++) skipValue(inner);
    } else take(scalarBytes[type] ?? Number.NaN);
  };
  if (take(4).toString("latin1") !== "GGUF" || u32() < 2) throw invalid("not a GGUF of version 2 or later");
  const [tensorCount, pairs] = [u64(), u64()];
  let alignment = 32;
  for (let i = 0; i < pairs; i++) {
    const key = take(u64()).toString("utf8");
    const type = u32();
    if (key === "general.alignment" && type === 4) alignment = bytes.readUInt32LE(at);
    skipValue(type);
  }
  const metadata = bytes.subarray(0, at);
  const tensors: Tensor[] = [];
  for (let i = 0; i < tensorCount; i++) {
    const name = take(u64());
    const shape = Array.from({ length: u32() }, u64);
    tensors.push({ name, shape, type: u32(), offset: u64() });
  }
  return { metadata, tensors, dataStart: Math.ceil(at / alignment) * alignment, alignment };
}

/** q5_0: f16 scale, 32 high bits, 16 bytes of low nibbles (element j low, j+16 high), value (q-16)·d. q8_0: the same scale, 32 signed bytes. */
function widenBlocks(source: Buffer): Buffer {
  const blocks = source.length / q5Bytes;
  const target = Buffer.allocUnsafe(blocks * q8Bytes);
  for (let block = 0; block < blocks; block++) {
    const from = block * q5Bytes;
    const to = block * q8Bytes;
    target[to] = source[from] ?? 0;
    target[to + 1] = source[from + 1] ?? 0;
    const high = source.readUInt32LE(from + 2);
    for (let j = 0; j < 16; j++) {
      const pair = source[from + 6 + j] ?? 0;
      target[to + 2 + j] = ((pair & 15) | (((high >>> j) & 1) << 4)) - 16;
      target[to + 18 + j] = ((pair >> 4) | (((high >>> (j + 16)) & 1) << 4)) - 16;
    }
  }
  return target;
}

const aligned = (size: number, alignment: number): number => Math.ceil(size / alignment) * alignment;
const count = (tensor: Tensor): number => tensor.shape.reduce((product, size) => product * size, 1);

/** False, and nothing written, when the file has no Q5_0 tensors. */
export async function widenQ5(sourcePath: string, targetPath: string): Promise<boolean> {
  const source = await open(sourcePath, "r");
  try {
    const { size } = await source.stat();
    const header = Buffer.alloc(Math.min(size, headerCeiling));
    await source.read(header, 0, header.length, 0);
    const layout = readLayout(header);
    if (!layout.tensors.some((tensor) => tensor.type === q5Type)) return false;
    const target = await open(targetPath, "w");
    try {
      await writeWidened(source, target, layout, size);
      await target.sync();
    } finally {
      await target.close();
    }
    return true;
  } finally {
    await source.close();
  }
}

async function writeWidened(source: FileHandle, target: FileHandle, layout: Layout, fileSize: number): Promise<void> {
  const { tensors, alignment, dataStart } = layout;
  const byOffset = [...tensors].sort((a, b) => a.offset - b.offset);
  const end = (tensor: Tensor): number => byOffset[byOffset.indexOf(tensor) + 1]?.offset ?? fileSize - dataStart;
  const sizes = new Map(tensors.map((tensor) => [tensor, tensor.type === q5Type ? (count(tensor) / 32) * q8Bytes : end(tensor) - tensor.offset]));
  const offsets = new Map<Tensor, number>();
  let next = 0;
  for (const tensor of byOffset) {
    offsets.set(tensor, next);
    next += aligned(sizes.get(tensor) ?? 0, alignment);
  }
  const infos = tensors.map((tensor) => {
    const info = Buffer.alloc(8 + tensor.name.length + 4 + 8 * tensor.shape.length + 4 + 8);
    info.writeBigUInt64LE(BigInt(tensor.name.length));
    tensor.name.copy(info, 8);
    let at = info.writeUInt32LE(tensor.shape.length, 8 + tensor.name.length);
    for (const length of tensor.shape) at = info.writeBigUInt64LE(BigInt(length), at);
    at = info.writeUInt32LE(tensor.type === q5Type ? q8Type : tensor.type, at);
    info.writeBigUInt64LE(BigInt(offsets.get(tensor) ?? 0), at);
    return info;
  });
  const head = Buffer.concat([layout.metadata, ...infos]);
  const start = aligned(head.length, alignment);
  await target.write(Buffer.concat([head, Buffer.alloc(start - head.length)]), 0, start, 0);
  const step = q5Bytes << 15;
  const buffer = Buffer.allocUnsafe(step);
  for (const tensor of byOffset) {
    const length = tensor.type === q5Type ? (count(tensor) / 32) * q5Bytes : end(tensor) - tensor.offset;
    let to = start + (offsets.get(tensor) ?? 0);
    for (let done = 0; done < length; ) {
      const { bytesRead } = await source.read(buffer, 0, Math.min(step, length - done), dataStart + tensor.offset + done);
      if (bytesRead === 0 || (tensor.type === q5Type && bytesRead % q5Bytes !== 0)) throw invalid("its tensors end early");
      const piece = tensor.type === q5Type ? widenBlocks(buffer.subarray(0, bytesRead)) : buffer.subarray(0, bytesRead);
      await target.write(piece, 0, piece.length, to);
      to += piece.length;
      done += bytesRead;
    }
  }
  await target.truncate(start + next); // the last tensor's padding, too
}
