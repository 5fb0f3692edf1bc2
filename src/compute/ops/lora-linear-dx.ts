/** @file dx = dy W + g A[adapter] + residual with g = scales[adapter] · dy B[adapter]: the gradient of loraLinear to its input; g serves A's gradient. */
import { elementCount } from "../dtype.ts";
import { defineOp } from "../op.ts";
import { bytesOf } from "./shared.ts";
import { adapterOf, byWeightType, times, trained } from "./shared-matmul.ts";
import { activation, chosenType, expectShapes, float32, hasShape, integers, noSecondGradient, optional, rankOf, weight } from "./shared-operands.ts";
import { bf16, f32, list, tensor } from "./shared-samples.ts";

const scales = (...values: number[]) => tensor("f32", [values.length], { values });

export const loraLinearDx = defineOp({
  inputs: [
    activation("dy"),
    weight("w"),
    activation("a"),
    activation("b"),
    float32("scales"),
    optional(integers("group")),
    optional(activation("residual")),
  ],
  outputs: ["dx", "g"],
  infer: ([dy, w, a, b, scales, group, residual], _params, as) => {
    const [m, n, k, g, r] = [dy!.shape[0]!, dy!.shape[1]!, w!.shape[1]!, a!.shape[0]!, a!.shape[1]!];
    const products = rankOf(dy!) === 2 && hasShape(w!, n, k) && hasShape(a!, g, r, k) && hasShape(b!, g, n, r) && hasShape(scales!, g);
    const text = "dy [M, N], w [N, K], a [G, R, K], b [G, N, R], scales [G], group [M], residual [M, K]";
    const rest = hasShape(group ?? null, m) && hasShape(residual ?? null, m, k);
    expectShapes("loraLinearDx", products && rest, text, [dy!, w!, a!, b!, scales!, group ?? null, residual ?? null]);
    return [
      { dtype: chosenType("loraLinearDx", as, dy!.dtype), shape: [m, k] },
      { dtype: "f32", shape: [m, r] },
    ];
  },
  gradient: noSecondGradient,
  reference: ([dy, w, a, b, scales, group, residual]) => {
    const [m, n] = dy!.shape as [number, number];
    const [k, adapters, r] = [w!.shape[1]!, a!.shape[0]!, a!.shape[1]!];
    const inner = new Float64Array(m * r);
    const dx = times(dy!.values, w!.values, m, n, k).map((v, i) => v + (residual?.values[i] ?? 0));
    for (let t = 0; t < m; t++) {
      const g = adapterOf(group?.values, adapters)(t);
      for (let i = 0; i < r && g >= 0; i++) {
        for (let j = 0; j < n; j++) inner[t * r + i]! += scales!.values[g]! * dy!.values[t * n + j]! * b!.values[(g * n + j) * r + i]!;
        for (let l = 0; l < k; l++) dx[t * k + l]! += inner[t * r + i]! * a!.values[(g * r + i) * k + l]!;
      }
    }
    return [dx, inner];
  },
  cost: (inputs, outputs) => {
    const [m, n, k, r] = [inputs[0]!.shape[0]!, inputs[0]!.shape[1]!, inputs[1]!.shape[1]!, inputs[2]!.shape[1]!];
    return { operations: 2 * m * (n * k + r * (n + k)) + elementCount(outputs[0]!.shape), bytes: bytesOf(inputs, outputs) };
  },
  samples: [
    {
      label: "two adapters, rows without",
      inputs: [f32(5, 9), trained("f32", 9, 24), trained("f32", 2, 3, 24), f32(2, 9, 3), scales(2, 0.5), list(0, 1, -1, 1, 2), null],
    },
    {
      label: "one adapter, residual",
      inputs: [f32(7, 19), trained("f32", 19, 37), trained("f32", 1, 8, 37), f32(1, 19, 8), scales(1.5), null, f32(7, 37)],
    },
    { label: "no rows", inputs: [f32(0, 4), trained("f32", 4, 8), f32(1, 2, 8), f32(1, 4, 2), scales(1), null, null] },
    {
      label: "bf16, rank 16, mixed rows",
      inputs: [
        bf16(33, 48),
        trained("bf16", 48, 256),
        trained("bf16", 3, 16, 256),
        bf16(3, 48, 16),
        scales(1, 2, 0.25),
        tensor("i32", [33], { draw: "integers", from: -1, below: 3 }),
        bf16(33, 256),
      ],
    },
    ...byWeightType((type) => [
      { label: `${type} base`, inputs: [bf16(17, 35), trained(type, 35, 256), trained("f32", 1, 8, 256), f32(1, 35, 8), scales(2), null, null] },
    ]),
  ],
});
