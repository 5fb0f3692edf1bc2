/** @file Writes GGUF v3 files: metadata, tensor table, aligned data. Knows no model and does no quantisation. */
import { open } from "node:fs/promises";

export type GgufValue =
  | { readonly type: "u32" | "i32" | "f32"; readonly value: number }
  | { readonly type: "bool"; readonly value: boolean }
  | { readonly type: "string"; readonly value: string }
  | { readonly type: "strings"; readonly value: readonly string[] }
  | { readonly type: "f32s"; readonly value: Float32Array }
  | { readonly type: "i32s"; readonly value: Int32Array };

export const ggmlTypes = { f32: 0, f16: 1, q4_0: 2, q5_0: 6, q8_0: 8, bf16: 30 } as const;
export type GgmlTypeName = keyof typeof ggmlTypes;

/** `shape` is in ggml's order: the fastest-running dimension first. */
export type GgufTensor = { readonly name: string; readonly shape: readonly number[]; readonly type: GgmlTypeName; readonly data: Uint8Array };

const alignment = 32;
const valueTypes = { u32: 4, i32: 5, f32: 6, bool: 7, string: 8, array: 9 } as const;

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}
function i32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}
function f32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return bytes;
}
function string(value: string): Buffer {
  const text = Buffer.from(value, "utf8");
  return Buffer.concat([u64(text.length), text]);
}
function viewBytes(view: Float32Array | Int32Array): Buffer {
  return Buffer.from(view.buffer, view.byteOffset, view.byteLength); // the file is little-endian, and so is every machine Node runs on
}

function encodeValue(item: GgufValue): Buffer {
  switch (item.type) {
    case "u32":
      return Buffer.concat([u32(valueTypes.u32), u32(item.value)]);
    case "i32":
      return Buffer.concat([u32(valueTypes.i32), i32(item.value)]);
    case "f32":
      return Buffer.concat([u32(valueTypes.f32), f32(item.value)]);
    case "bool":
      return Buffer.concat([u32(valueTypes.bool), Buffer.from([item.value ? 1 : 0])]);
    case "string":
      return Buffer.concat([u32(valueTypes.string), string(item.value)]);
    case "strings":
      return Buffer.concat([u32(valueTypes.array), u32(valueTypes.string), u64(item.value.length), ...item.value.map(string)]);
    case "f32s":
      return Buffer.concat([u32(valueTypes.array), u32(valueTypes.f32), u64(item.value.length), viewBytes(item.value)]);
    case "i32s":
      return Buffer.concat([u32(valueTypes.array), u32(valueTypes.i32), u64(item.value.length), viewBytes(item.value)]);
    default:
      return item satisfies never;
  }
}

const padding = (size: number): number => (alignment - (size % alignment)) % alignment;

/** Same input, same bytes: the file's hash is a promise. */
export async function writeGguf(filePath: string, metadata: Readonly<Record<string, GgufValue>>, tensors: readonly GgufTensor[]): Promise<void> {
  const parts: Buffer[] = [Buffer.from("GGUF", "ascii"), u32(3), u64(tensors.length), u64(Object.keys(metadata).length)];
  for (const [key, value] of Object.entries(metadata)) parts.push(string(key), encodeValue(value));
  let offset = 0;
  for (const tensor of tensors) {
    parts.push(string(tensor.name), u32(tensor.shape.length), ...tensor.shape.map(u64), u32(ggmlTypes[tensor.type]), u64(offset));
    offset += tensor.data.byteLength + padding(tensor.data.byteLength);
  }
  const header = Buffer.concat(parts);
  const file = await open(filePath, "w");
  try {
    await file.writeFile(Buffer.concat([header, Buffer.alloc(padding(header.length))]));
    for (const tensor of tensors) {
      await file.writeFile(tensor.data);
      await file.writeFile(Buffer.alloc(padding(tensor.data.byteLength)));
    }
    await file.sync();
  } finally {
    await file.close();
  }
}
