/**
 * @file The gradient of layerNorm: with g = dy · w and x̂ = (x − mean) · rstd, dx = rstd · (g − mean(g) − x̂ · mean(g · x̂)) + residual,
 * dw = Σ dy · x̂ and db = Σ dy over rows, both left out where `withDw` is 0. dx may lie in the residual's memory.
 */
import { defineOp } from "../op.ts";
import { elementwiseCost } from "./shared.ts";
import { activation, chosenType, expectShapes, float32, hasShape, noSecondGradient, optional, rankOf } from "./shared-operands.ts";
import { bf16, f32, positive } from "./shared-samples.ts";

export const layerNormBackward = defineOp({
  inputs: [activation("dy"), activation("x"), activation("w"), float32("mean"), float32("rstd"), optional(activation("residual"))],
  outputs: ["dx", "dw", "db"],
  params: { withDw: 1 },
  infer: ([dy, x, w, mean, rstd, residual], params, as) => {
    const [count, columns] = x!.shape as [number, number];
    const fits = rankOf(x!) === 2 && hasShape(dy!, count, columns) && hasShape(w!, columns) && hasShape(mean!, count) && hasShape(rstd!, count);
    const text = "dy and x [T, D], w [D], mean and rstd [T], residual [T, D]";
    expectShapes("layerNormBackward", fits && hasShape(residual ?? null, count, columns), text, [dy!, x!, w!, mean!, rstd!, residual ?? null]);
    const dx = { dtype: chosenType("layerNormBackward", as, dy!.dtype), shape: x!.shape };
    const dw = { dtype: "f32" as const, shape: w!.shape };
    return params["withDw"] ? [dx, dw, dw] : [dx];
  },
  gradient: noSecondGradient,
  reference: ([dy, x, w, mean, rstd, residual], _params, outputs) => {
    const [count, columns] = x!.shape as [number, number];
    const [dx, dw, db] = [new Float64Array(count * columns), new Float64Array(columns), new Float64Array(columns)];
    for (let t = 0; t < count; t++) {
      const hat = (d: number): number => (x!.values[t * columns + d]! - mean!.values[t]!) * rstd!.values[t]!;
      const g = (d: number): number => dy!.values[t * columns + d]! * w!.values[d]!;
      let [meanG, meanGHat] = [0, 0];
      for (let d = 0; d < columns; d++) {
        meanG += g(d) / columns;
        meanGHat += (g(d) * hat(d)) / columns;
      }
      for (let d = 0; d < columns; d++) {
        dx[t * columns + d] = rstd!.values[t]! * (g(d) - meanG - hat(d) * meanGHat) + (residual?.values[t * columns + d] ?? 0);
        dw[d]! += dy!.values[t * columns + d]! * hat(d);
        db[d]! += dy!.values[t * columns + d]!;
      }
    }
    return [dx, dw, db].slice(0, outputs.length);
  },
  cost: elementwiseCost(14),
  samples: [
    { label: "odd columns", inputs: [f32(7, 37), f32(7, 37), f32(37), f32(7), positive(7), null] },
    { label: "residual", inputs: [f32(3, 24), f32(3, 24), f32(24), f32(3), positive(3), f32(3, 24)] },
    { label: "without dw", inputs: [f32(3, 24), f32(3, 24), f32(24), f32(3), positive(3), null], params: { withDw: 0 } },
    { label: "no rows", inputs: [f32(0, 8), f32(0, 8), f32(8), f32(0), positive(0), null] },
    { label: "bf16", inputs: [bf16(5, 65), bf16(5, 65), bf16(65), f32(5), positive(5), bf16(5, 65)] },
    { label: "many rows", inputs: [f32(300, 40), f32(300, 40), f32(40), f32(300), positive(300), null], as: "bf16" },
  ],
  mayOverwrite: [5],
});
