/** @file Numbers for samples: seeded, the same on every machine. */
import { elementCount } from "../../dtype.ts";
import type { SampleInput } from "../../op.ts";

/** Uniform in [0, 1): 53 bits of a multiply-with-carry pair would be overkill; mulberry32 gives 32. */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A seed from text, so that every sample has its own and keeps it. (FNV-1a.) */
export function seedOf(text: string): number {
  return [...text].reduce((hash, letter) => Math.imul(hash ^ letter.codePointAt(0)!, 16777619), 2166136261) >>> 0;
}

export function sampleValues({ dtype, shape, fill }: SampleInput, random: () => number): Float64Array {
  const count = elementCount(shape);
  if (fill !== undefined && "values" in fill) return Float64Array.from({ length: count }, (_, i) => fill.values[i]!);
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const draw = fill?.draw ?? (dtype === "i32" ? "integers" : "normal");
  const scale = fill !== undefined && "scale" in fill ? (fill.scale ?? 1) : 1;
  const [from, below] = fill !== undefined && "from" in fill ? [fill.from, fill.below] : [0, 1];
  const kinds = {
    normal: () => scale * normal(),
    uniform: () => scale * (2 * random() - 1),
    positive: () => scale * (0.5 + random()),
    integers: () => from + Math.floor(random() * (below - from)),
  };
  return Float64Array.from({ length: count }, kinds[draw]);
}
