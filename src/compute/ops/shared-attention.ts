/** @file Shapes, visible pairs and scores that attention and its gradient share. No operator itself. */
import { StarboxError } from "#base";
import type { TensorSpec } from "../dtype.ts";
import type { Params, ReferenceTensor } from "../op.ts";
import { logSumExp } from "./shared-math.ts";
import { expectShapes, hasShape, rankOf } from "./shared-operands.ts";
import { visibleRows } from "./shared-segments.ts";

type Operands = {
  readonly q: TensorSpec;
  readonly k: TensorSpec;
  readonly v: TensorSpec;
  readonly segments: TensorSpec;
  readonly positions: TensorSpec | null;
};

export function expectAttention(op: string, { q, k, v, segments, positions }: Operands, params: Params): void {
  const [count, heads, columns] = q.shape as [number, number, number];
  const keys = rankOf(q) === 3 && hasShape(k, count, k.shape[1]!, columns) && hasShape(v, ...k.shape) && heads % Math.max(1, k.shape[1]!) === 0;
  const fits = keys && (k.shape[1]! > 0 || heads === 0) && hasShape(segments, segments.shape[0]!, 3) && hasShape(positions, count);
  const text = "q [T, H, D], k and v [T, Hk, D] with H a multiple of Hk, segments [n, 3], positions [T]";
  expectShapes(op, fits, text, [q, k, v, segments, positions]);
  const [window, softcap] = [params["window"]!, params["softcap"]!];
  if (!Number.isInteger(window) || window < 0 || !(softcap >= 0))
    throw new StarboxError("tensor_invalid", `${op}: expected a window and a softcap ≥ 0 (0: none), got ${window} and ${softcap}.`);
}

/** Pairs of rows that see each other when the batch is one text: segments, which are values, can only make it fewer. */
export function pairsAtMost(count: number, params: Params): number {
  const window = params["window"]! > 0 ? Math.min(params["window"]!, count) : count;
  if (params["causal"]) return window * count - (window * (window - 1)) / 2;
  return window === count ? count * count : Math.min(count * count, (2 * window - 1) * count);
}

export type ScoreRow = {
  /** t · H + h. */
  readonly index: number;
  /** Where this query's values begin in q, and each key's in k and v. */
  readonly query: number;
  readonly keys: readonly number[];
  readonly scores: Float64Array;
  readonly total: number;
};
type ScoreInputs = {
  readonly q: ReferenceTensor;
  readonly k: ReferenceTensor;
  readonly segments: ReferenceTensor;
  readonly positions: ReferenceTensor | null;
  readonly params: Params;
};

/** Visits every query row and head that sees at least one key. */
export function attentionRows({ q, k, segments, positions, params }: ScoreInputs, visit: (row: ScoreRow) => void): void {
  const [count, heads, columns] = q.shape as [number, number, number];
  const keyHeads = k.shape[1]!;
  const seen = visibleRows(segments.values, count, { causal: params["causal"]!, window: params["window"]! }, positions?.values);
  for (let t = 0; t < count; t++)
    for (let h = 0; h < heads && seen[t]!.length > 0; h++) {
      const query = (t * heads + h) * columns;
      const keys = seen[t]!.map((row) => (row * keyHeads + Math.floor((h * keyHeads) / heads)) * columns);
      const scores = Float64Array.from(keys, (key) => capped(dot(q.values, query, k.values, key, columns) * params["scale"]!, params["softcap"]!));
      visit({ index: t * heads + h, query, keys, scores, total: logSumExp(scores, 0, scores.length) });
    }
}

export function dot(a: Float64Array, fromA: number, b: Float64Array, fromB: number, count: number): number {
  let total = 0;
  for (let d = 0; d < count; d++) total += a[fromA + d]! * b[fromB + d]!;
  return total;
}

/** Σ |a·b|: what the rounding of a dot product is a share of. */
export function magnitude(a: Float64Array, fromA: number, b: Float64Array, fromB: number, count: number): number {
  let total = 0;
  for (let d = 0; d < count; d++) total += Math.abs(a[fromA + d]! * b[fromB + d]!);
  return total;
}

export const capped = (score: number, softcap: number): number => (softcap > 0 ? softcap * Math.tanh(score / softcap) : score);
