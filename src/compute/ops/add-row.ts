/** @file y[t] = x[t] + b: one row added to every row (a bias). */
import { defineOp } from "../op.ts";
import { elementwiseCost } from "./shared.ts";
import { activation } from "./shared-operands.ts";
import { inferRow, rowSamples } from "./shared-rows.ts";

export const addRow = defineOp({
  inputs: [activation("x"), activation("b")],
  outputs: ["y"],
  infer: inferRow("addRow"),
  gradient: ({ upstream: [dy], wants, apply }) => [dy!, wants[1] ? apply("sumRows", [dy!]) : null],
  reference: ([x, b]) => [x!.values.map((v, i) => v + b!.values[i % b!.values.length]!)],
  cost: elementwiseCost(1),
  samples: rowSamples,
  mayOverwrite: [0],
});
