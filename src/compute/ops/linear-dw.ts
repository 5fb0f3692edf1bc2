/** @file dw = scale · dyᵀ x + base: the gradient of linear to its weight; base accumulates over micro-batches. Rows are summed in fixed chunks, in order. */
import { elementCount } from "../dtype.ts";
import { defineOp } from "../op.ts";
import { bytesOf } from "./shared.ts";
import { activation, chosenType, expectShapes, hasShape, noSecondGradient, optional, rankOf } from "./shared-operands.ts";
import { bf16, f32 } from "./shared-samples.ts";

export const linearDw = defineOp({
  inputs: [activation("dy"), activation("x"), optional(activation("base"))],
  outputs: ["dw"],
  params: { scale: 1 },
  infer: ([dy, x, base], _params, as) => {
    const [n, k] = [dy!.shape[1]!, x!.shape[1]!];
    const fits = rankOf(dy!) === 2 && hasShape(x!, dy!.shape[0]!, k) && hasShape(base ?? null, n, k);
    expectShapes("linearDw", fits, "dy [M, N], x [M, K], base [N, K]", [dy!, x!, base ?? null]);
    return [{ dtype: chosenType("linearDw", as, "f32"), shape: [n, k] }];
  },
  gradient: noSecondGradient,
  reference: ([dy, x, base], params) => {
    const [m, n] = dy!.shape as [number, number];
    const k = x!.shape[1]!;
    const dw = new Float64Array(n * k);
    for (let i = 0; i < m; i++)
      for (let j = 0; j < n; j++) {
        const factor = params["scale"]! * dy!.values[i * n + j]!;
        for (let l = 0; l < k; l++) dw[j * k + l]! += factor * x!.values[i * k + l]!;
      }
    return [dw.map((v, i) => v + (base?.values[i] ?? 0))];
  },
  cost: (inputs, outputs) => ({ operations: 2 * elementCount(inputs[0]!.shape) * inputs[1]!.shape[1]!, bytes: bytesOf(inputs, outputs) }),
  samples: [
    { label: "remainders", inputs: [f32(7, 19), f32(7, 37), null] },
    { label: "one row, scaled", inputs: [f32(1, 5), f32(1, 33), null], params: { scale: 0.25 } },
    { label: "accumulated", inputs: [f32(9, 5), f32(9, 33), f32(5, 33)], params: { scale: 0.5 } },
    { label: "no rows: base alone", inputs: [f32(0, 4), f32(0, 8), f32(4, 8)] },
    { label: "no rows, no base", inputs: [f32(0, 4), f32(0, 8), null] },
    { label: "larger than a tile", inputs: [f32(300, 67), f32(300, 130), null] },
    { label: "bf16", inputs: [bf16(300, 67), bf16(300, 130), null] },
    { label: "bf16 result, accumulated", inputs: [bf16(33, 20), bf16(33, 48), bf16(20, 48)], as: "bf16" },
    { label: "mixed", inputs: [f32(33, 20), bf16(33, 48), f32(20, 48)] },
  ],
});
