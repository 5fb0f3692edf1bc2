/** @file y = the columns start … start + count of x. */
import { defineOp } from "../op.ts";
import { expectRange, moveCost } from "./shared.ts";
import { activation, chosenType, expectShapes, rankOf, typeOf } from "./shared-operands.ts";
import { bf16, f32 } from "./shared-samples.ts";

export const sliceColumns = defineOp({
  inputs: [activation("x")],
  outputs: ["y"],
  params: { start: null, count: null },
  infer: ([x], params, as) => {
    expectShapes("sliceColumns", rankOf(x!) === 2, "x [T, D]", [x!]);
    expectRange("sliceColumns", "columns", params["start"]!, params["count"]!, x!.shape[1]!);
    return [{ dtype: chosenType("sliceColumns", as, x!.dtype), shape: [x!.shape[0]!, params["count"]!] }];
  },
  gradient: ({ inputs: [x], params, upstream: [dy], apply }) => [
    apply("placeColumns", [dy!], { start: params["start"]!, columns: x!.spec.shape[1]! }, typeOf(x!)),
  ],
  reference: ([x], params) => {
    const column = (i: number): number => (i % x!.shape[1]!) - params["start"]!;
    return [x!.values.filter((_, i) => column(i) >= 0 && column(i) < params["count"]!)];
  },
  cost: moveCost,
  samples: [
    { label: "middle", inputs: [f32(4, 11)], params: { start: 3, count: 5 } },
    { label: "all", inputs: [f32(4, 3)], params: { start: 0, count: 3 } },
    { label: "none", inputs: [f32(4, 3)], params: { start: 3, count: 0 } },
    { label: "no rows", inputs: [f32(0, 3)], params: { start: 1, count: 2 } },
    { label: "bf16", inputs: [bf16(5, 40)], params: { start: 7, count: 33 } },
  ],
});
