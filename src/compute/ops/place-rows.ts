/** @file y = `rows` rows of zeros with x put in from row `start`: the gradient of sliceRows. */
import { defineOp } from "../op.ts";
import { expectRange, moveCost } from "./shared.ts";
import { activation, chosenType, expectShapes, rankOf } from "./shared-operands.ts";
import { bf16, f32 } from "./shared-samples.ts";

export const placeRows = defineOp({
  inputs: [activation("x")],
  outputs: ["y"],
  params: { start: null, rows: null },
  infer: ([x], params, as) => {
    expectShapes("placeRows", rankOf(x!) > 0, "x with rows", [x!]);
    expectRange("placeRows", "rows", params["start"]!, x!.shape[0]!, params["rows"]!);
    return [{ dtype: chosenType("placeRows", as, x!.dtype), shape: [params["rows"]!, ...x!.shape.slice(1)] }];
  },
  gradient: ({ inputs: [x], params, upstream: [dy], apply }) => [apply("sliceRows", [dy!], { start: params["start"]!, count: x!.spec.shape[0]! })],
  reference: ([x], params) => {
    const size = x!.shape.slice(1).reduce((product, n) => product * n, 1);
    const y = new Float64Array(params["rows"]! * size);
    y.set(x!.values, params["start"]! * size);
    return [y];
  },
  cost: moveCost,
  samples: [
    { label: "middle", inputs: [f32(3, 5)], params: { start: 2, rows: 7 } },
    { label: "all", inputs: [f32(4, 3)], params: { start: 0, rows: 4 } },
    { label: "nothing placed", inputs: [f32(0, 3)], params: { start: 4, rows: 4 } },
    { label: "rank 3, bf16", inputs: [bf16(2, 2, 3)], params: { start: 1, rows: 5 } },
    { label: "f32 to bf16", inputs: [f32(2, 3)], params: { start: 0, rows: 3 }, as: "bf16" },
  ],
});
