/**
 * @file Same network? A model run stage by stage on a device beside the float64 reference, both from the same rows, so that an error shows where it is made;
 * every operator by itself from the device's own operands, so that it is named; and the device's own chain from the first stage to the last.
 */
import {
  type Allowance,
  compareTensors,
  createRandom,
  type Device,
  type DeviceTensor,
  elementCount,
  loadValues,
  nodePrecision,
  type Precision,
  type Program,
  seedOf,
  storeValues,
  type TensorData,
} from "#compute";
import { modelStages } from "#nn";
import { allowedBy } from "./allowance.ts";
import type { ModelSource } from "./model.ts";
import { ReferenceStage } from "./reference-node.ts";
import { forwardOnly, type StageProgram, stageProgram } from "./stage-program.ts";
import { type Distance, distance, type LogitDistance, logitDistance } from "./statistics.ts";

export type OperatorError = {
  readonly op: string;
  readonly types: string;
  readonly shape: string;
  /** Its weight, where it has one. */
  readonly weight: string | null;
  readonly pass: "fwd" | "bwd";
  readonly precision: Precision;
  /** Times what its type and operator allow; above 1 is wrong. */
  readonly excess: number;
  readonly problem: string;
};

export type StageResult = {
  readonly stage: string;
  readonly precision: Precision;
  /** One stage alone, from the reference's rows. */
  readonly forward: Distance;
  readonly backward: Distance | null;
  /** Why there is no backward pass, where a layer should have one. */
  readonly noBackward: string | null;
  /** The device's own rows all the way from the tokens. */
  readonly chain: Distance;
  readonly limit: number;
  readonly operators: readonly OperatorError[];
  readonly ok: boolean;
  /** The first that is wrong, in words. */
  readonly problem: string;
};

export type NetworkResult = {
  readonly device: string;
  readonly ids: readonly number[];
  readonly stages: readonly StageResult[];
  readonly firstDiverging: StageResult | null;
  /** Of the last stage where that is logits: float64 against the device's chain. */
  readonly logits: LogitDistance | null;
  /** Rows of every stage: the reference's chain and the device's. */
  readonly rows: ReadonlyMap<string, { readonly expected: Float64Array; readonly got: Float64Array }>;
};

/** Of one stage: error relative to the largest value. A stage is a few operators deep, so it may leave a few times what one does. */
const stageLimits: Readonly<Record<Precision, number>> = { exact: 0, f32: 1e-4, bf16: 2 ** -6, int8: 0.04 };
const cosineLimits: Readonly<Record<Precision, number>> = { exact: 1, f32: 1 - 1e-7, bf16: 1 - 1e-3, int8: 0.99 };
const severity: readonly Precision[] = ["exact", "f32", "bf16", "int8"];

/** Gradients sum more than forward passes. */
const backwardSlack = 8;
/** Token ids that any vocabulary has; the golden values are of the same. */
export function sampleIds(vocabulary: number, count: number): Int32Array {
  return Int32Array.from({ length: count }, (_, i) => (i === 0 ? 1 : 5 + ((i * 7919) % Math.max(1, Math.min(vocabulary, 20_000) - 5))));
}

const f32 = (values: Float64Array): Float32Array => Float32Array.from(values);

export type NetworkOptions = {
  readonly ids: Int32Array;
  readonly signal: AbortSignal;
  readonly progress?: (result: StageResult, done: number, all: number) => void;
};

export async function compareNetwork(model: ModelSource, device: Device, { ids, signal, progress }: NetworkOptions): Promise<NetworkResult> {
  const stages = modelStages(model.config);
  const results: StageResult[] = [];
  const rows = new Map<string, { expected: Float64Array; got: Float64Array }>();
  let previous: { readonly expected: Float64Array; readonly got: Float64Array } | null = null;
  for (const stage of stages) {
    signal.throwIfAborted();
    const built = stageProgram(model, stage, ids.length, stage.name.startsWith("blk."));
    const compared = await compareStage(model, device, built, ids, previous);
    results.push(compared.result);
    rows.set(stage.name, compared.rows);
    previous = compared.rows;
    progress?.(compared.result, results.length, stages.length);
  }
  const last = rows.get("logits");
  return {
    device: device.name,
    ids: [...ids],
    stages: results,
    firstDiverging: results.find(({ ok }) => !ok) ?? null,
    logits: last === undefined ? null : logitDistance(last.expected, last.got, model.config.vocabulary),
    rows,
  };
}

type Chain = { readonly expected: Float64Array; readonly got: Float64Array };

/** The program without its backward pass where the device has a node of that it cannot run. */
function runnable(device: Device, built: StageProgram): { readonly program: Program; readonly noBackward: string | null } {
  const why = (program: Program): string | null => {
    for (const node of program.nodes) {
      const kernel = device.kernels[node.op];
      const reason = typeof kernel === "string" ? device.whyNot(program, node) : kernel.unsupported;
      if (reason !== null) return `${node.op}: ${reason}`;
    }
    return null;
  };
  const reason = built.backward ? why(built.program) : null;
  if (reason === null) return { program: built.program, noBackward: null };
  return { program: forwardOnly(built.program), noBackward: reason };
}

async function compareStage(
  model: ModelSource,
  device: Device,
  built: StageProgram,
  ids: Int32Array,
  previous: Chain | null,
): Promise<{ readonly result: StageResult; readonly rows: Chain }> {
  const { program, noBackward } = runnable(device, built);
  const backward = program.outputs.has("dx");
  const idOf = (name: string): number | undefined => [...program.values.values()].find((info) => info.name === name && info.kind === "input")?.id;
  const random = createRandom(seedOf(`upstream ${built.name}`));
  const dy = backward ? Float64Array.from({ length: elementCount(program.values.get(idOf("dy")!)!.spec.shape) }, () => 2 * random() - 1) : null;
  const inputs = (x: Float64Array | null): Record<string, TensorData> => ({
    ids,
    positions: ids.map((_, i) => i),
    segments: Int32Array.of(0, ids.length, -1),
    ...(x === null ? {} : { x: f32(x) }),
    ...(dy === null ? {} : { dy: f32(dy) }),
  });
  // What the device gets is rounded to f32: the reference starts from the same numbers.
  const given = previous === null ? null : Float64Array.from(f32(previous.expected));
  const runInputs = inputs(given);
  const valuesOf = (from: Record<string, TensorData>) => new Map(Object.entries(from).map(([name, data]) => [idOf(name)!, Float64Array.from(data)]));
  const reference = new ReferenceStage(model, program);
  const expected = await reference.run(valuesOf(runInputs));
  const tensors: Record<string, DeviceTensor> = {};
  try {
    for (const name of built.weights) tensors[name] = device.tensor(name, model.tensors.get(name)!, await model.read(name));
    using fused = device.compile(program, { parameters: tensors });
    const outputs = await fused.run({ inputs: runInputs });
    const chained = previous === null || samePlace(previous) ? outputs : await fused.run({ inputs: inputs(previous.got) });
    const read = new Set([...program.outputs.values(), ...program.nodes.flatMap((node) => node.inputs)]);
    const made = program.nodes.flatMap((node) => node.outputs).filter((id) => read.has(id)); // what nobody reads some devices do not give
    const open: Program = { ...program, outputs: new Map(made.map((id) => [String(id), id])) };
    using plain = device.compile(open, { parameters: tensors, optimize: false });
    const operators = await compareOperators(device, program, reference, await plain.run({ inputs: runInputs }), valuesOf(runInputs));

    const [y, dx] = [program.outputs.get("y")!, program.outputs.get("dx")];
    const numbers = (data: TensorData, id: number): Float64Array => loadValues(program.values.get(id)!.spec, data);
    const forward = distance(expected.get(y)!, numbers(outputs["y"]!, y));
    const back = dx === undefined ? null : distance(expected.get(dx)!, numbers(outputs["dx"]!, dx));
    const rows = { expected: expected.get(y)!, got: numbers(chained["y"]!, y) };
    const precision = severity[Math.max(1, ...operators.map((one) => severity.indexOf(one.precision)))]!;
    const judged = judge(built.name, precision, forward, back, operators);
    return {
      rows,
      result: { stage: built.name, precision, forward, backward: back, noBackward, chain: distance(rows.expected, rows.got), operators, ...judged },
    };
  } finally {
    for (const tensor of Object.values(tensors)) tensor[Symbol.dispose]();
  }
}

const samePlace = ({ expected, got }: Chain): boolean => f32(expected).every((v, i) => v === Math.fround(got[i]!));

/** Every node alone: the reference computes it from what the device itself made before it. */
async function compareOperators(
  device: Device,
  program: Program,
  reference: ReferenceStage,
  got: Readonly<Record<string, TensorData>>,
  inputs: ReadonlyMap<number, Float64Array>,
): Promise<OperatorError[]> {
  const y = program.outputs.get("y")!;
  const end = program.nodes.findIndex((node) => node.outputs.includes(y)) + 1;
  const given = (id: number): Float64Array => inputs.get(id) ?? loadValues(program.values.get(id)!.spec, got[String(id)]!);
  const errors: OperatorError[] = [];
  for (const [at, node] of program.nodes.entries()) {
    const results = await reference.node(node, given);
    const precision = nodePrecision(device, program, node);
    let allowances: readonly Allowance[] | null = null; // costs about as much as the operator itself: asked for only when the general limit does not hold
    let [excess, problem] = [0, ""];
    for (const [i, id] of node.outputs.entries()) {
      if (got[String(id)] === undefined) continue;
      const { spec } = program.values.get(id)!;
      const slack = at < end ? 1 : backwardSlack;
      const compare = (more?: Allowance) => compareTensors(spec, storeValues(spec, results[i]!), got[String(id)]!, precision, slack, more);
      let judged = compare();
      if (!judged.ok) {
        allowances ??= await allowedBy(reference, node, program, given, precision);
        judged = compare(allowances[i]);
      }
      if (judged.excess > excess) excess = judged.excess;
      if (!judged.ok && problem === "") problem = judged.problem;
    }
    const specs = node.inputs.flatMap((id) => (id === null ? [] : [program.values.get(id)!.spec]));
    const weight = node.inputs.flatMap((id) => (id !== null && program.values.get(id)!.kind === "parameter" ? [program.values.get(id)!.name!] : []));
    errors.push({
      op: node.op,
      types: [...new Set(specs.map(({ dtype }) => dtype))].join(" "),
      shape: specs.map(({ shape }) => `[${shape.join(", ")}]`).join(" "),
      weight: weight[0] ?? null,
      pass: at < end ? "fwd" : "bwd",
      precision,
      excess,
      problem,
    });
  }
  return errors;
}

function judge(stage: string, precision: Precision, forward: Distance, backward: Distance | null, operators: readonly OperatorError[]) {
  const limit = stageLimits[precision];
  const far = (one: Distance, slack: number): boolean => !(one.relative <= limit * slack && one.cosine >= 1 - (1 - cosineLimits[precision]) * slack);
  const say = (what: string, one: Distance): string =>
    `${stage}: ${what} differs by ${one.relative.toPrecision(3)} of the largest value (at most ${limit.toPrecision(3)}), cosine ${one.cosine.toFixed(6)}`;
  const wrong = operators.find(({ problem }) => problem !== "");
  const named =
    wrong === undefined ? "" : `${stage}: ${wrong.op}${wrong.weight === null ? "" : ` with ${wrong.weight}`} (${wrong.pass}): ${wrong.problem}`;
  const problems = [
    ...(named === "" ? [] : [named]),
    ...(far(forward, 1) ? [say("its result", forward)] : []),
    ...(backward !== null && far(backward, 4) ? [say("its gradient", backward)] : []),
  ];
  return { limit, ok: problems.length === 0, problem: problems.join("; ") };
}
