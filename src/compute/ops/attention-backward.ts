/** @file The gradient of attention: p = e^(s − lse) recomputed, δ = Σ do·o, ds = p · (do·v − δ) · d(softcap), dq = scale · ds k, dk = scale · dsᵀ q, dv = pᵀ do. Rows that see nothing give and get nothing. */
import { defineOp, type Sample } from "../op.ts";
import { bytesOf } from "./shared.ts";
import { attentionRows, dot, expectAttention, magnitude, pairsAtMost } from "./shared-attention.ts";
import { activation, chosenType, expectShapes, float32, hasShape, integers, noSecondGradient, optional } from "./shared-operands.ts";
import { bf16, f32, list, rows, tensor } from "./shared-samples.ts";

/** Near log of the number of keys: as if from a forward pass. */
const lse = (count: number, heads: number) =>
  tensor("f32", [count, heads], { values: Array.from({ length: count * heads }, (_, i) => 1.5 + (i % 5) / 4) });
const sample = (
  label: string,
  count: number,
  heads: readonly [number, number, number],
  segments: ReturnType<typeof rows>,
  more: Partial<Sample> = {},
): Sample => {
  const [h, hk, d] = heads;
  return {
    label,
    inputs: [f32(count, h, d), f32(count, h, d), f32(count, hk, d), f32(count, hk, d), f32(count, h, d), lse(count, h), segments, null],
    params: { scale: d ** -0.5 },
    ...more,
  };
};
const wide = (count: number) => {
  const [q, k] = [bf16(count, 4, 64), bf16(count, 2, 64)];
  return [q, q, k, k, q, lse(count, 4)];
};

export const attentionBackward = defineOp({
  inputs: [
    activation("do"),
    activation("q"),
    activation("k"),
    activation("v"),
    activation("o"),
    float32("lse"),
    integers("segments"),
    optional(integers("positions")),
  ],
  outputs: ["dq", "dk", "dv"],
  params: { scale: null, causal: 1, window: 0, softcap: 0 },
  infer: ([upstream, q, k, v, o, lse, segments, positions], params, as) => {
    expectAttention("attentionBackward", { q: q!, k: k!, v: v!, segments: segments!, positions: positions ?? null }, params);
    const fits = hasShape(upstream!, ...q!.shape) && hasShape(o!, ...q!.shape) && hasShape(lse!, ...q!.shape.slice(0, 2));
    expectShapes("attentionBackward", fits, "do, q and o [T, H, D], lse [T, H]", [upstream!, q!, k!, v!, o!, lse!]);
    const dtype = chosenType("attentionBackward", as, upstream!.dtype);
    return [
      { dtype, shape: q!.shape },
      { dtype, shape: k!.shape },
      { dtype, shape: v!.shape },
    ];
  },
  gradient: noSecondGradient,
  reference: ([upstream, q, k, v, o, lse, segments, positions], params) => {
    const [columns, scale, softcap] = [q!.shape[2]!, params["scale"]!, params["softcap"]!];
    const [dq, dk, dv] = [new Float64Array(q!.values.length), new Float64Array(k!.values.length), new Float64Array(v!.values.length)];
    attentionRows({ q: q!, k: k!, segments: segments!, positions: positions ?? null, params }, ({ index, query, keys, scores }) => {
      let delta = 0;
      for (let d = 0; d < columns; d++) delta += upstream!.values[query + d]! * o!.values[query + d]!;
      keys.forEach((key, j) => {
        const p = Math.exp(scores[j]! - lse!.values[index]!);
        let dp = 0;
        for (let d = 0; d < columns; d++) dp += upstream!.values[query + d]! * v!.values[key + d]!;
        const ds = p * (dp - delta) * (softcap > 0 ? 1 - (scores[j]! / softcap) ** 2 : 1) * scale;
        for (let d = 0; d < columns; d++) {
          dq[query + d]! += ds * k!.values[key + d]!;
          dk[key + d]! += ds * q!.values[query + d]!;
          dv[key + d]! += p * upstream!.values[query + d]!;
        }
      });
    });
    return [dq, dk, dv];
  },
  conditioning: ([upstream, q, k, v, o, lse, segments, positions], params) => {
    const [columns, scale] = [q!.shape[2]!, Math.abs(params["scale"]!)];
    const [dq, dk, dv] = [new Float64Array(q!.values.length), new Float64Array(k!.values.length), new Float64Array(v!.values.length)];
    attentionRows({ q: q!, k: k!, segments: segments!, positions: positions ?? null, params }, ({ index, query, keys, scores }) => {
      const delta = dot(upstream!.values, query, o!.values, query, columns);
      const deltaSize = magnitude(upstream!.values, query, o!.values, query, columns);
      keys.forEach((key, j) => {
        const exponent = scores[j]! - lse!.values[index]!;
        const p = Math.exp(exponent);
        // A weight errs by its exponent's error; the difference dp − δ, which cancels, by what both were summed of.
        const weight = p * (1 + Math.abs(exponent) + scale * magnitude(q!.values, query, k!.values, key, columns));
        const difference = Math.abs(dot(upstream!.values, query, v!.values, key, columns) - delta);
        const ds = scale * (weight * difference + p * (magnitude(upstream!.values, query, v!.values, key, columns) + deltaSize));
        for (let d = 0; d < columns; d++) {
          dq[query + d]! += ds * Math.abs(k!.values[key + d]!);
          dk[key + d]! += ds * Math.abs(q!.values[query + d]!);
          dv[key + d]! += weight * Math.abs(upstream!.values[query + d]!);
        }
      });
    });
    return [dq, dk, dv];
  },
  cost: (inputs, outputs, params) => ({
    operations: 10 * inputs[1]!.shape[1]! * inputs[1]!.shape[2]! * pairsAtMost(inputs[1]!.shape[0]!, params),
    bytes: bytesOf(inputs, outputs),
  }),
  samples: [
    sample("causal, grouped heads", 7, [4, 2, 8], rows([0, 7, -1])),
    sample("bidirectional", 7, [2, 2, 8], rows([0, 7, -1]), { params: { scale: 0.3, causal: 0 } }),
    sample("shared prefix, branches, a gap", 14, [2, 1, 6], rows([0, 5, -1], [5, 8, 0], [8, 10, 0], [10, 12, 2])),
    sample("window by positions", 10, [2, 1, 6], rows([0, 5, -1], [5, 8, 0], [8, 10, 0]), {
      inputs: [
        f32(10, 2, 6),
        f32(10, 2, 6),
        f32(10, 1, 6),
        f32(10, 1, 6),
        f32(10, 2, 6),
        lse(10, 2),
        rows([0, 5, -1], [5, 8, 0], [8, 10, 0]),
        list(0, 1, 2, 3, 4, 5, 6, 7, 5, 6),
      ],
      params: { scale: 0.4, window: 3 },
    }),
    sample("softcap", 6, [2, 2, 4], rows([0, 6, -1]), { params: { scale: 1, softcap: 1.5 } }),
    sample("no rows", 0, [2, 1, 4], rows([0, 0, -1])),
    sample("several tiles", 140, [2, 1, 32], rows([0, 65, -1], [65, 140, -1])),
    sample("heads of 80", 40, [2, 1, 80], rows([0, 40, -1])),
    sample("bf16 over several tiles", 150, [4, 2, 64], rows(), { inputs: [...wide(150), rows([0, 150, -1]), null] }),
    sample("bf16 tree, window", 200, [4, 2, 64], rows(), {
      inputs: [...wide(200), rows([0, 90, -1], [90, 140, 0], [140, 199, 0]), null],
      params: { scale: 0.125, window: 77 },
    }),
    sample("bf16 to f32", 9, [2, 1, 16], rows(), {
      inputs: [bf16(9, 2, 16), f32(9, 2, 16), bf16(9, 1, 16), f32(9, 1, 16), bf16(9, 2, 16), lse(9, 2), rows([0, 9, -1]), null],
      as: "f32",
    }),
  ],
});
