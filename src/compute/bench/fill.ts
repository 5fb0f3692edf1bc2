/** @file Data for benchmarks: seeded, finite, of ordinary size; blocks of quantised weights get sane scales. */

import { type TensorData, typedView } from "../backends/backend.ts";
import { type DType, dtypes, elementCount, specBytes, type TensorSpec } from "../dtype.ts";
import type { SampleInput } from "../op.ts";

/** 0.01 as f16, little-endian. */
const scale = [0x1f, 0x21];
/** Where a block's f16 scales begin. */
const scaleAt: Partial<Record<DType, readonly number[]>> = {
  q4_0: [0],
  q4_1: [0, 2],
  q5_0: [0],
  q5_1: [0, 2],
  q8_0: [0],
  q4_k: [0, 2],
  q5_k: [0, 2],
  q6_k: [208],
};
/** Elements (or blocks) drawn; larger tensors repeat them, since no kernel's speed depends on the values. */
const drawn = 1 << 16;

/** xorshift32 */
function noise(seed: number): () => number {
  let x = seed >>> 0 || 1;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return x >>> 0;
  };
}

type Numbers = Float32Array | Uint16Array | Uint8Array | Int32Array;

function repeat(data: Numbers, from: number): void {
  for (let filled = from; filled > 0 && filled < data.length; filled *= 2) data.copyWithin(filled, 0, Math.min(filled, data.length - filled));
}

export function benchData(input: SampleInput, seed: number): TensorData {
  const spec: TensorSpec = { dtype: input.dtype, shape: input.shape };
  const next = noise(seed);
  const all = elementCount(spec.shape);
  const count = Math.min(all, drawn);
  const { fill } = input;
  const data = typedView(spec.dtype, new ArrayBuffer(specBytes(spec)));
  if (fill !== undefined && "values" in fill) for (let i = 0; i < all; i++) data[i] = fill.values[i % fill.values.length]!;
  else if (spec.dtype === "i32") {
    const { from, below } = fill !== undefined && fill.draw === "integers" ? fill : { from: 0, below: 1 };
    for (let i = 0; i < all; i++) data[i] = from + (next() % Math.max(1, below - from));
  } else if (dtypes[spec.dtype].kind === "float") {
    const draw: (i: number) => void =
      spec.dtype === "f32"
        ? (i) => (data[i] = (next() / 2 ** 31 - 1) * 0.5)
        : // Sign, exponent of ±0.25 to ±0.5, random mantissa.
          spec.dtype === "bf16"
          ? (i) => (data[i] = (next() & 0x807f) | 0x3e80)
          : (i) => (data[i] = (next() & 0x83ff) | 0x3400);
    for (let i = 0; i < count; i++) draw(i);
    repeat(data as Numbers, count);
  } else {
    const { blockBytes } = dtypes[spec.dtype];
    const bytes = data as Uint8Array;
    const some = Math.min(bytes.byteLength, blockBytes * 4096);
    for (let i = 0; i < some; i++) bytes[i] = next();
    for (const at of scaleAt[spec.dtype] ?? []) for (let block = at; block < some; block += blockBytes) bytes.set(scale, block);
    repeat(bytes, some);
  }
  return data;
}
