/** @file A program of one operator and one sample, forward or with gradients, and the numbers that go in. What every comparison of devices runs. */
import type { TensorData } from "../backends/backend.ts";
import { createRandom, sampleValues, seedOf } from "../backends/reference/sample-values.ts";
import { storeValues } from "../backends/reference/storage.ts";
import { elementCount, type TensorSpec } from "../dtype.ts";
import { Graph } from "../graph/graph.ts";
import type { Program } from "../graph/program.ts";
import type { Sample, Value } from "../op.ts";
import { type OpName, ops } from "../ops/index.ts";

export type SampleProgram = {
  readonly program: Program;
  /** By name, inputs and parameters alike. */
  readonly data: Readonly<Record<string, TensorData>>;
  readonly specs: Readonly<Record<string, TensorSpec>>;
  /** Names of what must be given as parameters: weights, and what the operator changes in place. */
  readonly parameters: readonly string[];
  /** Of a program with gradients: the operands they belong to. */
  readonly wanted: readonly string[];
};

/** Weights live on devices between runs, which may rearrange them; so do operands that an operator changes. */
function isParameter(op: OpName, index: number): boolean {
  const form = ops[op];
  return form.inputs[index]!.dtypes.includes("packed") || Object.values(form.inPlace ?? {}).includes(index);
}

type Built = { readonly graph: Graph; readonly operands: readonly (Value | null)[]; readonly results: readonly Value[] };

function buildForward(op: OpName, sample: Sample, needsGradient: (index: number) => boolean): Built {
  const graph = new Graph();
  const operands = sample.inputs.map((input, i) => {
    if (input === null) return null;
    const make = isParameter(op, i) ? graph.parameter.bind(graph) : graph.input.bind(graph);
    return make(ops[op].inputs[i]!.name, input.dtype, input.shape, { needsGradient: needsGradient(i) });
  });
  const results = graph.applyAll(op, operands, sample.params, sample.as === undefined ? {} : { as: sample.as });
  return { graph, operands, results };
}

/** Data for every operand, drawn from a seed that belongs to this operator, sample and salt. */
function drawData(op: OpName, sample: Sample, salt: string): Record<string, TensorData> {
  const random = createRandom(seedOf(`${op} ${sample.label} ${salt}`));
  const data: Record<string, TensorData> = {};
  sample.inputs.forEach((input, i) => {
    if (input !== null) data[ops[op].inputs[i]!.name] = storeValues(input, sampleValues(input, random));
  });
  return data;
}

function finish(
  op: OpName,
  sample: Sample,
  { graph, operands }: Built,
  more: { data?: Record<string, TensorData>; wanted?: string[] },
): SampleProgram {
  const program = graph.build();
  const specs = Object.fromEntries([...program.values.values()].flatMap(({ name, spec }) => (name === undefined ? [] : [[name, spec]])));
  const parameters = operands.flatMap((value, i) => (value !== null && isParameter(op, i) ? [ops[op].inputs[i]!.name] : []));
  return { program, specs, parameters, data: { ...drawData(op, sample, ""), ...more.data }, wanted: more.wanted ?? [] };
}

/** Every output of the operator, by its name after "out:". */
export function forwardProgram(op: OpName, sample: Sample): SampleProgram {
  const built = buildForward(op, sample, () => false);
  built.results.forEach((value, i) => built.graph.output(`out:${ops[op].outputs[i]}`, value));
  return finish(op, sample, built, {});
}

/** Which operands a gradient check asks for: floats of activation types that the form does not call constant. */
const wantsGradient =
  (op: OpName, sample: Sample) =>
  (index: number): boolean => {
    const input = sample.inputs[index];
    return input != null && (input.dtype === "f32" || input.dtype === "bf16") && !ops[op].inputs[index]!.constant;
  };

/** Why this sample has no gradient to check, or null. */
export function noGradientReason(op: OpName, sample: Sample): string | null {
  const { gradient } = ops[op];
  if (typeof gradient !== "function") return gradient.none;
  if (sample.checkGradient === false) return "the sample says so";
  if (!sample.inputs.some((_, i) => wantsGradient(op, sample)(i))) return "no operand is trained";
  return sample.as === "i32" || sample.as === "f16" ? "its result is not an activation" : null;
}

/** loss = Σ r · (first output) with random r, and the loss's gradient to every operand that is trained, as "gradient:<operand>". */
export function gradientProgram(op: OpName, sample: Sample): SampleProgram {
  const wants = wantsGradient(op, sample);
  const built = buildForward(op, sample, wants);
  const { graph, operands, results } = built;
  const result = results[0]!;
  const weights = graph.input("upstream", "f32", result.spec.shape);
  const loss = graph.apply("sum", [graph.apply("mul", [result, weights], {}, { as: "f32" })]);
  graph.output("loss", loss);
  const wanted = operands.flatMap((value, i) => (value !== null && wants(i) ? [{ value, name: ops[op].inputs[i]!.name }] : []));
  const gradients = graph.gradients(
    loss,
    wanted.map(({ value }) => value),
  );
  gradients.forEach((gradient, i) => {
    if (gradient === null) throw new Error(`${op}: its rule gives no gradient to "${wanted[i]!.name}", which its form does not call constant.`);
    graph.output(`gradient:${wanted[i]!.name}`, gradient);
  });
  const random = createRandom(seedOf(`${op} ${sample.label} upstream`));
  const values = Float64Array.from({ length: elementCount(result.spec.shape) }, () => 2 * random() - 1);
  return finish(op, sample, built, {
    data: { upstream: storeValues({ dtype: "f32", shape: result.spec.shape }, values) },
    wanted: wanted.map(({ name }) => name),
  });
}
