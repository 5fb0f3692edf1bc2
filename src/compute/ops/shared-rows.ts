/** @file What operators of a matrix and one row share. No operator itself. */
import type { OpForm, Samples } from "../op.ts";
import { chosenType, expectShapes, hasShape, rankOf } from "./shared-operands.ts";
import { bf16, f32 } from "./shared-samples.ts";

export const inferRow =
  (op: string): OpForm["infer"] =>
  ([x, b], _params, as) => {
    expectShapes(op, rankOf(x!) === 2 && hasShape(b!, x!.shape[1]!), "x [T, D] and b [D]", [x!, b!]);
    return [{ dtype: chosenType(op, as, x!.dtype), shape: x!.shape }];
  };

export const rowSamples: Samples = [
  { label: "odd columns", inputs: [f32(7, 37), f32(37)] },
  { label: "one row", inputs: [f32(1, 8), f32(8)] },
  { label: "one column", inputs: [f32(9, 1), f32(1)] },
  { label: "no rows", inputs: [f32(0, 8), f32(8)] },
  { label: "no columns", inputs: [f32(3, 0), f32(0)] },
  { label: "bf16 with f32", inputs: [bf16(5, 33), f32(33)] },
  { label: "f32 with bf16", inputs: [f32(5, 33), bf16(33)] },
  { label: "several chunks", inputs: [f32(300, 70), f32(70)], checkGradient: false },
];
