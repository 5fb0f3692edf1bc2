/** @file y[t] = x[t] / norm[t], norm = max(√Σx², eps). The gradient treats norm as √Σx², so it is exact for rows longer than eps and for zero rows. */
import { defineOp } from "../op.ts";
import { elementwiseCost } from "./shared.ts";
import { activation, chosenType, expectShapes, firstUpstream, rankOf, typeOf } from "./shared-operands.ts";
import { bf16, f32, repeated } from "./shared-samples.ts";

export const l2Normalize = defineOp({
  inputs: [activation("x")],
  outputs: ["y", "norm"],
  params: { eps: 1e-12 },
  infer: ([x], _params, as) => {
    expectShapes("l2Normalize", rankOf(x!) === 2, "x [T, D]", [x!]);
    return [
      { dtype: chosenType("l2Normalize", as, x!.dtype), shape: x!.shape },
      { dtype: "f32", shape: [x!.shape[0]!] },
    ];
  },
  gradient: (context) => {
    const [y, norm] = context.outputs;
    return [context.apply("l2NormalizeBackward", [firstUpstream("l2Normalize", context), y!, norm!], {}, typeOf(context.inputs[0]!))];
  },
  reference: ([x], params) => {
    const [count, columns] = x!.shape as [number, number];
    const norm = new Float64Array(count);
    for (let t = 0; t < count; t++) {
      let squares = 0;
      for (let d = 0; d < columns; d++) squares += x!.values[t * columns + d]! ** 2;
      norm[t] = Math.max(Math.sqrt(squares), params["eps"]!);
    }
    return [x!.values.map((v, i) => v / norm[Math.floor(i / columns)]!), norm];
  },
  cost: elementwiseCost(3),
  samples: [
    { label: "odd columns", inputs: [f32(7, 37)] },
    { label: "one column", inputs: [f32(3, 1)], checkGradient: false },
    { label: "zero row", inputs: [repeated("f32", [2, 4], [0, 0, 0, 0, 1, 2, 3, 4])], checkGradient: false },
    { label: "no rows", inputs: [f32(0, 8)] },
    { label: "no columns", inputs: [f32(3, 0)] },
    { label: "bf16", inputs: [bf16(5, 65)] },
    { label: "NaN in a row", inputs: [repeated("f32", [2, 3], [1, Number.NaN, 2, 3, 4, 5])], checkGradient: false },
  ],
});
