/** @file The form every operator fills in: operands, shape rule, gradient, reference, cost, samples. Knows no device and no graph. */
import { StarboxError } from "#base";
import { type DType, formatSpec, type TensorSpec } from "./dtype.ts";

/** A tensor's values for the reference: floats in float64 (quantised ones dequantised), whole numbers as they are. */
export type ReferenceTensor = TensorSpec & {
  readonly values: Float64Array;
  /** The blocks themselves, of quantised types only. */
  readonly bytes?: Uint8Array;
};

/** Numbers only: they cross to native code in the order the operator lists them. */
export type Params = Readonly<Record<string, number>>;

export type OperandRule = {
  readonly name: string;
  readonly dtypes: readonly DType[];
  readonly optional?: boolean;
  /** Never gets a gradient though its type could have one (a table of scales, a mask). Integers never do. */
  readonly constant?: boolean;
};

/** A value of the graph under construction, as far as a gradient rule may see it. */
export type Value = { readonly id: number; readonly spec: TensorSpec; readonly needsGradient: boolean };

export type GradientContext = {
  readonly inputs: readonly (Value | null)[];
  readonly outputs: readonly Value[];
  readonly params: Params;
  /** Gradient of the loss to each output; null where nothing downstream needs it. */
  readonly upstream: readonly (Value | null)[];
  /** Which inputs' gradients are wanted: a rule should not compute others. */
  readonly wants: readonly boolean[];
  /** Applies another operator by name; answers its first output. */
  readonly apply: (op: string, inputs: readonly (Value | null)[], params?: Params, options?: ApplyOptions) => Value;
  /** The same, answering all outputs. */
  readonly applyAll: (op: string, inputs: readonly (Value | null)[], params?: Params, options?: ApplyOptions) => readonly Value[];
};

export type ApplyOptions = {
  /** Element type of the first output, where it may be chosen. */
  readonly as?: DType;
};

export type Cost = {
  /** Arithmetic operations, a multiply-add counting 2. */
  readonly operations: number;
  /** Bytes read plus bytes written, each operand once. */
  readonly bytes: number;
};

/** How a sample's operand is filled; drawn from the sample's own seed. */
export type SampleValues =
  | { readonly draw: "normal" | "uniform" | "positive"; readonly scale?: number }
  | { readonly draw: "integers"; readonly from: number; readonly below: number }
  | { readonly values: readonly number[] };
export type SampleInput = { readonly dtype: DType; readonly shape: readonly number[]; readonly fill?: SampleValues };

export type Sample = {
  readonly label: string;
  readonly inputs: readonly (SampleInput | null)[];
  readonly params?: Params;
  readonly as?: DType;
  /** False where finite differences make no sense (kinks, ties, integer results). Default: the operator has a gradient and all floats are f32. */
  readonly checkGradient?: boolean;
};
export type Samples = readonly [Sample, ...Sample[]];

export type OpForm = {
  readonly inputs: readonly OperandRule[];
  readonly outputs: readonly string[];
  /** Parameters in the order native code gets them, with defaults; null: required. */
  readonly params?: Readonly<Record<string, number | null>>;
  /** Specs of the outputs. Operand presence and types are already checked; throws tensor_invalid for shapes that do not fit. */
  readonly infer: (inputs: readonly (TensorSpec | null)[], params: Params, as: DType | undefined) => readonly TensorSpec[];
  /** One gradient an input (null: none flows there), or the reason there is no gradient at all. */
  readonly gradient: ((context: GradientContext) => readonly (Value | null)[]) | { readonly none: string };
  /** Plain float64 loops, obviously right. Outputs are not rounded. A second result per output may be missing only for copies of inputs. */
  readonly reference: (inputs: readonly (ReferenceTensor | null)[], params: Params, outputs: readonly TensorSpec[]) => readonly Float64Array[];
  /**
   * What rounding may grow to where that is more than the result's own size shows: of every element of every output, how far it moves when each inner sum is off
   * by one part of the sum of its terms' magnitudes (its absolute condition number). Left out where results are sums of their operands themselves.
   */
  readonly conditioning?: (inputs: readonly (ReferenceTensor | null)[], params: Params) => readonly Float64Array[];
  readonly cost: (inputs: readonly (TensorSpec | null)[], outputs: readonly TensorSpec[], params: Params) => Cost;
  readonly samples: Samples;
  /** Output index -> input index whose memory it *is*: the operator changes that input. */
  readonly inPlace?: Readonly<Record<number, number>>;
  /** Output 0 is input 0 seen with another shape: no kernel runs. */
  readonly view?: true;
  /** Output 0 may lie in the memory of one of these inputs when its type and size fit (elementwise work). */
  readonly mayOverwrite?: readonly number[];
};

/** Identity that types a form and refuses one that cannot be tested. */
export function defineOp(form: OpForm): OpForm {
  return form;
}

export const invalidOperands = (op: string, expected: string, got: readonly (TensorSpec | null)[]): StarboxError =>
  new StarboxError(
    "tensor_invalid",
    `${op}: expected ${expected}, got ${got.map((spec) => (spec === null ? "nothing" : formatSpec(spec))).join(", ")}.`,
  );

/** Fills defaults, refuses unknown, missing and non-number parameters. */
export function completeParams(op: string, form: OpForm, given: Params = {}): Params {
  const known = form.params ?? {};
  for (const name of Object.keys(given)) if (!(name in known)) throw new StarboxError("tensor_invalid", `${op}: there is no parameter "${name}".`);
  const complete: Record<string, number> = {};
  for (const [name, fallback] of Object.entries(known)) {
    const value = given[name] ?? fallback;
    if (value === null || Number.isNaN(value))
      throw new StarboxError("tensor_invalid", `${op}: the parameter "${name}" is needed and must be a number.`);
    complete[name] = value;
  }
  return complete;
}

/** Refuses a wrong number of operands, missing ones and wrong element types. */
export function checkOperands(op: string, form: OpForm, inputs: readonly (TensorSpec | null)[]): void {
  if (inputs.length > form.inputs.length) throw invalidOperands(op, `at most ${form.inputs.length} operands`, inputs);
  form.inputs.forEach((rule, i) => {
    const spec = inputs[i] ?? null;
    if (spec === null && !rule.optional) throw invalidOperands(op, `an operand "${rule.name}"`, inputs);
    if (spec !== null && !rule.dtypes.includes(spec.dtype)) throw invalidOperands(op, `"${rule.name}" of type ${rule.dtypes.join(" or ")}`, inputs);
  });
}
