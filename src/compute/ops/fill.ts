/** @file y = value everywhere. Parameters after the value carry the shape, which no operand gives. */
import type { DType } from "../dtype.ts";
import { defineOp } from "../op.ts";
import { bytesOf, paramsOfShape, shapeOf, shapeParams } from "./shared.ts";
import { chosenType } from "./shared-operands.ts";

const types: readonly DType[] = ["f32", "bf16", "i32"];

export const fill = defineOp({
  inputs: [],
  outputs: ["y"],
  params: { value: null, ...shapeParams },
  infer: (_inputs, params, as) => [{ dtype: chosenType("fill", as, "f32", types), shape: shapeOf("fill", params) }],
  gradient: { none: "it has no operands" },
  reference: (_inputs, params, [y]) => {
    const count = y!.shape.reduce((product, size) => product * size, 1);
    return [new Float64Array(count).fill(y!.dtype === "i32" ? Math.trunc(params["value"]!) : params["value"]!)];
  },
  cost: (_inputs, outputs) => ({ operations: 0, bytes: bytesOf([], outputs) }),
  samples: [
    { label: "matrix with a remainder", inputs: [], params: { value: -2.5, ...paramsOfShape([5, 37]) } },
    { label: "bf16", inputs: [], params: { value: 0.1, ...paramsOfShape([3, 3, 3]) }, as: "bf16" },
    { label: "whole numbers", inputs: [], params: { value: -7.9, ...paramsOfShape([33]) }, as: "i32" },
    { label: "infinity", inputs: [], params: { value: Number.NEGATIVE_INFINITY, ...paramsOfShape([4]) } },
    { label: "empty", inputs: [], params: { value: 1, ...paramsOfShape([0, 4]) } },
    { label: "several chunks", inputs: [], params: { value: 1, ...paramsOfShape([2, 9001]) } },
  ],
});
