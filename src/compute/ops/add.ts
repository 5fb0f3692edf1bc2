/** @file y = a + b, of one shape. */
import { defineOp } from "../op.ts";
import { elementwiseCost, elementwiseSamples, sameAs } from "./shared.ts";
import { activation } from "./shared-operands.ts";

export const add = defineOp({
  inputs: [activation("a"), activation("b")],
  outputs: ["y"],
  infer: sameAs("add", 0),
  gradient: ({ upstream: [dy] }) => [dy!, dy!],
  reference: ([a, b]) => [a!.values.map((v, i) => v + b!.values[i]!)],
  cost: elementwiseCost(1),
  samples: elementwiseSamples(2),
  mayOverwrite: [0, 1],
});
