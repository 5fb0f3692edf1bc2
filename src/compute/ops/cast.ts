/** @file y = x as another element type. To floats: nearest, ties to even. To whole numbers: towards zero, saturating, NaN becomes 0. */
import { StarboxError } from "#base";
import { activationTypes, type DType } from "../dtype.ts";
import { defineOp } from "../op.ts";
import { elementwiseCost, floatTypes, specialValues } from "./shared.ts";
import { chosenType, typeOf } from "./shared-operands.ts";
import { bf16, f32, list, tensor } from "./shared-samples.ts";

const types: readonly DType[] = [...floatTypes, "i32"];
const special = [...specialValues, 0.99, -0.99, 2147483648, -2147483649, 65519, 65520, 1 + 2 ** -9, 1 + 3 * 2 ** -9];

export const cast = defineOp({
  inputs: [{ name: "x", dtypes: types }],
  outputs: ["y"],
  infer: ([x], _params, as) => {
    if (as === undefined)
      throw new StarboxError("tensor_invalid", "cast: expected the type to cast to, got none.", { hint: `Pass { as: "${activationTypes[1]}" }.` });
    return [{ dtype: chosenType("cast", as, as, types), shape: x!.shape }];
  },
  gradient: ({ inputs: [x], outputs: [y], upstream: [dy], apply }) => [
    x!.spec.dtype === "i32" || y!.spec.dtype === "i32" ? null : apply("cast", [dy!], {}, typeOf(x!)),
  ],
  reference: ([x], _params, [y]) => [
    y!.dtype === "i32" ? x!.values.map((v) => (Number.isNaN(v) ? 0 : Math.trunc(Math.min(2147483647, Math.max(-2147483648, v))))) : x!.values.slice(),
  ],
  cost: elementwiseCost(1),
  samples: [
    { label: "f32 to bf16", inputs: [f32(5, 37)], as: "bf16" },
    { label: "bf16 to f32", inputs: [bf16(5, 37)], as: "f32" },
    { label: "f32 to f16", inputs: [f32(5, 37)], as: "f16" },
    { label: "f16 to bf16", inputs: [tensor("f16", [9, 5])], as: "bf16" },
    { label: "bf16 to f16", inputs: [bf16(9, 5)], as: "f16" },
    { label: "same type", inputs: [f32(11)], as: "f32" },
    { label: "f32 to whole numbers", inputs: [tensor("f32", [21], { values: special })], as: "i32" },
    { label: "f16 to whole numbers", inputs: [tensor("f16", [7], { values: [1.5, -1.5, 0.99, 65504, -0, 7, -7] })], as: "i32" },
    { label: "whole numbers to f32", inputs: [list(0, -1, 16777217, 2147483647, -2147483648)], as: "f32" },
    { label: "whole numbers to bf16", inputs: [list(0, -1, 257, 2147483647)], as: "bf16" },
    { label: "extremes to bf16", inputs: [tensor("f32", [21], { values: special })], as: "bf16", checkGradient: false },
    { label: "extremes to f16", inputs: [tensor("f32", [21], { values: special })], as: "f16", checkGradient: false },
    { label: "empty", inputs: [f32(0)], as: "bf16" },
    { label: "several chunks", inputs: [f32(2, 9001)], as: "bf16", checkGradient: false },
  ],
});
