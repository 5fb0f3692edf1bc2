/** @file y[b, a] = x[a, b]. */
import { defineOp } from "../op.ts";
import { moveCost } from "./shared.ts";
import { activation, chosenType, expectShapes, rankOf, typeOf } from "./shared-operands.ts";
import { bf16, f32 } from "./shared-samples.ts";

export const transpose = defineOp({
  inputs: [activation("x")],
  outputs: ["y"],
  infer: ([x], _params, as) => {
    expectShapes("transpose", rankOf(x!) === 2, "x [A, B]", [x!]);
    return [{ dtype: chosenType("transpose", as, x!.dtype), shape: [x!.shape[1]!, x!.shape[0]!] }];
  },
  gradient: ({ inputs: [x], upstream: [dy], apply }) => [apply("transpose", [dy!], {}, typeOf(x!))],
  reference: ([x]) => {
    const [rows, columns] = x!.shape as [number, number];
    return [x!.values.map((_, i) => x!.values[(i % rows) * columns + Math.floor(i / rows)]!)];
  },
  cost: moveCost,
  samples: [
    { label: "odd sizes", inputs: [f32(7, 37)] },
    { label: "one row", inputs: [f32(1, 9)] },
    { label: "larger than a tile", inputs: [f32(70, 130)], checkGradient: false },
    { label: "empty", inputs: [f32(0, 5)] },
    { label: "bf16", inputs: [bf16(33, 65)] },
    { label: "f32 to bf16", inputs: [f32(9, 17)], as: "bf16" },
  ],
});
