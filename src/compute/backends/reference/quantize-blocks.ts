/** @file Values into ggml's blocks with the rounding of its reference functions, every step in f32, so that the bytes are the same. */
import { type DType, dtypes } from "../../dtype.ts";
import { scaleAndMinimum } from "./dequantize-blocks.ts";
import { fitWithMinimum, fitWithSign } from "./fit-scales.ts";
import { roundEven, throughHalf, toHalf } from "./halves.ts";

const f = Math.fround;
type Write = (x: Float32Array, bytes: Uint8Array, at: number) => void;

function putHalf(bytes: Uint8Array, at: number, value: number): void {
  const half = toHalf(value);
  bytes[at] = half & 255;
  bytes[at + 1] = half >> 8;
}

/** The value of largest magnitude, with its sign; the first of equals. */
const peak = (x: Float32Array): number => x.reduce((best, v) => (Math.abs(v) > Math.abs(best) ? v : best), 0);
const inverse = (d: number): number => (d === 0 ? 0 : f(1 / d));

/** Blocks of 32 around zero: the peak maps to the lowest level. */
const symmetric =
  (levels: number): Write =>
  (x, bytes, at) => {
    const d = f(peak(x) / -levels);
    const id = inverse(d);
    putHalf(bytes, at, d);
    const q = Array.from(x, (v) => Math.min(2 * levels - 1, Math.trunc(f(f(v * id) + (levels + 0.5)))));
    putNibbles(q, bytes, at + 2, levels === 16);
  };

/** Blocks of 32 from a minimum up. */
const fromMinimum =
  (levels: number): Write =>
  (x, bytes, at) => {
    const [min, max] = [Math.min(...x), Math.max(...x)];
    const d = f(f(max - min) / levels);
    const id = inverse(d);
    putHalf(bytes, at, d);
    putHalf(bytes, at + 2, min);
    const q = Array.from(x, (v) => Math.min(levels, Math.trunc(f(f(f(v - min) * id) + 0.5))));
    putNibbles(q, bytes, at + 4, levels === 31);
  };

function putNibbles(q: readonly number[], bytes: Uint8Array, at: number, fifthBits: boolean): void {
  const low = at + (fifthBits ? 4 : 0);
  for (let j = 0; j < 16; j++) bytes[low + j] = (q[j]! & 15) | ((q[j + 16]! & 15) << 4);
  for (let j = 0; j < 32 && fifthBits; j++) bytes[at + (j >> 3)]! |= ((q[j]! >> 4) & 1) << (j & 7);
}

const q80: Write = (x, bytes, at) => {
  const d = f(Math.abs(peak(x)) / 127);
  const id = inverse(d);
  putHalf(bytes, at, d);
  x.forEach((v, j) => {
    const scaled = f(v * id);
    bytes[at + 2 + j] = Math.sign(scaled) * Math.floor(Math.abs(scaled) + 0.5); // ties away from zero
  });
};

/** q4_k and q5_k: eight groups of 32 with six-bit scales and minima. */
const large =
  (levels: 15 | 31): Write =>
  (x, bytes, at) => {
    const groups = Array.from({ length: 8 }, (_, j) => x.subarray(j * 32, (j + 1) * 32));
    const search = levels === 15 ? { from: -1, steps: 20 } : { from: -0.5, steps: 15 };
    const fits = groups.map((group) => fitWithMinimum(group, levels, search.from, search.steps));
    const largest = fits.reduce((most, fit) => Math.max(most, fit.scale), 0);
    const largestMinimum = fits.reduce((most, fit) => Math.max(most, fit.minimum), 0);
    const [toScale, toMinimum] = [largest > 0 ? f(63 / largest) : 0, largestMinimum > 0 ? f(63 / largestMinimum) : 0];
    fits.forEach((fit, j) => {
      const scale = Math.min(63, roundEven(f(toScale * fit.scale)) & 255);
      const minimum = Math.min(63, roundEven(f(toMinimum * fit.minimum)) & 255);
      if (j < 4) {
        bytes[at + 4 + j] = scale;
        bytes[at + 8 + j] = minimum;
      } else {
        bytes[at + 8 + j] = (scale & 15) | ((minimum & 15) << 4);
        bytes[at + j]! |= (scale >> 4) << 6;
        bytes[at + 4 + j]! |= (minimum >> 4) << 6;
      }
    });
    const [d, min] = [f(largest / 63), f(largestMinimum / 63)];
    putHalf(bytes, at, d);
    putHalf(bytes, at + 2, min);
    const [high, low] = [at + 16, at + (levels === 31 ? 48 : 16)];
    groups.forEach((group, j) => {
      const [scale, minimum] = scaleAndMinimum(bytes, at + 4, j);
      const [dj, mj] = [f(throughHalf(d) * scale), f(throughHalf(min) * minimum)];
      group.forEach((v, l) => {
        const q = dj === 0 ? fits[j]!.levels[l]! : Math.max(0, Math.min(levels, roundEven(f(f(v + mj) / dj))));
        bytes[low + (j >> 1) * 32 + l]! |= (q & 15) << (4 * (j & 1));
        if (q > 15) bytes[high + l]! |= 1 << j;
      });
    });
  };

const q6k: Write = (x, bytes, at) => {
  const groups = Array.from({ length: 16 }, (_, j) => x.subarray(j * 16, (j + 1) * 16));
  const fits = groups.map((group) => fitWithSign(group, 32));
  const largest = fits.reduce((best, { scale }) => (Math.abs(scale) > Math.abs(best) ? scale : best), 0);
  if (Math.abs(largest) < f(1e-15)) return; // all zeros
  const toScale = f(-128 / largest);
  const d = f(1 / toScale);
  putHalf(bytes, at + 208, d);
  groups.forEach((group, j) => {
    const scale = Math.min(127, roundEven(f(toScale * fits[j]!.scale)));
    bytes[at + 192 + j] = scale;
    const dj = f(throughHalf(d) * scale);
    group.forEach((v, l) => {
      const q = dj === 0 ? fits[j]!.levels[l]! : Math.max(-32, Math.min(31, roundEven(f(v / dj)))) + 32;
      const i = j * 16 + l;
      const [part, quarter, column] = [i >> 7, (i >> 5) & 3, i & 31];
      bytes[at + part * 64 + (quarter & 1) * 32 + column]! |= (q & 15) << (quarter < 2 ? 0 : 4);
      bytes[at + 128 + part * 32 + column]! |= (q >> 4) << (2 * quarter);
    });
  });
};

const writers: Partial<Record<DType, Write>> = {
  q4_0: symmetric(8),
  q4_1: fromMinimum(15),
  q5_0: symmetric(16),
  q5_1: fromMinimum(31),
  q8_0: q80,
  q4_k: large(15),
  q5_k: large(31),
  q6_k: q6k,
};

export function quantizeBlocks(dtype: DType, values: Float64Array): Uint8Array {
  const { block, blockBytes } = dtypes[dtype];
  const write = writers[dtype]!;
  const x = Float32Array.from(values);
  const bytes = new Uint8Array((x.length / block) * blockBytes);
  for (let b = 0; b * block < x.length; b++) write(x.subarray(b * block, (b + 1) * block), bytes, b * blockBytes);
  return bytes;
}
