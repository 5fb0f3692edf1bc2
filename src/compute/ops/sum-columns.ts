/** @file y[t] = Σ over columns of x[t, d]. */
import { defineOp } from "../op.ts";
import { reductionCost } from "./shared.ts";
import { activation, typeOf } from "./shared-operands.ts";
import { filledLike, reductionSamples, toColumn } from "./shared-reductions.ts";

export const sumColumns = defineOp({
  inputs: [activation("x")],
  outputs: ["y"],
  infer: toColumn("sumColumns"),
  gradient: ({ inputs: [x], upstream: [dy], apply }) => [apply("mulColumn", [apply("fill", [], filledLike(x!.spec, 1), typeOf(x!)), dy!])],
  reference: ([x]) => {
    const y = new Float64Array(x!.shape[0]!);
    x!.values.forEach((v, i) => (y[Math.floor(i / x!.shape[1]!)]! += v));
    return [y];
  },
  cost: reductionCost(1),
  samples: reductionSamples,
});
