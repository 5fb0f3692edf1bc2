/** @file y = a / b, element by element. */
import { defineOp } from "../op.ts";
import { elementwiseCost, elementwiseSamples, sameAs } from "./shared.ts";
import { activation, typeOf } from "./shared-operands.ts";

export const div = defineOp({
  inputs: [activation("a"), activation("b")],
  outputs: ["y"],
  infer: sameAs("div", 0),
  gradient: ({ inputs: [a, b], outputs: [y], upstream: [dy], wants, apply }) => [
    wants[0] ? apply("div", [dy!, b!], {}, typeOf(a!)) : null,
    wants[1] ? apply("neg", [apply("div", [apply("mul", [dy!, y!]), b!], {}, typeOf(b!))]) : null,
  ],
  reference: ([a, b]) => [a!.values.map((v, i) => v / b!.values[i]!)],
  cost: elementwiseCost(1),
  samples: elementwiseSamples(2, { fill: "positive" }),
  mayOverwrite: [0, 1],
});
