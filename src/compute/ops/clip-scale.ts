/** @file (min(1, maxNorm / norm), norm) from the sum of squares: what gradients are scaled by, and the norm to report. maxNorm ≤ 0: no clipping. A NaN norm gives a NaN scale. */
import { defineOp } from "../op.ts";
import { bytesOf } from "./shared.ts";
import { expectShapes, float32, hasShape } from "./shared-operands.ts";
import { tensor } from "./shared-samples.ts";

const sumSquares = (value: number) => tensor("f32", [1], { values: [value] });

export const clipScale = defineOp({
  inputs: [float32("sumSquares")],
  outputs: ["y"],
  params: { maxNorm: null },
  infer: ([x]) => {
    expectShapes("clipScale", hasShape(x!, 1), "sumSquares [1]", [x!]);
    return [{ dtype: "f32", shape: [2] }];
  },
  gradient: { none: "clipping is not differentiated through" },
  reference: ([x], params) => {
    const norm = Math.sqrt(x!.values[0]!);
    const maxNorm = params["maxNorm"]!;
    return [Float64Array.of(Number.isNaN(norm) ? norm : maxNorm > 0 && norm > maxNorm ? maxNorm / norm : 1, norm)];
  },
  cost: (inputs, outputs) => ({ operations: 3, bytes: bytesOf(inputs, outputs) }),
  samples: [
    { label: "clipped", inputs: [sumSquares(25)], params: { maxNorm: 1 } },
    { label: "below the limit", inputs: [sumSquares(0.25)], params: { maxNorm: 1 } },
    { label: "zero", inputs: [sumSquares(0)], params: { maxNorm: 1 } },
    { label: "no limit", inputs: [sumSquares(25)], params: { maxNorm: 0 } },
    { label: "NaN", inputs: [sumSquares(Number.NaN)], params: { maxNorm: 1 } },
    { label: "infinite", inputs: [sumSquares(Number.POSITIVE_INFINITY)], params: { maxNorm: 1 } },
  ],
});
