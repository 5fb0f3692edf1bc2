/**
 * @file y = x Wᵀ + bias + scales[g] · h B[g]ᵀ + residual with h = x A[g]ᵀ (Hu et al., 2021): a base product and a low-rank one in one pass.
 * g = group[row], several adapters side by side; outside [0, G): no adapter for that row (its row of h is 0). No group: all rows use adapter 0.
 */
import { elementCount } from "../dtype.ts";
import { defineOp, type Sample } from "../op.ts";
import { bytesOf } from "./shared.ts";
import { adapterOf, byWeightType, timesTransposed, trained } from "./shared-matmul.ts";
import {
  activation,
  chosenType,
  constant,
  expectShapes,
  firstUpstream,
  float32,
  hasShape,
  integers,
  optional,
  rankOf,
  typeOf,
  weight,
} from "./shared-operands.ts";
import { bf16, f32, list, tensor } from "./shared-samples.ts";

const scales = (...values: number[]) => tensor("f32", [values.length], { values });
const sample = (label: string, more: Partial<Sample> = {}): Sample => ({
  label,
  inputs: [f32(5, 24), trained("f32", 9, 24), trained("f32", 2, 3, 24), f32(2, 9, 3), scales(2, 0.5), list(0, 1, -1, 1, 2), null, null],
  ...more,
});

export const loraLinear = defineOp({
  inputs: [
    activation("x"),
    weight("w"),
    activation("a"),
    activation("b"),
    constant(float32("scales")),
    optional(integers("group")),
    optional(activation("bias")),
    optional(activation("residual")),
  ],
  outputs: ["y", "h"],
  infer: ([x, w, a, b, scales, group, bias, residual], _params, as) => {
    const [m, k, n, g, r] = [x!.shape[0]!, x!.shape[1]!, w!.shape[0]!, a!.shape[0]!, a!.shape[1]!];
    const products = rankOf(x!) === 2 && hasShape(w!, n, k) && hasShape(a!, g, r, k) && hasShape(b!, g, n, r) && hasShape(scales!, g);
    const rest = hasShape(group ?? null, m) && hasShape(bias ?? null, n) && hasShape(residual ?? null, m, n);
    const text = "x [M, K], w [N, K], a [G, R, K], b [G, N, R], scales [G], group [M], bias [N], residual [M, N]";
    expectShapes("loraLinear", products && rest, text, [x!, w!, a!, b!, scales!, group ?? null, bias ?? null, residual ?? null]);
    return [
      { dtype: chosenType("loraLinear", as, x!.dtype), shape: [m, n] },
      { dtype: "f32", shape: [m, r] },
    ];
  },
  gradient: (context) => {
    const [x, w, a, b, scales, group, , residual] = context.inputs;
    const { wants, apply } = context;
    const dy = firstUpstream("loraLinear", context);
    const inner = wants[0] || wants[2] ? context.applyAll("loraLinearDx", [dy, w!, a!, b!, scales!, group ?? null, null], {}, typeOf(x!)) : [];
    const groups = a!.spec.shape[0]!;
    return [
      wants[0] ? inner[0]! : null,
      wants[1] ? apply("linearDw", [dy, x!, null], {}, { as: "f32" }) : null,
      wants[2] ? apply("loraDw", [inner[1]!, x!, group ?? null, null, null], { groups }) : null,
      wants[3] ? apply("loraDw", [dy, context.outputs[1]!, group ?? null, scales!, null], { groups }) : null,
      null,
      null,
      wants[6] ? apply("sumRows", [dy]) : null,
      residual == null ? null : dy,
    ];
  },
  reference: ([x, w, a, b, scales, group, bias, residual]) => {
    const [m, k] = x!.shape as [number, number];
    const [n, adapters, r] = [w!.shape[0]!, a!.shape[0]!, a!.shape[1]!];
    const h = new Float64Array(m * r);
    const y = timesTransposed(x!.values, w!.values, m, n, k).map((v, i) => v + (bias?.values[i % n] ?? 0) + (residual?.values[i] ?? 0));
    for (let t = 0; t < m; t++) {
      const g = adapterOf(group?.values, adapters)(t);
      for (let i = 0; i < r && g >= 0; i++) for (let l = 0; l < k; l++) h[t * r + i]! += x!.values[t * k + l]! * a!.values[(g * r + i) * k + l]!;
      for (let j = 0; j < n && g >= 0; j++)
        for (let i = 0; i < r; i++) y[t * n + j]! += scales!.values[g]! * h[t * r + i]! * b!.values[(g * n + j) * r + i]!;
    }
    return [y, h];
  },
  cost: (inputs, outputs) => {
    const [m, k, n, r] = [inputs[0]!.shape[0]!, inputs[0]!.shape[1]!, inputs[1]!.shape[0]!, inputs[2]!.shape[1]!];
    return { operations: 2 * m * (n * k + r * (n + k)) + elementCount(outputs[0]!.shape), bytes: bytesOf(inputs, outputs) };
  },
  samples: [
    sample("two adapters, rows without"),
    sample("one adapter, no group", {
      inputs: [f32(7, 37), trained("f32", 19, 37), trained("f32", 1, 8, 37), f32(1, 19, 8), scales(1.5), null, f32(19), f32(7, 19)],
    }),
    sample("one row, rank 1", {
      inputs: [f32(1, 33), trained("f32", 5, 33), trained("f32", 1, 1, 33), f32(1, 5, 1), scales(-1), list(0), null, null],
    }),
    sample("no rows", { inputs: [f32(0, 8), trained("f32", 4, 8), f32(1, 2, 8), f32(1, 4, 2), scales(1), null, null, null] }),
    sample("all rows without", { inputs: [f32(3, 8), trained("f32", 4, 8), f32(1, 2, 8), f32(1, 4, 2), scales(1), list(-1, -1, 7), null, null] }),
    sample("bf16, rank 16, mixed rows", {
      inputs: [
        bf16(33, 256),
        trained("bf16", 48, 256),
        trained("bf16", 3, 16, 256),
        bf16(3, 48, 16),
        scales(1, 2, 0.25),
        tensor("i32", [33], { draw: "integers", from: -1, below: 3 }),
        bf16(48),
        bf16(33, 48),
      ],
    }),
    ...byWeightType((type) => [
      sample(`${type} base, f32 adapters`, {
        inputs: [bf16(17, 256), trained(type, 35, 256), trained("f32", 1, 8, 256), f32(1, 35, 8), scales(2), null, null, null],
      }),
      sample(`${type} base, f32`, {
        inputs: [f32(5, 256), trained(type, 24, 256), trained("f32", 2, 4, 256), f32(2, 24, 4), scales(2, 1), list(1, 1, 0, -1, 0), null, null],
      }),
    ]),
  ],
});
