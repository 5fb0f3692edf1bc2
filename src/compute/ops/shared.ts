/** @file What many operators' forms have in common: shape rules, costs, samples. No operator itself. */
import { type DType, elementCount, sameShape, specBytes, type TensorSpec } from "../dtype.ts";
import { type Cost, invalidOperands, type OpForm, type Params, type Sample, type Samples } from "../op.ts";

/** One output shaped like operand `index`; every other operand must have that shape too. */
export const sameAs =
  (index: number): OpForm["infer"] =>
  (inputs, _params, as) => {
    const spec = inputs[index]!;
    for (const other of inputs)
      if (other !== null && !sameShape(other.shape, spec.shape)) throw invalidOperands("elementwise", "operands of one shape", inputs);
    return [{ dtype: as ?? spec.dtype, shape: spec.shape }];
  };

/** Bytes of all operands, each once. */
export const bytesOf = (inputs: readonly (TensorSpec | null)[], outputs: readonly TensorSpec[]): number =>
  [...inputs, ...outputs].reduce((sum, spec) => sum + (spec === null ? 0 : specBytes(spec)), 0);

export const elementwiseCost =
  (operationsEach: number) =>
  (inputs: readonly (TensorSpec | null)[], outputs: readonly TensorSpec[]): Cost => ({
    operations: operationsEach * elementCount(outputs[0]!.shape),
    bytes: bytesOf(inputs, outputs),
  });

/** Shapes that find the usual mistakes: a remainder behind whole vectors, one element, none, both activation types, NaN and infinities. */
export function elementwiseSamples(operands: number, options: { readonly fill?: "normal" | "positive"; readonly params?: Params } = {}): Samples {
  const fill = { draw: options.fill ?? "normal" } as const;
  const of = (label: string, dtype: DType, shape: readonly number[], more: Partial<Sample> = {}): Sample => ({
    label,
    inputs: Array.from({ length: operands }, () => ({ dtype, shape, fill })),
    ...(options.params === undefined ? {} : { params: options.params }),
    ...more,
  });
  const special = [0, -0, 1, -1, 1e-30, -1e30, 88, -104, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 3.5, -2.25];
  return [
    of("matrix with a remainder", "f32", [5, 37]),
    of("one element", "f32", [1]),
    of("empty", "f32", [0, 8]),
    of("bf16", "bf16", [3, 65]),
    of("several chunks", "f32", [3, 9001], { checkGradient: false }),
    ...(options.fill === "positive"
      ? []
      : [
          {
            label: "NaN, infinities, extremes",
            inputs: Array.from({ length: operands }, () => ({ dtype: "f32" as const, shape: [special.length], fill: { values: special } })),
            ...(options.params === undefined ? {} : { params: options.params }),
            checkGradient: false,
          },
        ]),
  ];
}
