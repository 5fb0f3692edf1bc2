/** @file The sum of all elements. Fixed chunks of 16,384, partial sums combined in order: the same bits for any number of threads. */
import { defineOp } from "../op.ts";
import { reductionCost } from "./shared.ts";
import { activation, typeOf } from "./shared-operands.ts";
import { filledLike, reductionSamples, toScalar } from "./shared-reductions.ts";

export const sum = defineOp({
  inputs: [activation("x")],
  outputs: ["y"],
  infer: toScalar,
  gradient: ({ inputs: [x], upstream: [dy], apply }) => [apply("mulScalar", [apply("fill", [], filledLike(x!.spec, 1), typeOf(x!)), dy!])],
  reference: ([x]) => [Float64Array.of(x!.values.reduce((total, v) => total + v, 0))],
  cost: reductionCost(1),
  samples: reductionSamples,
});
