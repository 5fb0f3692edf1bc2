/** @file y = a − b, of one shape. */
import { defineOp } from "../op.ts";
import { elementwiseCost, elementwiseSamples, sameAs } from "./shared.ts";
import { activation, typeOf } from "./shared-operands.ts";

export const sub = defineOp({
  inputs: [activation("a"), activation("b")],
  outputs: ["y"],
  infer: sameAs("sub", 0),
  gradient: ({ inputs: [, b], upstream: [dy], wants, apply }) => [dy!, wants[1] ? apply("neg", [dy!], {}, typeOf(b!)) : null],
  reference: ([a, b]) => [a!.values.map((v, i) => v - b!.values[i]!)],
  cost: elementwiseCost(1),
  samples: elementwiseSamples(2),
  mayOverwrite: [0, 1],
});
