/** @file y[t] = a[t] followed by b[t]. */
import { defineOp } from "../op.ts";
import { moveCost } from "./shared.ts";
import { activation, chosenType, expectShapes, rankOf } from "./shared-operands.ts";
import { bf16, f32 } from "./shared-samples.ts";

export const concatColumns = defineOp({
  inputs: [activation("a"), activation("b")],
  outputs: ["y"],
  infer: ([a, b], _params, as) => {
    const fits = rankOf(a!) === 2 && rankOf(b!) === 2 && a!.shape[0] === b!.shape[0];
    expectShapes("concatColumns", fits, "a [T, D] and b [T, E]", [a!, b!]);
    return [{ dtype: chosenType("concatColumns", as, a!.dtype), shape: [a!.shape[0]!, a!.shape[1]! + b!.shape[1]!] }];
  },
  gradient: ({ inputs: [a, b], upstream: [dy], wants, apply }) => [
    wants[0] ? apply("sliceColumns", [dy!], { start: 0, count: a!.spec.shape[1]! }) : null,
    wants[1] ? apply("sliceColumns", [dy!], { start: a!.spec.shape[1]!, count: b!.spec.shape[1]! }) : null,
  ],
  reference: ([a, b]) => {
    const [rows, left] = a!.shape as [number, number];
    const right = b!.shape[1]!;
    const y: number[] = [];
    for (let t = 0; t < rows; t++) y.push(...a!.values.subarray(t * left, (t + 1) * left), ...b!.values.subarray(t * right, (t + 1) * right));
    return [Float64Array.from(y)];
  },
  cost: moveCost,
  samples: [
    { label: "two matrices", inputs: [f32(3, 5), f32(3, 9)] },
    { label: "one without columns", inputs: [f32(3, 0), f32(3, 2)] },
    { label: "no rows", inputs: [f32(0, 4), f32(0, 2)] },
    { label: "mixed", inputs: [bf16(2, 33), f32(2, 7)] },
  ],
});
