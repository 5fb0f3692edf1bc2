/** @file y[t] = b for `rows` rows: the gradient of sumRows. */
import { defineOp } from "../op.ts";
import { expectRange, moveCost } from "./shared.ts";
import { activation, chosenType, expectShapes, rankOf } from "./shared-operands.ts";
import { bf16, f32 } from "./shared-samples.ts";

export const repeatRow = defineOp({
  inputs: [activation("b")],
  outputs: ["y"],
  params: { rows: null },
  infer: ([b], params, as) => {
    expectShapes("repeatRow", rankOf(b!) === 1, "b [D]", [b!]);
    expectRange("repeatRow", "rows", 0, params["rows"]!, Number.MAX_SAFE_INTEGER);
    return [{ dtype: chosenType("repeatRow", as, b!.dtype), shape: [params["rows"]!, b!.shape[0]!] }];
  },
  gradient: ({ upstream: [dy], apply }) => [apply("sumRows", [dy!])],
  reference: ([b], params) => [Float64Array.from({ length: params["rows"]! * b!.values.length }, (_, i) => b!.values[i % b!.values.length]!)],
  cost: moveCost,
  samples: [
    { label: "odd columns", inputs: [f32(37)], params: { rows: 5 } },
    { label: "no rows", inputs: [f32(4)], params: { rows: 0 } },
    { label: "no columns", inputs: [f32(0)], params: { rows: 3 } },
    { label: "f32 to bf16", inputs: [f32(33)], params: { rows: 4 }, as: "bf16" },
    { label: "bf16", inputs: [bf16(33)], params: { rows: 4 } },
  ],
});
