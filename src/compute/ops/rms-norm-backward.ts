/**
 * @file The gradient of rmsNorm: with g = dy · (offset + w) and x̂ = x · rstd, dx = rstd · (g − x̂ · mean(g · x̂)) + residual, dw = Σ over rows of dy · x̂.
 * dw is left out where `withDw` is 0. dx may lie in the residual's memory.
 */
import { defineOp } from "../op.ts";
import { elementwiseCost } from "./shared.ts";
import { activation, chosenType, expectShapes, float32, hasShape, noSecondGradient, optional, rankOf } from "./shared-operands.ts";
import { bf16, f32, positive } from "./shared-samples.ts";

export const rmsNormBackward = defineOp({
  inputs: [activation("dy"), activation("x"), activation("w"), float32("rstd"), optional(activation("residual"))],
  outputs: ["dx", "dw"],
  params: { offset: 0, withDw: 1 },
  infer: ([dy, x, w, rstd, residual], params, as) => {
    const [count, columns] = x!.shape as [number, number];
    const fits = rankOf(x!) === 2 && hasShape(dy!, count, columns) && hasShape(w!, columns) && hasShape(rstd!, count);
    const text = "dy and x [T, D], w [D], rstd [T], residual [T, D]";
    expectShapes("rmsNormBackward", fits && hasShape(residual ?? null, count, columns), text, [dy!, x!, w!, rstd!, residual ?? null]);
    const dx = { dtype: chosenType("rmsNormBackward", as, dy!.dtype), shape: x!.shape };
    return params["withDw"] ? [dx, { dtype: "f32", shape: w!.shape }] : [dx];
  },
  gradient: noSecondGradient,
  reference: ([dy, x, w, rstd, residual], params, outputs) => {
    const [count, columns] = x!.shape as [number, number];
    const [dx, dw] = [new Float64Array(count * columns), new Float64Array(columns)];
    for (let t = 0; t < count; t++) {
      const hat = (d: number): number => x!.values[t * columns + d]! * rstd!.values[t]!;
      const g = (d: number): number => dy!.values[t * columns + d]! * (params["offset"]! + w!.values[d]!);
      let mean = 0;
      for (let d = 0; d < columns; d++) mean += (g(d) * hat(d)) / columns;
      for (let d = 0; d < columns; d++) {
        dx[t * columns + d] = rstd!.values[t]! * (g(d) - hat(d) * mean) + (residual?.values[t * columns + d] ?? 0);
        dw[d]! += dy!.values[t * columns + d]! * hat(d);
      }
    }
    return [dx, dw].slice(0, outputs.length);
  },
  cost: elementwiseCost(10),
  samples: [
    { label: "odd columns", inputs: [f32(7, 37), f32(7, 37), f32(37), positive(7), null] },
    { label: "residual, offset", inputs: [f32(3, 24), f32(3, 24), f32(24), positive(3), f32(3, 24)], params: { offset: 1 } },
    { label: "without dw", inputs: [f32(3, 24), f32(3, 24), f32(24), positive(3), f32(3, 24)], params: { withDw: 0 } },
    { label: "no rows", inputs: [f32(0, 8), f32(0, 8), f32(8), positive(0), null] },
    { label: "bf16", inputs: [bf16(5, 65), bf16(5, 65), bf16(65), positive(5), bf16(5, 65)] },
    { label: "mixed", inputs: [f32(5, 65), bf16(5, 65), f32(65), positive(5), f32(5, 65)], as: "bf16" },
    { label: "many rows", inputs: [f32(300, 40), f32(300, 40), f32(40), positive(300), null] },
  ],
  mayOverwrite: [4],
});
