/**
 * @file dw[g] = scales[g] · Σ over the rows of adapter g of dyᵀ x (+ base[g]): gradients of the adapters.
 * A: dy is g of loraLinearDx, x the input, no scales. B: dy the gradient of y, x is h of loraLinear, with scales.
 */
import { elementCount } from "../dtype.ts";
import { defineOp } from "../op.ts";
import { bytesOf, expectRange } from "./shared.ts";
import { adapterOf } from "./shared-matmul.ts";
import { activation, expectShapes, float32, hasShape, integers, noSecondGradient, optional, rankOf } from "./shared-operands.ts";
import { bf16, f32, list, tensor } from "./shared-samples.ts";

const scales = (...values: number[]) => tensor("f32", [values.length], { values });

export const loraDw = defineOp({
  inputs: [activation("dy"), activation("x"), optional(integers("group")), optional(float32("scales")), optional(activation("base"))],
  outputs: ["dw"],
  params: { groups: null },
  infer: ([dy, x, group, scales, base], params) => {
    const [m, n, k, g] = [dy!.shape[0]!, dy!.shape[1]!, x!.shape[1]!, params["groups"]!];
    expectRange("loraDw", "groups", 0, g, 2 ** 31 - 1);
    const fits =
      rankOf(dy!) === 2 && hasShape(x!, m, k) && hasShape(group ?? null, m) && hasShape(scales ?? null, g) && hasShape(base ?? null, g, n, k);
    const text = "dy [M, N], x [M, K], group [M], scales [G], base [G, N, K]";
    expectShapes("loraDw", fits, text, [dy!, x!, group ?? null, scales ?? null, base ?? null]);
    return [{ dtype: "f32", shape: [g, n, k] }];
  },
  gradient: noSecondGradient,
  reference: ([dy, x, group, scales, base], params) => {
    const [m, n] = dy!.shape as [number, number];
    const k = x!.shape[1]!;
    const dw = new Float64Array(params["groups"]! * n * k);
    for (let t = 0; t < m; t++) {
      const g = adapterOf(group?.values, params["groups"]!)(t);
      for (let j = 0; j < n && g >= 0; j++)
        for (let l = 0; l < k; l++) dw[(g * n + j) * k + l]! += (scales?.values[g] ?? 1) * dy!.values[t * n + j]! * x!.values[t * k + l]!;
    }
    return [dw.map((v, i) => v + (base?.values[i] ?? 0))];
  },
  cost: (inputs, outputs) => ({ operations: 2 * elementCount(inputs[0]!.shape) * inputs[1]!.shape[1]!, bytes: bytesOf(inputs, outputs) }),
  samples: [
    { label: "one adapter, wide x", inputs: [f32(9, 4), f32(9, 37), null, null, null], params: { groups: 1 } },
    { label: "one adapter, wide dy, scales", inputs: [f32(9, 37), f32(9, 4), null, scales(2), null], params: { groups: 1 } },
    {
      label: "groups with gaps, base",
      inputs: [f32(6, 5), f32(6, 7), list(2, 0, -1, 2, 3, 0), scales(1, 2, 3), f32(3, 5, 7)],
      params: { groups: 3 },
    },
    { label: "no rows", inputs: [f32(0, 5), f32(0, 7), null, null, null], params: { groups: 2 } },
    {
      label: "bf16 beside f32",
      inputs: [bf16(70, 33), f32(70, 16), tensor("i32", [70], { draw: "integers", from: -1, below: 2 }), scales(1, 0.5), null],
      params: { groups: 2 },
    },
    { label: "f32 beside bf16", inputs: [f32(70, 16), bf16(70, 130), null, null, null], params: { groups: 1 } },
    { label: "many rows", inputs: [f32(600, 8), f32(600, 33), null, null, null], params: { groups: 1 } },
  ],
});
