/** @file What many operators' forms have in common: shape rules, costs, samples of elementwise work. No operator itself. */
import { StarboxError } from "#base";
import { activationTypes, type DType, elementCount, sameShape, specBytes, type TensorSpec } from "../dtype.ts";
import { type Cost, defineOp, invalidOperands, type OpForm, type Params, type Sample, type Samples, type Value } from "../op.ts";
import { activation, chosenType, noSecondGradient } from "./shared-operands.ts";

/** Every output shaped like operand `index`; every other operand must have that shape too. */
export const sameAs =
  (op: string, index: number, outputs = 1): OpForm["infer"] =>
  (inputs, _params, as) => {
    const spec = inputs[index]!;
    for (const other of inputs) if (other !== null && !sameShape(other.shape, spec.shape)) throw invalidOperands(op, "operands of one shape", inputs);
    return Array.from({ length: outputs }, () => ({ dtype: chosenType(op, as, spec.dtype), shape: spec.shape }));
  };

/** Bytes of all operands, each once. */
export const bytesOf = (inputs: readonly (TensorSpec | null)[], outputs: readonly TensorSpec[]): number =>
  [...inputs, ...outputs].reduce((sum, spec) => sum + (spec === null ? 0 : specBytes(spec)), 0);

/** So many operations an element of the first output. */
export const elementwiseCost =
  (operationsEach: number) =>
  (inputs: readonly (TensorSpec | null)[], outputs: readonly TensorSpec[]): Cost => ({
    operations: operationsEach * elementCount(outputs[0]!.shape),
    bytes: bytesOf(inputs, outputs),
  });

/** So many operations an element of the first input: reductions. */
export const reductionCost =
  (operationsEach: number) =>
  (inputs: readonly (TensorSpec | null)[], outputs: readonly TensorSpec[]): Cost => ({
    operations: operationsEach * elementCount(inputs[0]!.shape),
    bytes: bytesOf(inputs, outputs),
  });

/** Moves of data: no arithmetic; only the outputs' bytes are read and written. */
export const moveCost = (_inputs: readonly (TensorSpec | null)[], outputs: readonly TensorSpec[]): Cost => ({
  operations: 0,
  bytes: 2 * bytesOf([], outputs),
});

/** What finds mistakes at the ends of the number range. */
export const specialValues = [0, -0, 1, -1, 1e-30, -1e30, 88, -104, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 3.5, -2.25];

type SampleOptions = {
  readonly fill?: "normal" | "positive";
  readonly params?: Params;
  /** Without infinities: a derivative's limit there depends on how it is written. */
  readonly finite?: boolean;
};

/** Shapes that find the usual mistakes: a remainder behind whole vectors, one element, none, mixed activation types, NaN and infinities. */
export function elementwiseSamples(operands: number, options: SampleOptions = {}): Samples {
  const fill = { draw: options.fill ?? "normal" } as const;
  const of = (label: string, types: readonly DType[], shape: readonly number[], more: Partial<Sample> = {}): Sample => ({
    label,
    inputs: Array.from({ length: operands }, (_, i) => ({ dtype: types[i % types.length]!, shape, fill })),
    ...(options.params === undefined ? {} : { params: options.params }),
    ...more,
  });
  const extremes = options.finite ? specialValues.filter((value) => Math.abs(value) !== Number.POSITIVE_INFINITY) : specialValues;
  const special = Array.from({ length: operands }, (_, i) => ({
    dtype: "f32" as const,
    shape: [specialValues.length],
    fill: { values: specialValues.map((_, j) => extremes[(j * (i + 1)) % extremes.length]!) },
  }));
  return [
    of("matrix with a remainder", ["f32"], [5, 37]),
    of("one element", ["f32"], [1]),
    of("rank 4", ["f32"], [2, 3, 1, 5]),
    of("empty", ["f32"], [0, 8]),
    of("bf16", ["bf16"], [3, 65]),
    ...(operands > 1
      ? [of("bf16 beside f32", ["bf16", "f32"], [2, 19]), of("f32 beside bf16", ["f32", "bf16"], [2, 19])]
      : [of("f32 to bf16", ["f32"], [33], { as: "bf16" })]),
    of("several chunks", ["f32"], [2, 9001], { checkGradient: false }),
    { ...of("NaN, infinities, extremes", ["f32"], [1]), inputs: special, checkGradient: false },
  ];
}

type Unary = {
  readonly f: (x: number) => number;
  /** The gradient from upstream dy, input x and output y. */
  readonly gradient: (context: { readonly dy: Value; readonly x: Value; readonly y: Value; readonly apply: Apply }) => Value;
  readonly operations: number;
  readonly fill?: "positive";
};
type Apply = (op: string, inputs: readonly Value[], params?: Params) => Value;

/** The form of y = f(x), element by element. Gradients take the type of x. */
export const unary = (op: string, { f, gradient, operations, fill }: Unary): OpForm =>
  defineOp({
    inputs: [activation("x")],
    outputs: ["y"],
    infer: sameAs(op, 0),
    gradient: ({ inputs: [x], outputs: [y], upstream: [dy], apply }) => [
      gradient({ dy: dy!, x: x!, y: y!, apply: (name, inputs, params) => apply(name, inputs, params, { as: x!.spec.dtype }) }),
    ],
    reference: ([x]) => [x!.values.map(f)],
    cost: elementwiseCost(operations),
    samples: elementwiseSamples(1, fill === undefined ? {} : { fill }),
    mayOverwrite: [0],
  });

/** The form of dx = dy · f'(x), element by element. */
export const unaryBackward = (op: string, derivative: (x: number) => number, operations: number): OpForm =>
  defineOp({
    inputs: [activation("dy"), activation("x")],
    outputs: ["dx"],
    infer: sameAs(op, 0),
    gradient: noSecondGradient,
    reference: ([dy, x]) => [dy!.values.map((d, i) => d * derivative(x!.values[i]!))],
    cost: elementwiseCost(operations),
    samples: elementwiseSamples(2, { finite: true }),
    mayOverwrite: [0, 1],
  });

/** Parameters that carry a shape, for operators whose result's shape no operand gives. */
export const shapeParams = { rank: null, d0: 1, d1: 1, d2: 1, d3: 1 } as const;
export function shapeOf(op: string, params: Params): readonly number[] {
  const sizes = [params["d0"]!, params["d1"]!, params["d2"]!, params["d3"]!];
  const rank = params["rank"]!;
  const bad = !Number.isInteger(rank) || rank < 0 || rank > 4 || sizes.some((size) => !Number.isSafeInteger(size) || size < 0);
  if (bad)
    throw new StarboxError("tensor_invalid", `${op}: expected a rank of 0 to 4 and whole sizes, got rank ${rank}, sizes [${sizes.join(", ")}].`);
  return sizes.slice(0, rank);
}
export const paramsOfShape = (shape: readonly number[]): Params => ({
  rank: shape.length,
  ...Object.fromEntries(shape.map((size, i) => [`d${i}`, size])),
});

/** Throws tensor_invalid unless `start` and `count` are whole and lie inside `size`. */
export function expectRange(op: string, what: string, start: number, count: number, size: number): void {
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(count) || start < 0 || count < 0 || start + count > size)
    throw new StarboxError("tensor_invalid", `${op}: expected ${what} inside 0 to ${size}, got ${count} from ${start}.`);
}

/** What may be copied: everything but packed weights, whose bytes only their device knows. */
export const floatTypes = [...activationTypes, "f16"] as const;
