/** @file Values of ggml's blocks, each computed in f32 as ggml computes it. Blocks of 32 have one scale (and a minimum), those of 256 a scale for every 16 or 32. */
import { type DType, dtypes } from "../../dtype.ts";
import { fromHalf } from "./halves.ts";

const f = Math.fround;
type Block = { readonly bytes: Uint8Array; readonly at: number };
type Read = (block: Block, out: Float64Array, to: number) => void;

const half = ({ bytes, at }: Block, offset: number): number => fromHalf(bytes[at + offset]! | (bytes[at + offset + 1]! << 8));
const signed = (byte: number): number => (byte << 24) >> 24;

/** Blocks of 32: nibbles of j and j + 16 share a byte; a fifth bit of each lies in a word of its own. */
const small =
  (layout: { readonly minimum: boolean; readonly highBits: boolean; readonly zero: number }): Read =>
  (block, out, to) => {
    const { bytes, at } = block;
    const d = half(block, 0);
    const m = layout.minimum ? half(block, 2) : 0;
    const high = at + (layout.minimum ? 4 : 2);
    const low = high + (layout.highBits ? 4 : 0);
    for (let j = 0; j < 32; j++) {
      const byte = bytes[low + (j % 16)]!;
      const fifth = layout.highBits ? (bytes[high + (j >> 3)]! >> (j & 7)) & 1 : 0;
      const q = (j < 16 ? byte & 15 : byte >> 4) + 16 * fifth - layout.zero;
      out[to + j] = layout.minimum ? f(f(q * d) + m) : f(q * d);
    }
  };

/** Scale and minimum j of 8, six bits each, packed into 12 bytes. */
export function scaleAndMinimum(bytes: Uint8Array, at: number, j: number): readonly [number, number] {
  if (j < 4) return [bytes[at + j]! & 63, bytes[at + j + 4]! & 63];
  const both = bytes[at + j + 4]!;
  return [(both & 15) | ((bytes[at + j - 4]! >> 6) << 4), (both >> 4) | ((bytes[at + j]! >> 6) << 4)];
}

/** q4_k, q5_k: eight groups of 32. */
const large =
  (fifth: boolean): Read =>
  (block, out, to) => {
    const { bytes, at } = block;
    const [d, min] = [half(block, 0), half(block, 2)];
    const [high, low] = [at + 16, at + (fifth ? 48 : 16)];
    for (let j = 0; j < 8; j++) {
      const [scale, minimum] = scaleAndMinimum(bytes, at + 4, j);
      const [dj, mj] = [f(d * scale), f(min * minimum)];
      for (let l = 0; l < 32; l++) {
        const byte = bytes[low + (j >> 1) * 32 + l]!;
        const q = (j % 2 === 0 ? byte & 15 : byte >> 4) + (fifth ? 16 * ((bytes[high + l]! >> j) & 1) : 0);
        out[to + j * 32 + l] = f(f(dj * q) - mj);
      }
    }
  };

/** q6_k: 128 bytes of low nibbles, 64 of high pairs, 16 scales, d. */
const q6k: Read = (block, out, to) => {
  const { bytes, at } = block;
  const d = half(block, 208);
  for (let i = 0; i < 256; i++) {
    const [part, quarter, l] = [i >> 7, (i >> 5) & 3, i & 31];
    const byte = bytes[at + part * 64 + (quarter & 1) * 32 + l]!;
    const pair = (bytes[at + 128 + part * 32 + l]! >> (2 * quarter)) & 3;
    const q = ((quarter < 2 ? byte & 15 : byte >> 4) | (pair << 4)) - 32;
    out[to + i] = f(f(d * signed(bytes[at + 192 + (i >> 4)]!)) * q);
  }
};

const readers: Partial<Record<DType, Read>> = {
  q4_0: small({ minimum: false, highBits: false, zero: 8 }),
  q4_1: small({ minimum: true, highBits: false, zero: 0 }),
  q5_0: small({ minimum: false, highBits: true, zero: 16 }),
  q5_1: small({ minimum: true, highBits: true, zero: 0 }),
  q8_0: (block, out, to) => {
    const d = half(block, 0);
    for (let j = 0; j < 32; j++) out[to + j] = f(signed(block.bytes[block.at + 2 + j]!) * d);
  },
  q4_k: large(false),
  q5_k: large(true),
  q6_k: q6k,
};

export function dequantizeBlocks(dtype: DType, bytes: Uint8Array): Float64Array {
  const { block, blockBytes } = dtypes[dtype];
  const read = readers[dtype]!;
  const out = new Float64Array((bytes.length / blockBytes) * block);
  for (let b = 0; b * blockBytes < bytes.length; b++) read({ bytes, at: b * blockBytes }, out, b * block);
  return out;
}
