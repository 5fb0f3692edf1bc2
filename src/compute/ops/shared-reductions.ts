/** @file What reductions share: outputs of one number, of a row, of a column. No operator itself. */
import { elementCount, type TensorSpec } from "../dtype.ts";
import type { OpForm, Params, Samples } from "../op.ts";
import { expectShapes, rankOf } from "./shared-operands.ts";
import { bf16, f32, tensor } from "./shared-samples.ts";

export const toScalar: OpForm["infer"] = () => [{ dtype: "f32", shape: [1] }];
/** One number a column: [D]. */
export const toRow =
  (op: string): OpForm["infer"] =>
  ([x]) => {
    expectShapes(op, rankOf(x!) === 2, "x [T, D]", [x!]);
    return [{ dtype: "f32", shape: [x!.shape[1]!] }];
  };
/** One number a row: [T]. */
export const toColumn =
  (op: string): OpForm["infer"] =>
  ([x]) => {
    expectShapes(op, rankOf(x!) === 2, "x [T, D]", [x!]);
    return [{ dtype: "f32", shape: [x!.shape[0]!] }];
  };

/** The tensor of one value shaped like `spec`, as parameters of fill. */
export const filledLike = (spec: TensorSpec, value: number): Params => ({
  value,
  rank: spec.shape.length,
  ...Object.fromEntries(spec.shape.map((size, i) => [`d${i}`, size])),
});

/** What one element weighs in a mean. */
export const shareOf = (x: TensorSpec): number => 1 / Math.max(1, elementCount(x.shape));

const specials = (value: number) => tensor("f32", [2, 3], { values: [1, 2, 3, value, -4, 5] });
export const reductionSamples: Samples = [
  { label: "odd columns", inputs: [f32(7, 37)] },
  { label: "one row", inputs: [f32(1, 9)] },
  { label: "one column", inputs: [f32(9, 1)] },
  { label: "no rows", inputs: [f32(0, 8)] },
  { label: "no columns", inputs: [f32(3, 0)] },
  { label: "bf16", inputs: [bf16(6, 65)] },
  { label: "several chunks", inputs: [f32(6, 9001)], checkGradient: false },
  { label: "many rows", inputs: [f32(1100, 17)], checkGradient: false },
  { label: "NaN", inputs: [specials(Number.NaN)], checkGradient: false },
  { label: "infinity", inputs: [specials(Number.POSITIVE_INFINITY)], checkGradient: false },
];
