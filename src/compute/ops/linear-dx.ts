/** @file dx = dy W + residual: the gradient of linear to its input. */
import { elementCount } from "../dtype.ts";
import { defineOp } from "../op.ts";
import { bytesOf } from "./shared.ts";
import { byWeightType, times, trained } from "./shared-matmul.ts";
import { activation, chosenType, expectShapes, hasShape, noSecondGradient, optional, rankOf, weight } from "./shared-operands.ts";
import { bf16, f32 } from "./shared-samples.ts";

export const linearDx = defineOp({
  inputs: [activation("dy"), weight("w"), optional(activation("residual"))],
  outputs: ["dx"],
  infer: ([dy, w, residual], _params, as) => {
    const [m, n] = [dy!.shape[0]!, dy!.shape[1]!];
    const fits = rankOf(dy!) === 2 && hasShape(w!, n, w!.shape[1]!) && hasShape(residual ?? null, m, w!.shape[1]!);
    expectShapes("linearDx", fits, "dy [M, N], w [N, K], residual [M, K]", [dy!, w!, residual ?? null]);
    return [{ dtype: chosenType("linearDx", as, dy!.dtype), shape: [m, w!.shape[1]!] }];
  },
  gradient: noSecondGradient,
  reference: ([dy, w, residual]) => {
    const [n, k] = w!.shape as [number, number];
    return [times(dy!.values, w!.values, dy!.shape[0]!, n, k).map((v, i) => v + (residual?.values[i] ?? 0))];
  },
  cost: (inputs, outputs) => ({ operations: 2 * elementCount(inputs[0]!.shape) * inputs[1]!.shape[1]!, bytes: bytesOf(inputs, outputs) }),
  samples: [
    { label: "remainders", inputs: [f32(7, 19), trained("f32", 19, 37), null] },
    { label: "one row, residual", inputs: [f32(1, 5), trained("f32", 5, 33), f32(1, 33)] },
    { label: "no rows", inputs: [f32(0, 4), trained("f32", 4, 8), null] },
    { label: "nothing to sum", inputs: [f32(3, 0), trained("f32", 0, 8), f32(3, 8)] },
    { label: "larger than a tile", inputs: [f32(67, 130), trained("f32", 130, 300), null] },
    { label: "bf16 larger than a tile", inputs: [bf16(67, 130), trained("bf16", 130, 300), bf16(67, 300)] },
    { label: "f32 gradient, bf16 result", inputs: [f32(9, 21), trained("bf16", 21, 40), null], as: "bf16" },
    ...byWeightType((type) => [
      { label: `${type}, a batch`, inputs: [f32(9, 35), trained(type, 35, 512), null] },
      { label: `${type}, bf16 batch with residual`, inputs: [bf16(33, 48), trained(type, 48, 256), bf16(33, 256)] },
    ]),
  ],
});
