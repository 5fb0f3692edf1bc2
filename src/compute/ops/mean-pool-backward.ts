/** @file dx[t] = dy[s] / length of s for the rows of segment s, zero elsewhere. */
import { defineOp } from "../op.ts";
import { elementwiseCost, expectRange } from "./shared.ts";
import { activation, chosenType, expectShapes, hasShape, integers, noSecondGradient, rankOf } from "./shared-operands.ts";
import { bf16, f32, rows } from "./shared-samples.ts";
import { clampedRange } from "./shared-segments.ts";

export const meanPoolBackward = defineOp({
  inputs: [activation("dy"), integers("segments")],
  outputs: ["dx"],
  params: { rows: null },
  infer: ([dy, segments], params, as) => {
    const fits = rankOf(dy!) === 2 && hasShape(segments!, dy!.shape[0]!, 3);
    expectShapes("meanPoolBackward", fits, "dy [S, D] and segments [S, 3]", [dy!, segments!]);
    expectRange("meanPoolBackward", "rows", 0, params["rows"]!, 2 ** 31 - 1);
    return [{ dtype: chosenType("meanPoolBackward", as, dy!.dtype), shape: [params["rows"]!, dy!.shape[1]!] }];
  },
  gradient: noSecondGradient,
  reference: ([dy, segments], params) => {
    const columns = dy!.shape[1]!;
    const dx = new Float64Array(params["rows"]! * columns);
    for (let s = 0; s < dy!.shape[0]!; s++) {
      const [start, end] = clampedRange(segments!.values, s, params["rows"]!);
      for (let t = start; t < end; t++) for (let d = 0; d < columns; d++) dx[t * columns + d]! += dy!.values[s * columns + d]! / (end - start);
    }
    return [dx];
  },
  cost: elementwiseCost(1),
  samples: [
    { label: "three texts, a gap", inputs: [f32(3, 37), rows([0, 5, -1], [5, 6, -1], [8, 12, -1])], params: { rows: 12 } },
    { label: "outside and empty", inputs: [f32(3, 5), rows([-3, 2, -1], [4, 99, -1], [3, 3, -1])], params: { rows: 6 } },
    { label: "no rows", inputs: [f32(1, 5), rows([0, 3, -1])], params: { rows: 0 } },
    { label: "bf16 to f32", inputs: [bf16(1, 33), rows([0, 9, -1])], params: { rows: 9 }, as: "f32" },
  ],
});
