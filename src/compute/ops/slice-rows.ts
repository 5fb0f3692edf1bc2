/** @file y = the rows start … start + count of x (along its first dimension). */
import { defineOp } from "../op.ts";
import { expectRange, moveCost } from "./shared.ts";
import { chosenType, expectShapes, rankOf, typeOf } from "./shared-operands.ts";
import { bf16, f32, list } from "./shared-samples.ts";

export const sliceRows = defineOp({
  inputs: [{ name: "x", dtypes: ["f32", "bf16", "i32"] }],
  outputs: ["y"],
  params: { start: null, count: null },
  infer: ([x], params, as) => {
    expectShapes("sliceRows", rankOf(x!) > 0, "x with rows", [x!]);
    expectRange("sliceRows", "rows", params["start"]!, params["count"]!, x!.shape[0]!);
    return [{ dtype: chosenType("sliceRows", as, x!.dtype, [x!.dtype]), shape: [params["count"]!, ...x!.shape.slice(1)] }];
  },
  gradient: ({ inputs: [x], params, upstream: [dy], apply }) => [
    apply("placeRows", [dy!], { start: params["start"]!, rows: x!.spec.shape[0]! }, typeOf(x!)),
  ],
  reference: ([x], params) => {
    const size = x!.shape.slice(1).reduce((product, n) => product * n, 1);
    return [x!.values.slice(params["start"]! * size, (params["start"]! + params["count"]!) * size)];
  },
  cost: moveCost,
  samples: [
    { label: "middle", inputs: [f32(7, 5)], params: { start: 2, count: 3 } },
    { label: "all", inputs: [f32(4, 3)], params: { start: 0, count: 4 } },
    { label: "none", inputs: [f32(4, 3)], params: { start: 4, count: 0 } },
    { label: "rank 3, bf16", inputs: [bf16(5, 2, 3)], params: { start: 1, count: 2 } },
    { label: "whole numbers", inputs: [list(5, -6, 7, 8)], params: { start: 1, count: 2 } },
  ],
});
