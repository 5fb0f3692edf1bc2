/** @file y[t] = e^x / Σe^x, row by row. */
import { defineOp } from "../op.ts";
import { elementwiseCost } from "./shared.ts";
import { logSumExp } from "./shared-math.ts";
import { activation, chosenType, expectShapes, rankOf, typeOf } from "./shared-operands.ts";
import { bf16, f32, repeated } from "./shared-samples.ts";

export const softmax = defineOp({
  inputs: [activation("x")],
  outputs: ["y"],
  infer: ([x], _params, as) => {
    expectShapes("softmax", rankOf(x!) === 2, "x [T, N]", [x!]);
    return [{ dtype: chosenType("softmax", as, x!.dtype), shape: x!.shape }];
  },
  gradient: ({ inputs: [x], outputs: [y], upstream: [dy], apply }) => [apply("softmaxBackward", [dy!, y!], {}, typeOf(x!))],
  reference: ([x]) => {
    const columns = x!.shape[1]!;
    const total = Array.from({ length: x!.shape[0]! }, (_, t) => logSumExp(x!.values, t * columns, columns));
    return [x!.values.map((v, i) => Math.exp(v - total[Math.floor(i / columns)]!))];
  },
  cost: elementwiseCost(8),
  samples: [
    { label: "odd columns", inputs: [f32(7, 37)] },
    { label: "one column", inputs: [f32(3, 1)] },
    { label: "large values do not overflow", inputs: [repeated("f32", [2, 3], [1e4, 1e4 - 1, -1e4, -3e38, 3e38, 0])], checkGradient: false },
    { label: "minus infinity is masked", inputs: [repeated("f32", [2, 3], [0, Number.NEGATIVE_INFINITY, 1])], checkGradient: false },
    { label: "NaN in a row", inputs: [repeated("f32", [2, 3], [1, Number.NaN, 2, 3, 4, 5])], checkGradient: false },
    { label: "no rows", inputs: [f32(0, 8)] },
    { label: "no columns", inputs: [f32(3, 0)] },
    { label: "bf16", inputs: [bf16(5, 65)] },
    { label: "wide", inputs: [f32(3, 5000)], checkGradient: false },
  ],
});
