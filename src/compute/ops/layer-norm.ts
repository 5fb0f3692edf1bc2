/** @file y = (x − mean) · rstd · w + b, rstd = 1 / √(variance + eps), row by row (Ba, Kiros and Hinton, 2016). */
import { defineOp } from "../op.ts";
import { elementwiseCost } from "./shared.ts";
import { activation, chosenType, expectShapes, firstUpstream, hasShape, rankOf, typeOf } from "./shared-operands.ts";
import { bf16, f32, repeated, tensor } from "./shared-samples.ts";

export const layerNorm = defineOp({
  inputs: [activation("x"), activation("w"), activation("b")],
  outputs: ["y", "mean", "rstd"],
  params: { eps: 1e-5 },
  infer: ([x, w, b], _params, as) => {
    const fits = rankOf(x!) === 2 && hasShape(w!, x!.shape[1]!) && hasShape(b!, x!.shape[1]!);
    expectShapes("layerNorm", fits, "x [T, D], w and b [D]", [x!, w!, b!]);
    const column = { dtype: "f32" as const, shape: [x!.shape[0]!] };
    return [{ dtype: chosenType("layerNorm", as, x!.dtype), shape: x!.shape }, column, column];
  },
  gradient: (context) => {
    const { inputs, outputs, wants } = context;
    const operands = [firstUpstream("layerNorm", context), inputs[0]!, inputs[1]!, outputs[1]!, outputs[2]!, null];
    const [dx, dw, db] = context.applyAll("layerNormBackward", operands, { withDw: wants[1] || wants[2] ? 1 : 0 }, typeOf(inputs[0]!));
    return [dx!, dw ?? null, db ?? null];
  },
  reference: ([x, w, b], params) => {
    const [count, columns] = x!.shape as [number, number];
    const [means, rstd] = [new Float64Array(count), new Float64Array(count)];
    for (let t = 0; t < count; t++) {
      const row = x!.values.subarray(t * columns, (t + 1) * columns);
      const mean = row.reduce((total, v) => total + v, 0) / Math.max(1, columns);
      const variance = row.reduce((total, v) => total + (v - mean) ** 2, 0) / Math.max(1, columns);
      means[t] = mean;
      rstd[t] = 1 / Math.sqrt(variance + params["eps"]!);
    }
    const y = x!.values.map((v, i) => {
      const t = Math.floor(i / columns);
      return (v - means[t]!) * rstd[t]! * w!.values[i % columns]! + b!.values[i % columns]!;
    });
    return [y, means, rstd];
  },
  cost: elementwiseCost(8),
  samples: [
    { label: "odd columns", inputs: [f32(7, 37), f32(37), f32(37)] },
    { label: "one column", inputs: [f32(4, 1), f32(1), f32(1)], checkGradient: false },
    {
      label: "large mean, small spread",
      inputs: [tensor("f32", [2, 64], { values: Array.from({ length: 128 }, (_, i) => 1000 + (i % 7) * 0.125) }), f32(64), f32(64)],
    },
    { label: "no rows", inputs: [f32(0, 8), f32(8), f32(8)] },
    { label: "bf16", inputs: [bf16(5, 65), bf16(65), bf16(65)] },
    { label: "f32 to bf16", inputs: [f32(5, 65), f32(65), f32(65)], as: "bf16" },
    { label: "many rows", inputs: [f32(140, 384), f32(384), f32(384)], checkGradient: false },
    { label: "NaN in a row", inputs: [repeated("f32", [2, 3], [1, Number.NaN, 2, 3, 4, 5]), f32(3), f32(3)], checkGradient: false },
  ],
});
