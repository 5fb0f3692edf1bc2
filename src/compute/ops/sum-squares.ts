/** @file The sum of the squares of all elements: a gradient's norm, before the root. */
import { defineOp } from "../op.ts";
import { reductionCost } from "./shared.ts";
import { activation, typeOf } from "./shared-operands.ts";
import { reductionSamples, toScalar } from "./shared-reductions.ts";

export const sumSquares = defineOp({
  inputs: [activation("x")],
  outputs: ["y"],
  infer: toScalar,
  gradient: ({ inputs: [x], upstream: [dy], apply }) => [apply("scale", [apply("mulScalar", [x!, dy!], {}, typeOf(x!))], { factor: 2 })],
  reference: ([x]) => [Float64Array.of(x!.values.reduce((total, v) => total + v * v, 0))],
  cost: reductionCost(2),
  samples: reductionSamples,
});
