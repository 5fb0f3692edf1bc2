/** @file y[b, a, c] = x[a, b, c]: heads before tokens, or back. */
import { defineOp } from "../op.ts";
import { moveCost } from "./shared.ts";
import { activation, chosenType, expectShapes, rankOf, typeOf } from "./shared-operands.ts";
import { bf16, f32 } from "./shared-samples.ts";

export const swapAxes = defineOp({
  inputs: [activation("x")],
  outputs: ["y"],
  infer: ([x], _params, as) => {
    expectShapes("swapAxes", rankOf(x!) === 3, "x [A, B, C]", [x!]);
    return [{ dtype: chosenType("swapAxes", as, x!.dtype), shape: [x!.shape[1]!, x!.shape[0]!, x!.shape[2]!] }];
  },
  gradient: ({ inputs: [x], upstream: [dy], apply }) => [apply("swapAxes", [dy!], {}, typeOf(x!))],
  reference: ([x]) => {
    const [a, b, c] = x!.shape as [number, number, number];
    const y = new Float64Array(a * b * c);
    for (let i = 0; i < a; i++) for (let j = 0; j < b; j++) for (let k = 0; k < c; k++) y[(j * a + i) * c + k] = x!.values[(i * b + j) * c + k]!;
    return [y];
  },
  cost: moveCost,
  samples: [
    { label: "odd sizes", inputs: [f32(3, 5, 7)] },
    { label: "one head", inputs: [f32(4, 1, 6)] },
    { label: "empty", inputs: [f32(0, 5, 3)] },
    { label: "bf16", inputs: [bf16(9, 2, 33)] },
  ],
});
