/** @file y[t] = the largest of a row; −Infinity of none; NaN where a NaN is in it. */
import { defineOp } from "../op.ts";
import { reductionCost } from "./shared.ts";
import { activation } from "./shared-operands.ts";
import { reductionSamples, toColumn } from "./shared-reductions.ts";

export const maxColumns = defineOp({
  inputs: [activation("x")],
  outputs: ["y"],
  infer: toColumn("maxColumns"),
  gradient: { none: "it serves measuring and sampling" },
  reference: ([x]) => {
    const y = new Float64Array(x!.shape[0]!).fill(Number.NEGATIVE_INFINITY);
    x!.values.forEach((v, i) => {
      const t = Math.floor(i / x!.shape[1]!);
      y[t] = Math.max(y[t]!, v);
    });
    return [y];
  },
  cost: reductionCost(1),
  samples: reductionSamples,
});
