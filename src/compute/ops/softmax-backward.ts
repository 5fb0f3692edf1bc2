/** @file dx = y · (dy − Σ dy·y), row by row. */
import { defineOp } from "../op.ts";
import { elementwiseCost } from "./shared.ts";
import { activation, chosenType, expectShapes, hasShape, noSecondGradient, rankOf } from "./shared-operands.ts";
import { bf16, f32, positive } from "./shared-samples.ts";

export const softmaxBackward = defineOp({
  inputs: [activation("dy"), activation("y")],
  outputs: ["dx"],
  infer: ([dy, y], _params, as) => {
    expectShapes("softmaxBackward", rankOf(dy!) === 2 && hasShape(y!, ...dy!.shape), "dy and y [T, N]", [dy!, y!]);
    return [{ dtype: chosenType("softmaxBackward", as, dy!.dtype), shape: dy!.shape }];
  },
  gradient: noSecondGradient,
  reference: ([dy, y]) => {
    const columns = dy!.shape[1]!;
    const dot = new Float64Array(dy!.shape[0]!);
    dy!.values.forEach((d, i) => (dot[Math.floor(i / columns)]! += d * y!.values[i]!));
    return [dy!.values.map((d, i) => y!.values[i]! * (d - dot[Math.floor(i / columns)]!))];
  },
  cost: elementwiseCost(4),
  samples: [
    { label: "odd columns", inputs: [f32(7, 37), positive(7, 37)] },
    { label: "no rows", inputs: [f32(0, 8), f32(0, 8)] },
    { label: "no columns", inputs: [f32(3, 0), f32(3, 0)] },
    { label: "bf16", inputs: [bf16(5, 65), bf16(5, 65)] },
    { label: "mixed", inputs: [f32(5, 9), bf16(5, 9)], as: "bf16" },
  ],
});
