/** @file The mean of all elements; 0 of none. */
import { defineOp } from "../op.ts";
import { reductionCost } from "./shared.ts";
import { activation, typeOf } from "./shared-operands.ts";
import { filledLike, reductionSamples, shareOf, toScalar } from "./shared-reductions.ts";

export const mean = defineOp({
  inputs: [activation("x")],
  outputs: ["y"],
  infer: toScalar,
  gradient: ({ inputs: [x], upstream: [dy], apply }) => [
    apply("mulScalar", [apply("fill", [], filledLike(x!.spec, 1), typeOf(x!)), apply("scale", [dy!], { factor: shareOf(x!.spec) })]),
  ],
  reference: ([x]) => [Float64Array.of(x!.values.reduce((total, v) => total + v, 0) * shareOf(x!))],
  cost: reductionCost(1),
  samples: reductionSamples,
});
