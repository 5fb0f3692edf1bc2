/** @file safetensors: an 8-byte length, a JSON header, tensors back to back. Reading treats the file as hostile; writing gives the same bytes for the same tensors. */
import fs from "node:fs/promises";
import { StarboxError } from "#base";

const elementBytes = { F32: 4, F16: 2, BF16: 2, I64: 8, I32: 4, U8: 1 } as const;
export type SafetensorsType = keyof typeof elementBytes;
export type SafetensorsTensor = { readonly dtype: SafetensorsType; readonly shape: readonly number[]; readonly data: Uint8Array };
export type Safetensors = { readonly tensors: ReadonlyMap<string, SafetensorsTensor>; readonly metadata: Readonly<Record<string, string>> };

const headerCeiling = 100 << 20;

export function encodeSafetensors(tensors: ReadonlyMap<string, SafetensorsTensor>, metadata: Readonly<Record<string, string>> = {}): Uint8Array {
  let offset = 0;
  const header: Record<string, unknown> = { __metadata__: { format: "pt", ...metadata } };
  for (const [name, { dtype, shape, data }] of tensors) {
    header[name] = { dtype, shape, data_offsets: [offset, offset + data.byteLength] };
    offset += data.byteLength;
  }
  const json = Buffer.from(JSON.stringify(header));
  const padded = Math.ceil(json.length / 8) * 8;
  const bytes = Buffer.alloc(8 + padded + offset, 0x20);
  bytes.writeBigUInt64LE(BigInt(padded));
  json.copy(bytes, 8);
  let at = 8 + padded;
  for (const { data } of tensors.values()) {
    bytes.set(data, at);
    at += data.byteLength;
  }
  return bytes;
}

/** Throws model_invalid. */
export function decodeSafetensors(bytes: Uint8Array, name: string): Safetensors {
  const refuse = (what: string): never => {
    throw new StarboxError("model_invalid", `${name} is no sound safetensors file: ${what}.`, {
      zh: { message: `${name} 不是有效的 safetensors 文件。` },
    });
  };
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (buffer.length < 8) refuse("it is shorter than its length field");
  const length = Number(buffer.readBigUInt64LE());
  if (length > headerCeiling || 8 + length > buffer.length) refuse(`it claims a header of ${length} bytes`);
  let header: Record<string, { dtype?: unknown; shape?: unknown; data_offsets?: unknown }>;
  try {
    header = JSON.parse(buffer.toString("utf8", 8, 8 + length)) as typeof header;
  } catch {
    return refuse("its header is no JSON");
  }
  const { __metadata__: about = {}, ...entries } = header;
  const tensors = new Map<string, SafetensorsTensor>();
  for (const [key, { dtype, shape, data_offsets: offsets }] of Object.entries(entries)) {
    const each = elementBytes[dtype as SafetensorsType];
    if (each === undefined) refuse(`"${key}" is of type ${String(dtype)}`);
    const sizes =
      Array.isArray(shape) && shape.every((size) => Number.isSafeInteger(size) && size >= 0) ? (shape as number[]) : refuse(`"${key}" has no shape`);
    const [from, to] = Array.isArray(offsets) ? (offsets as [number, number]) : [-1, -1];
    const wanted = sizes.reduce((product, size) => product * size, each);
    if (!(from >= 0) || to - from !== wanted || 8 + length + to > buffer.length) refuse(`"${key}" does not lie inside it`);
    tensors.set(key, { dtype: dtype as SafetensorsType, shape: sizes, data: buffer.subarray(8 + length + from, 8 + length + to) });
  }
  return { tensors, metadata: Object.fromEntries(Object.entries(about).filter((pair): pair is [string, string] => typeof pair[1] === "string")) };
}

export const readSafetensors = async (file: string): Promise<Safetensors> => decodeSafetensors(await fs.readFile(file), file);

export const f32Tensor = (shape: readonly number[], values: Float32Array): SafetensorsTensor => ({
  dtype: "F32",
  shape,
  data: new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
});

/** Throws model_invalid for other types than F32, F16, BF16. */
export function f32Values({ dtype, data }: SafetensorsTensor, name: string): Float32Array {
  const bytes = new Uint8Array(data); // a copy, aligned
  if (dtype === "F32") return new Float32Array(bytes.buffer, 0, bytes.byteLength / 4);
  const halves = new Uint16Array(bytes.buffer, 0, bytes.byteLength / 2);
  if (dtype === "BF16") return new Float32Array(Uint32Array.from(halves, (bits) => bits << 16).buffer);
  if (dtype === "F16") return Float32Array.from(new Float16Array(bytes.buffer, 0, bytes.byteLength / 2));
  throw new StarboxError("model_invalid", `"${name}": expected floats, got ${dtype}.`, { zh: { message: `“${name}”应为浮点数，实际为 ${dtype}。` } });
}
