/** @file y = x in other memory, byte for byte. */
import { weightTypes } from "../dtype.ts";
import { defineOp } from "../op.ts";
import { moveCost, specialValues } from "./shared.ts";
import { bf16, f32, list, tensor } from "./shared-samples.ts";

export const copy = defineOp({
  inputs: [{ name: "x", dtypes: [...weightTypes, "i32"] }],
  outputs: ["y"],
  infer: ([x]) => [x!],
  gradient: ({ upstream: [dy] }) => [dy!],
  reference: ([x]) => [x!.values.slice()],
  cost: moveCost,
  samples: [
    { label: "matrix with a remainder", inputs: [f32(5, 37)] },
    { label: "empty", inputs: [f32(0, 4)] },
    { label: "bf16", inputs: [bf16(3, 65)] },
    { label: "several chunks", inputs: [f32(2, 9001)], checkGradient: false },
    { label: "whole numbers", inputs: [list(-1, 0, 2147483647, -2147483648)] },
    { label: "quantized blocks", inputs: [tensor("q4_k", [3, 256])] },
    { label: "half", inputs: [tensor("f16", [7, 3])] },
    { label: "NaN, infinities", inputs: [tensor("f32", [specialValues.length], { values: specialValues })], checkGradient: false },
  ],
  mayOverwrite: [0],
});
