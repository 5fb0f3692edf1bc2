/** @file y[d] = Σ over rows of x[t, d]: the gradient of a bias. */
import { defineOp } from "../op.ts";
import { reductionCost } from "./shared.ts";
import { activation, typeOf } from "./shared-operands.ts";
import { reductionSamples, toRow } from "./shared-reductions.ts";

export const sumRows = defineOp({
  inputs: [activation("x")],
  outputs: ["y"],
  infer: toRow("sumRows"),
  gradient: ({ inputs: [x], upstream: [dy], apply }) => [apply("repeatRow", [dy!], { rows: x!.spec.shape[0]! }, typeOf(x!))],
  reference: ([x]) => {
    const columns = x!.shape[1]!;
    const y = new Float64Array(columns);
    x!.values.forEach((v, i) => (y[i % columns]! += v));
    return [y];
  },
  cost: reductionCost(1),
  samples: reductionSamples,
});
