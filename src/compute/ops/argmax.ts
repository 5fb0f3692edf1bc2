/** @file Where the largest of each row stands: the first of equals; NaN counts less than everything; 0 of none. */
import { defineOp } from "../op.ts";
import { reductionCost } from "./shared.ts";
import { activation, expectShapes, rankOf } from "./shared-operands.ts";
import { bf16, f32, repeated } from "./shared-samples.ts";

const nan = Number.NaN;

export const argmax = defineOp({
  inputs: [activation("x")],
  outputs: ["y"],
  infer: ([x]) => {
    expectShapes("argmax", rankOf(x!) === 2, "x [T, V]", [x!]);
    return [{ dtype: "i32", shape: [x!.shape[0]!] }];
  },
  gradient: { none: "choosing is not differentiable" },
  reference: ([x]) => {
    const columns = x!.shape[1]!;
    const y = new Float64Array(x!.shape[0]!);
    y.forEach((_, t) => {
      let best = -1;
      for (let d = 0; d < columns; d++) {
        const value = x!.values[t * columns + d]!;
        if (!Number.isNaN(value) && (best < 0 || value > x!.values[t * columns + best]!)) best = d;
      }
      y[t] = Math.max(best, 0);
    });
    return [y];
  },
  cost: reductionCost(1),
  samples: [
    { label: "odd columns", inputs: [f32(4, 37)] },
    { label: "ties", inputs: [repeated("f32", [2, 9], [1, 3, 2, 3, -0, 0, 3])] },
    { label: "no rows", inputs: [f32(0, 6)] },
    { label: "NaN", inputs: [repeated("f32", [3, 4], [nan, 1, nan, 2, nan, nan, nan, nan, nan, Number.NEGATIVE_INFINITY, nan, nan])] },
    { label: "bf16", inputs: [bf16(3, 65)] },
    { label: "wide", inputs: [f32(2, 20011)] },
  ],
});
