/** @file dx = (dy − y · (y·dy)) / norm, row by row. */
import { defineOp } from "../op.ts";
import { elementwiseCost } from "./shared.ts";
import { activation, chosenType, expectShapes, float32, hasShape, noSecondGradient, rankOf } from "./shared-operands.ts";
import { bf16, f32, positive } from "./shared-samples.ts";

export const l2NormalizeBackward = defineOp({
  inputs: [activation("dy"), activation("y"), float32("norm")],
  outputs: ["dx"],
  infer: ([dy, y, norm], _params, as) => {
    const fits = rankOf(dy!) === 2 && hasShape(y!, ...dy!.shape) && hasShape(norm!, dy!.shape[0]!);
    expectShapes("l2NormalizeBackward", fits, "dy and y [T, D], norm [T]", [dy!, y!, norm!]);
    return [{ dtype: chosenType("l2NormalizeBackward", as, dy!.dtype), shape: dy!.shape }];
  },
  gradient: noSecondGradient,
  reference: ([dy, y, norm]) => {
    const [count, columns] = dy!.shape as [number, number];
    const dx = new Float64Array(count * columns);
    for (let t = 0; t < count; t++) {
      let dot = 0;
      for (let i = t * columns; i < (t + 1) * columns; i++) dot += dy!.values[i]! * y!.values[i]!;
      for (let i = t * columns; i < (t + 1) * columns; i++) dx[i] = (dy!.values[i]! - y!.values[i]! * dot) / norm!.values[t]!;
    }
    return [dx];
  },
  cost: elementwiseCost(5),
  samples: [
    { label: "odd columns", inputs: [f32(7, 37), f32(7, 37), positive(7)] },
    { label: "no rows", inputs: [f32(0, 8), f32(0, 8), positive(0)] },
    { label: "bf16", inputs: [bf16(5, 65), bf16(5, 65), positive(5)] },
    { label: "mixed", inputs: [f32(5, 9), bf16(5, 9), positive(5)], as: "bf16" },
  ],
});
