/** @file y = `columns` columns of zeros with x put in from column `start`: the gradient of sliceColumns. */
import { defineOp } from "../op.ts";
import { expectRange, moveCost } from "./shared.ts";
import { activation, chosenType, expectShapes, rankOf } from "./shared-operands.ts";
import { bf16, f32 } from "./shared-samples.ts";

export const placeColumns = defineOp({
  inputs: [activation("x")],
  outputs: ["y"],
  params: { start: null, columns: null },
  infer: ([x], params, as) => {
    expectShapes("placeColumns", rankOf(x!) === 2, "x [T, D]", [x!]);
    expectRange("placeColumns", "columns", params["start"]!, x!.shape[1]!, params["columns"]!);
    return [{ dtype: chosenType("placeColumns", as, x!.dtype), shape: [x!.shape[0]!, params["columns"]!] }];
  },
  gradient: ({ inputs: [x], params, upstream: [dy], apply }) => [apply("sliceColumns", [dy!], { start: params["start"]!, count: x!.spec.shape[1]! })],
  reference: ([x], params) => {
    const [rows, count] = x!.shape as [number, number];
    const y = new Float64Array(rows * params["columns"]!);
    for (let t = 0; t < rows; t++) y.set(x!.values.subarray(t * count, (t + 1) * count), t * params["columns"]! + params["start"]!);
    return [y];
  },
  cost: moveCost,
  samples: [
    { label: "middle", inputs: [f32(4, 5)], params: { start: 3, columns: 11 } },
    { label: "all", inputs: [f32(4, 3)], params: { start: 0, columns: 3 } },
    { label: "nothing placed", inputs: [f32(4, 0)], params: { start: 3, columns: 3 } },
    { label: "bf16", inputs: [bf16(5, 33)], params: { start: 7, columns: 40 } },
  ],
});
