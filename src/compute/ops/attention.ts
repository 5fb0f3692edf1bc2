/**
 * @file o = softmax(scale · q kᵀ) v over the rows each row sees, in tiles (Dao et al., 2022). Segments (start, end, parent) make one packed batch of many texts:
 * a row sees all rows of its segment's ancestors and its own segment, causally or whole. `window` w: also position(q) − position(k) < w (not causal: |difference| < w).
 * softcap c: scores become c · tanh(s / c). Query head h reads key head ⌊h / (H/Hk)⌋. A row that sees nothing gets o = 0, lse = −∞.
 */
import { defineOp, type Sample } from "../op.ts";
import { bytesOf } from "./shared.ts";
import { attentionRows, expectAttention, magnitude, pairsAtMost } from "./shared-attention.ts";
import { activation, chosenType, firstUpstream, integers, optional, typeOf } from "./shared-operands.ts";
import { bf16, f32, list, rows, tensor } from "./shared-samples.ts";

const sample = (label: string, more: Partial<Sample> = {}): Sample => ({
  label,
  inputs: [f32(7, 4, 8), f32(7, 2, 8), f32(7, 2, 8), rows([0, 7, -1]), null],
  params: { scale: 8 ** -0.5 },
  ...more,
});
const wide = (count: number) => [bf16(count, 4, 64), bf16(count, 2, 64), bf16(count, 2, 64)];
const minusInfinity = Number.NEGATIVE_INFINITY;

export const attention = defineOp({
  inputs: [activation("q"), activation("k"), activation("v"), integers("segments"), optional(integers("positions"))],
  outputs: ["o", "lse"],
  params: { scale: null, causal: 1, window: 0, softcap: 0 },
  infer: ([q, k, v, segments, positions], params, as) => {
    expectAttention("attention", { q: q!, k: k!, v: v!, segments: segments!, positions: positions ?? null }, params);
    return [
      { dtype: chosenType("attention", as, q!.dtype), shape: q!.shape },
      { dtype: "f32", shape: q!.shape.slice(0, 2) },
    ];
  },
  gradient: (context) => {
    const [q, k, v, segments, positions] = context.inputs;
    const operands = [firstUpstream("attention", context), q!, k!, v!, context.outputs[0]!, context.outputs[1]!, segments!, positions ?? null];
    return [...context.applyAll("attentionBackward", operands, context.params, typeOf(q!)), null, null];
  },
  reference: ([q, k, v, segments, positions], params) => {
    const columns = q!.shape[2]!;
    const o = new Float64Array(q!.values.length);
    const lse = new Float64Array(q!.shape[0]! * q!.shape[1]!).fill(minusInfinity);
    attentionRows({ q: q!, k: k!, segments: segments!, positions: positions ?? null, params }, ({ index, query, keys, scores, total }) => {
      lse[index] = total;
      keys.forEach((key, j) => {
        const p = Math.exp(scores[j]! - total);
        for (let d = 0; d < columns; d++) o[query + d]! += p * v!.values[key + d]!;
      });
    });
    return [o, lse];
  },
  conditioning: ([q, k, v, segments, positions], params) => {
    const columns = q!.shape[2]!;
    const [ofO, ofLse] = [new Float64Array(q!.values.length), new Float64Array(q!.shape[0]! * q!.shape[1]!)];
    // A score's error moves its weight by the factor e^error, and the others the other way: what is left is its distance from the mean.
    attentionRows({ q: q!, k: k!, segments: segments!, positions: positions ?? null, params }, ({ index, query, keys, scores, total }) => {
      const weights = scores.map((score) => Math.exp(score - total));
      const sizes = keys.map((key) => magnitude(q!.values, query, k!.values, key, columns) * Math.abs(params["scale"]!));
      ofLse[index] = Math.abs(total) + sizes.reduce((sum, size, j) => sum + weights[j]! * size, 0);
      for (let d = 0; d < columns; d++) {
        const mean = keys.reduce((sum, key, j) => sum + weights[j]! * v!.values[key + d]!, 0);
        keys.forEach((key, j) => {
          const value = v!.values[key + d]!;
          ofO[query + d]! += weights[j]! * (sizes[j]! * Math.abs(value - mean) + Math.abs(value));
        });
      }
    });
    return [ofO, ofLse];
  },
  cost: (inputs, outputs, params) => ({
    operations: 4 * inputs[0]!.shape[1]! * inputs[0]!.shape[2]! * pairsAtMost(inputs[0]!.shape[0]!, params),
    bytes: bytesOf(inputs, outputs),
  }),
  samples: [
    sample("causal, grouped heads"),
    sample("one head, one row", { inputs: [f32(1, 1, 4), f32(1, 1, 4), f32(1, 1, 4), rows([0, 1, -1]), null] }),
    sample("bidirectional", { params: { scale: 0.3, causal: 0 } }),
    sample("packed texts with a gap", { inputs: [f32(9, 2, 6), f32(9, 2, 6), f32(9, 2, 6), rows([0, 3, -1], [4, 9, -1]), null] }),
    sample("shared prefix, three branches", {
      inputs: [f32(12, 2, 6), f32(12, 1, 6), f32(12, 1, 6), rows([0, 5, -1], [5, 8, 0], [8, 10, 0], [10, 12, 2]), null],
    }),
    sample("tree with window by positions", {
      inputs: [f32(10, 2, 6), f32(10, 1, 6), f32(10, 1, 6), rows([0, 5, -1], [5, 8, 0], [8, 10, 0]), list(0, 1, 2, 3, 4, 5, 6, 7, 5, 6)],
      params: { scale: 0.4, window: 3 },
    }),
    sample("sliding window", { inputs: [f32(11, 2, 4), f32(11, 2, 4), f32(11, 2, 4), rows([0, 11, -1]), null], params: { scale: 0.5, window: 4 } }),
    sample("bidirectional window", { params: { scale: 0.5, causal: 0, window: 2 } }),
    sample("softcap", { params: { scale: 2, softcap: 1.5 } }),
    sample("bad segments are clamped", {
      inputs: [f32(6, 1, 4), f32(6, 1, 4), f32(6, 1, 4), rows([-2, 2, 0], [2, 1, -1], [3, 99, 5]), null],
    }),
    sample("no segments", { inputs: [f32(3, 1, 4), f32(3, 1, 4), f32(3, 1, 4), tensor("i32", [0, 3]), null] }),
    sample("no rows", { inputs: [f32(0, 2, 4), f32(0, 1, 4), f32(0, 1, 4), rows([0, 0, -1]), null] }),
    sample("large scores", {
      inputs: [
        tensor("f32", [5, 1, 8], { draw: "normal", scale: 30 }),
        tensor("f32", [5, 1, 8], { draw: "normal", scale: 30 }),
        f32(5, 1, 8),
        rows([0, 5, -1]),
        null,
      ],
      checkGradient: false,
    }),
    sample("bf16 over several tiles", { inputs: [...wide(150), rows([0, 150, -1]), null], params: { scale: 0.125 } }),
    sample("bf16 tree over several tiles", {
      inputs: [...wide(200), rows([0, 90, -1], [90, 140, 0], [140, 199, 0]), null],
      params: { scale: 0.125 },
    }),
    sample("bf16 window over several tiles", {
      inputs: [...wide(180), rows([0, 70, -1], [70, 180, -1]), null],
      params: { scale: 0.125, window: 33 },
    }),
    sample("bidirectional over several tiles", {
      inputs: [f32(140, 2, 32), f32(140, 2, 32), f32(140, 2, 32), rows([0, 65, -1], [65, 140, -1]), null],
      params: { scale: 0.2, causal: 0 },
      checkGradient: false,
    }),
    sample("heads of 80, f32", {
      inputs: [f32(40, 2, 80), f32(40, 1, 80), f32(40, 1, 80), rows([0, 40, -1]), null],
      params: { scale: 0.1 },
      checkGradient: false,
    }),
    sample("heads of 128 and 256", {
      inputs: [bf16(20, 1, 256), bf16(20, 1, 256), bf16(20, 1, 256), rows([0, 20, -1]), null],
      params: { scale: 0.0625 },
    }),
    sample("mixed types, bf16 result", { inputs: [f32(9, 2, 16), bf16(9, 1, 16), bf16(9, 1, 16), rows([0, 9, -1]), null], as: "bf16" }),
  ],
});
