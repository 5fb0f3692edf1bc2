/** @file y = a · b, element by element. */
import { defineOp } from "../op.ts";
import { elementwiseCost, elementwiseSamples, sameAs } from "./shared.ts";
import { activation, typeOf } from "./shared-operands.ts";

export const mul = defineOp({
  inputs: [activation("a"), activation("b")],
  outputs: ["y"],
  infer: sameAs("mul", 0),
  gradient: ({ inputs: [a, b], upstream: [dy], wants, apply }) => [
    wants[0] ? apply("mul", [dy!, b!], {}, typeOf(a!)) : null,
    wants[1] ? apply("mul", [dy!, a!], {}, typeOf(b!)) : null,
  ],
  reference: ([a, b]) => [a!.values.map((v, i) => v * b!.values[i]!)],
  cost: elementwiseCost(1),
  samples: elementwiseSamples(2),
  mayOverwrite: [0, 1],
});
