/** @file y[t] = x[t] · c[t]: every row times its own number. */
import { defineOp } from "../op.ts";
import { elementwiseCost } from "./shared.ts";
import { activation, chosenType, expectShapes, hasShape, rankOf, typeOf } from "./shared-operands.ts";
import { bf16, f32 } from "./shared-samples.ts";

export const mulColumn = defineOp({
  inputs: [activation("x"), activation("c")],
  outputs: ["y"],
  infer: ([x, c], _params, as) => {
    expectShapes("mulColumn", rankOf(x!) === 2 && hasShape(c!, x!.shape[0]!), "x [T, D] and c [T]", [x!, c!]);
    return [{ dtype: chosenType("mulColumn", as, x!.dtype), shape: x!.shape }];
  },
  gradient: ({ inputs: [x, c], upstream: [dy], wants, apply }) => [
    wants[0] ? apply("mulColumn", [dy!, c!], {}, typeOf(x!)) : null,
    wants[1] ? apply("sumColumns", [apply("mul", [dy!, x!], {}, { as: "f32" })]) : null,
  ],
  reference: ([x, c]) => [x!.values.map((v, i) => v * c!.values[Math.floor(i / x!.shape[1]!)]!)],
  cost: elementwiseCost(1),
  samples: [
    { label: "odd columns", inputs: [f32(7, 37), f32(7)] },
    { label: "one row", inputs: [f32(1, 8), f32(1)] },
    { label: "no rows", inputs: [f32(0, 8), f32(0)] },
    { label: "no columns", inputs: [f32(3, 0), f32(3)] },
    { label: "bf16 by f32", inputs: [bf16(5, 33), f32(5)] },
    { label: "f32 by bf16", inputs: [f32(5, 33), bf16(5)] },
    { label: "f32 to bf16", inputs: [f32(300, 70), f32(300)], as: "bf16" },
  ],
  mayOverwrite: [0],
});
