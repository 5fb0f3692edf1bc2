/** @file y[s] = the mean of x's rows start … end of segment s (clamped to x); a zero row of an empty segment. The third number of a segment is not used. */
import { defineOp } from "../op.ts";
import { reductionCost } from "./shared.ts";
import { activation, chosenType, expectShapes, hasShape, integers, rankOf, typeOf } from "./shared-operands.ts";
import { bf16, f32, rows, tensor } from "./shared-samples.ts";
import { clampedRange } from "./shared-segments.ts";

export const meanPool = defineOp({
  inputs: [activation("x"), integers("segments")],
  outputs: ["y"],
  infer: ([x, segments], _params, as) => {
    const fits = rankOf(x!) === 2 && hasShape(segments!, segments!.shape[0]!, 3);
    expectShapes("meanPool", fits, "x [T, D] and segments [S, 3]", [x!, segments!]);
    return [{ dtype: chosenType("meanPool", as, x!.dtype), shape: [segments!.shape[0]!, x!.shape[1]!] }];
  },
  gradient: ({ inputs: [x, segments], upstream: [dy], apply }) => [
    apply("meanPoolBackward", [dy!, segments!], { rows: x!.spec.shape[0]! }, typeOf(x!)),
    null,
  ],
  reference: ([x, segments]) => {
    const [count, columns] = x!.shape as [number, number];
    const y = new Float64Array(segments!.shape[0]! * columns);
    for (let s = 0; s < segments!.shape[0]!; s++) {
      const [start, end] = clampedRange(segments!.values, s, count);
      for (let t = start; t < end; t++) for (let d = 0; d < columns; d++) y[s * columns + d]! += x!.values[t * columns + d]! / (end - start);
    }
    return [y];
  },
  cost: reductionCost(1),
  samples: [
    { label: "three texts, a gap", inputs: [f32(12, 37), rows([0, 5, -1], [5, 6, -1], [8, 12, -1])] },
    { label: "outside and empty", inputs: [f32(6, 5), rows([-3, 2, -1], [4, 99, -1], [3, 3, -1], [5, 2, -1])] },
    { label: "no segments", inputs: [f32(6, 5), tensor("i32", [0, 3])] },
    { label: "no rows", inputs: [f32(0, 5), rows([0, 3, -1])] },
    { label: "bf16", inputs: [bf16(9, 33), rows([0, 9, -1])] },
  ],
});
