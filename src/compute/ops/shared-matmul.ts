/** @file Plain products for the references, shapes and types of weights for the samples. No operator itself. */

import { weightTypes } from "../dtype.ts";
import type { Sample } from "../op.ts";
import { gelu, geluTanh, silu } from "./shared-math.ts";
import { tensor } from "./shared-samples.ts";

/** y[m, n] = Σ over k of x[m, k] · w[n, k]. */
export function timesTransposed(x: Float64Array, w: Float64Array, m: number, n: number, k: number): Float64Array {
  const y = new Float64Array(m * n);
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++) {
      let total = 0;
      for (let l = 0; l < k; l++) total += x[i * k + l]! * w[j * k + l]!;
      y[i * n + j] = total;
    }
  return y;
}

/** dx[m, k] = Σ over n of dy[m, n] · w[n, k]. */
export function times(dy: Float64Array, w: Float64Array, m: number, n: number, k: number): Float64Array {
  const dx = new Float64Array(m * k);
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++) {
      const factor = dy[i * n + j]!;
      for (let l = 0; l < k; l++) dx[i * k + l]! += factor * w[j * k + l]!;
    }
  return dx;
}

/** Epilogues of linear, by the number of its parameter `activation`. */
export const activations = [(x: number): number => x, (x: number): number => Math.max(x, 0), gelu, geluTanh, silu] as const;
export const activationOps = [null, "relu", "gelu", "geluTanh", "silu"] as const;

/** The adapter of a row: group[m], or 0 where there is no group; −1 where it lies outside the adapters. */
export const adapterOf =
  (group: Float64Array | undefined, adapters: number) =>
  (row: number): number => {
    const g = group?.[row] ?? 0;
    return g >= 0 && g < adapters ? g : -1;
  };

/** One sample a weight type: rows and columns that leave remainders behind whole tiles, and one row (decoding). */
export const byWeightType = (make: (type: (typeof weightTypes)[number], label: string) => readonly Sample[]): readonly Sample[] =>
  weightTypes.flatMap((type) => make(type, type));

/** A weight of standard deviation 1/√K, as trained ones are: results stay near 1. */
export const trained = (dtype: Parameters<typeof tensor>[0], ...shape: number[]) =>
  tensor(dtype, shape, { draw: "normal", scale: 1 / Math.sqrt(Math.max(1, shape.at(-1)!)) });
