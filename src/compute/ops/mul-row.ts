/** @file y[t] = x[t] · b: every row times one row (a gain). */
import { defineOp } from "../op.ts";
import { elementwiseCost } from "./shared.ts";
import { activation, typeOf } from "./shared-operands.ts";
import { inferRow, rowSamples } from "./shared-rows.ts";

export const mulRow = defineOp({
  inputs: [activation("x"), activation("b")],
  outputs: ["y"],
  infer: inferRow("mulRow"),
  gradient: ({ inputs: [x, b], upstream: [dy], wants, apply }) => [
    wants[0] ? apply("mulRow", [dy!, b!], {}, typeOf(x!)) : null,
    wants[1] ? apply("sumRows", [apply("mul", [dy!, x!], {}, { as: "f32" })]) : null,
  ],
  reference: ([x, b]) => [x!.values.map((v, i) => v * b!.values[i % b!.values.length]!)],
  cost: elementwiseCost(1),
  samples: rowSamples,
  mayOverwrite: [0],
});
