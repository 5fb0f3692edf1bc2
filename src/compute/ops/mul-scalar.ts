/** @file y = x · s[0], with the number in memory rather than in the graph (a clipping factor, a gradient of a loss). */
import { defineOp } from "../op.ts";
import { elementwiseCost } from "./shared.ts";
import { activation, chosenType, expectShapes, hasShape, typeOf } from "./shared-operands.ts";
import { bf16, f32, tensor } from "./shared-samples.ts";

export const mulScalar = defineOp({
  inputs: [activation("x"), activation("s")],
  outputs: ["y"],
  infer: ([x, s], _params, as) => {
    expectShapes("mulScalar", hasShape(s!, 1), "any x and s [1]", [x!, s!]);
    return [{ dtype: chosenType("mulScalar", as, x!.dtype), shape: x!.shape }];
  },
  gradient: ({ inputs: [x, s], upstream: [dy], wants, apply }) => [
    wants[0] ? apply("mulScalar", [dy!, s!], {}, typeOf(x!)) : null,
    wants[1] ? apply("sum", [apply("mul", [dy!, x!], {}, { as: "f32" })]) : null,
  ],
  reference: ([x, s]) => [x!.values.map((v) => v * s!.values[0]!)],
  cost: elementwiseCost(1),
  samples: [
    { label: "matrix with a remainder", inputs: [f32(5, 37), f32(1)] },
    { label: "rank 1", inputs: [f32(3), f32(1)] },
    { label: "empty", inputs: [f32(0, 4), f32(1)] },
    { label: "bf16", inputs: [bf16(3, 65), bf16(1)] },
    { label: "several chunks", inputs: [f32(2, 9001), f32(1)], checkGradient: false },
    {
      label: "infinity times zero",
      inputs: [tensor("f32", [2], { values: [Number.POSITIVE_INFINITY, 1] }), tensor("f32", [1], { values: [0] })],
      checkGradient: false,
    },
  ],
  mayOverwrite: [0],
});
