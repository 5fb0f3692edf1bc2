/** @file The k largest of each row, descending, and where they stand. Equal values: the lower index first; NaN last. */
import { defineOp } from "../op.ts";
import { bytesOf, expectRange } from "./shared.ts";
import { activation, expectShapes, rankOf } from "./shared-operands.ts";
import { bf16, f32, repeated } from "./shared-samples.ts";

const orderable = (value: number): number => (Number.isNaN(value) ? Number.NEGATIVE_INFINITY : value);

export const topK = defineOp({
  inputs: [activation("x")],
  outputs: ["values", "indices"],
  params: { k: null },
  infer: ([x], params) => {
    expectShapes("topK", rankOf(x!) === 2, "x [T, V]", [x!]);
    expectRange("topK", "k", 0, params["k"]!, x!.shape[1]!);
    const shape = [x!.shape[0]!, params["k"]!];
    return [
      { dtype: "f32", shape },
      { dtype: "i32", shape },
    ];
  },
  gradient: { none: "choosing is not differentiable" },
  reference: ([x], params) => {
    const columns = x!.shape[1]!;
    const chosen = Array.from({ length: x!.shape[0]! }, (_, t) => {
      const at = (d: number): number => x!.values[t * columns + d]!;
      const before = (a: number, b: number): number =>
        Number(Number.isNaN(at(a))) - Number(Number.isNaN(at(b))) ||
        (orderable(at(b)) > orderable(at(a)) ? 1 : orderable(at(b)) < orderable(at(a)) ? -1 : a - b);
      return Array.from({ length: columns }, (_, d) => d)
        .sort(before)
        .slice(0, params["k"]!);
    });
    return [Float64Array.from(chosen.flatMap((row, t) => row.map((d) => x!.values[t * columns + d]!))), Float64Array.from(chosen.flat())];
  },
  cost: (inputs, outputs) => ({ operations: inputs[0]!.shape[0]! * inputs[0]!.shape[1]!, bytes: bytesOf(inputs, outputs) }),
  samples: [
    { label: "odd columns", inputs: [f32(4, 37)], params: { k: 5 } },
    { label: "ties", inputs: [repeated("f32", [2, 9], [1, 3, 2, 3, -0, 0, 3])], params: { k: 7 } },
    { label: "all of them", inputs: [f32(2, 6)], params: { k: 6 } },
    { label: "none of them", inputs: [f32(2, 6)], params: { k: 0 } },
    { label: "no rows", inputs: [f32(0, 6)], params: { k: 2 } },
    {
      label: "NaN last, infinities",
      inputs: [repeated("f32", [1, 6], [Number.NaN, 1, Number.NEGATIVE_INFINITY, Number.NaN, Number.POSITIVE_INFINITY, 0])],
      params: { k: 6 },
    },
    { label: "bf16", inputs: [bf16(3, 65)], params: { k: 4 } },
    { label: "wide", inputs: [f32(2, 20011)], params: { k: 50 } },
  ],
});
