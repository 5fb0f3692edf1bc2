/** @file Writes a GGUF again with some of its tensors in other types or with other values: metadata byte for byte, all other tensors as they were. */
import { open } from "node:fs/promises";
import { GgufFile } from "./gguf-file.ts";
import { headerCeiling, readLayout } from "./gguf-widen.ts";
import { ggmlTypes } from "./gguf-writer.ts";

export type NewTensor = { readonly type: "f32" | "f16" | "bf16" | "q8_0"; readonly data: Uint8Array };

const alignedTo = (size: number, alignment: number): number => Math.ceil(size / alignment) * alignment;
const blocks = { f32: [1, 4], f16: [1, 2], bf16: [1, 2], q8_0: [32, 34] } as const;

/** `typeOf` says which tensors change (null: not), `dataOf` gives their values when their turn has come. Throws model_invalid. */
export async function rewriteGguf(
  source: string,
  target: string,
  typeOf: (name: string) => NewTensor["type"] | null,
  dataOf: (name: string) => Promise<Uint8Array>,
): Promise<void> {
  await using file = await GgufFile.open(source);
  const raw = await open(source, "r");
  const out = await open(target, "w");
  try {
    const { size } = await raw.stat();
    const header = Buffer.alloc(Math.min(size, headerCeiling));
    await raw.read(header, 0, header.length, 0);
    const { metadata, tensors, alignment } = readLayout(header);
    let next = 0;
    const placed = tensors.map((tensor) => {
      const name = tensor.name.toString("utf8");
      const type = typeOf(name);
      const count = tensor.shape.reduce((product, length) => product * length, 1);
      const bytes = type === null ? file.tensors.get(name)!.sizeBytes : (count / blocks[type][0]) * blocks[type][1];
      const offset = next;
      next += alignedTo(bytes, alignment);
      return { ...tensor, name, offset, bytes, changed: type !== null, type: type === null ? tensor.type : ggmlTypes[type] };
    });
    const infos = placed.map(({ name, shape, type, offset }) => {
      const text = Buffer.from(name, "utf8");
      const info = Buffer.alloc(8 + text.length + 4 + 8 * shape.length + 4 + 8);
      info.writeBigUInt64LE(BigInt(text.length));
      text.copy(info, 8);
      let at = info.writeUInt32LE(shape.length, 8 + text.length);
      for (const length of shape) at = info.writeBigUInt64LE(BigInt(length), at);
      at = info.writeUInt32LE(type, at);
      info.writeBigUInt64LE(BigInt(offset), at);
      return info;
    });
    const head = Buffer.concat([metadata, ...infos]);
    const start = alignedTo(head.length, alignment);
    await out.write(Buffer.concat([head, Buffer.alloc(start - head.length)]), 0, start, 0);
    for (const { name, offset, bytes, changed } of placed) {
      const data = changed ? await dataOf(name) : await file.read(name);
      if (data.byteLength !== bytes) throw new Error(`${name}: ${data.byteLength} bytes for ${bytes}`);
      await out.write(data, 0, data.byteLength, start + offset);
    }
    await out.truncate(start + next);
    await out.sync();
  } finally {
    await raw.close();
    await out.close();
  }
}
