/** @file y = x · rstd · (offset + w), rstd = 1 / √(mean x² + eps), row by row (Zhang and Sennrich, 2019). Gemma stores w − 1: offset 1. */
import { defineOp } from "../op.ts";
import { elementwiseCost } from "./shared.ts";
import { activation, chosenType, expectShapes, firstUpstream, hasShape, rankOf, typeOf } from "./shared-operands.ts";
import { bf16, f32, repeated } from "./shared-samples.ts";

export const rmsNorm = defineOp({
  inputs: [activation("x"), activation("w")],
  outputs: ["y", "rstd"],
  params: { eps: 1e-6, offset: 0 },
  infer: ([x, w], _params, as) => {
    expectShapes("rmsNorm", rankOf(x!) === 2 && hasShape(w!, x!.shape[1]!), "x [T, D] and w [D]", [x!, w!]);
    return [
      { dtype: chosenType("rmsNorm", as, x!.dtype), shape: x!.shape },
      { dtype: "f32", shape: [x!.shape[0]!] },
    ];
  },
  gradient: (context) => {
    const [x, w] = context.inputs;
    const params = { offset: context.params["offset"]!, withDw: context.wants[1] ? 1 : 0 };
    const operands = [firstUpstream("rmsNorm", context), x!, w!, context.outputs[1]!, null];
    const [dx, dw] = context.applyAll("rmsNormBackward", operands, params, typeOf(x!));
    return [dx!, dw ?? null];
  },
  reference: ([x, w], params) => {
    const [count, columns] = x!.shape as [number, number];
    const rstd = new Float64Array(count);
    for (let t = 0; t < count; t++) {
      let squares = 0;
      for (let d = 0; d < columns; d++) squares += x!.values[t * columns + d]! ** 2;
      rstd[t] = 1 / Math.sqrt(squares / Math.max(1, columns) + params["eps"]!);
    }
    return [x!.values.map((v, i) => v * rstd[Math.floor(i / columns)]! * (params["offset"]! + w!.values[i % columns]!)), rstd];
  },
  cost: elementwiseCost(4),
  samples: [
    { label: "odd columns", inputs: [f32(7, 37), f32(37)] },
    { label: "Gemma's offset", inputs: [f32(3, 24), f32(24)], params: { eps: 1e-6, offset: 1 } },
    { label: "one column", inputs: [f32(4, 1), f32(1)], checkGradient: false }, // its gradient is all cancellation: eps / x³
    { label: "zero row, large eps", inputs: [repeated("f32", [2, 4], [0, 0, 0, 0, 1, 2, 3, 4]), f32(4)], params: { eps: 1e-2 } },
    { label: "no rows", inputs: [f32(0, 8), f32(8)] },
    { label: "bf16", inputs: [bf16(5, 65), bf16(65)] },
    { label: "bf16 with f32 gains", inputs: [bf16(5, 65), f32(65)] },
    { label: "f32 to bf16", inputs: [f32(5, 65), f32(65)], as: "bf16" },
    { label: "many rows", inputs: [f32(140, 896), f32(896)], checkGradient: false },
    { label: "NaN in a row", inputs: [repeated("f32", [2, 3], [1, Number.NaN, 2, 3, 4, 5]), f32(3)], checkGradient: false },
  ],
});
