/** @file Short ways to write samples' operands. No operator itself. */
import { type DType, elementCount } from "../dtype.ts";
import type { SampleInput, SampleValues } from "../op.ts";

export const tensor = (dtype: DType, shape: readonly number[], fill?: SampleValues): SampleInput => ({
  dtype,
  shape,
  ...(fill === undefined ? {} : { fill }),
});
export const f32 = (...shape: number[]): SampleInput => tensor("f32", shape);
export const bf16 = (...shape: number[]): SampleInput => tensor("bf16", shape);
/** Positive numbers: what a norm, a reciprocal deviation or a second moment is. */
export const positive = (...shape: number[]): SampleInput => tensor("f32", shape, { draw: "positive" });
export const integersBelow = (below: number, ...shape: number[]): SampleInput => tensor("i32", shape, { draw: "integers", from: 0, below });
/** Rows of whole numbers as they stand. */
export const rows = (...values: (readonly number[])[]): SampleInput =>
  tensor("i32", [values.length, values[0]?.length ?? 3], { values: values.flat() });
export const list = (...values: number[]): SampleInput => tensor("i32", [values.length], { values });
/** These numbers over and over until the shape is full. */
export const repeated = (dtype: DType, shape: readonly number[], values: readonly number[]): SampleInput =>
  tensor(dtype, shape, { values: Array.from({ length: elementCount(shape) }, (_, i) => values[i % values.length]!) });
