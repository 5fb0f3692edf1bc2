/** @file The programs of training for one shape: loss of a micro-batch, its gradients, the update. T: rows · S: learned rows · N: segments. */
import { type ActivationType, Graph, type Program, type TensorSpec, type Value } from "#compute";
import { buildDecoder, type DecoderConfig, headWeight } from "#nn";
import { type Adapter, loraProjection } from "./lora.ts";

export type Shape = { readonly tokens: number; readonly learned: number; readonly segments: number };

export type StepOptions = {
  readonly config: DecoderConfig;
  /** As they lie on the device. */
  readonly tensors: ReadonlyMap<string, TensorSpec>;
  readonly adapters: readonly Adapter[];
  readonly rank: number;
  readonly scale: number;
  readonly activations: ActivationType;
  readonly dropout: number;
  readonly clip: number;
  readonly weightDecay: number;
};

type Part = { readonly name: string; readonly part: "a" | "b"; readonly value: Value };

function weightsOf(graph: Graph, tensors: ReadonlyMap<string, TensorSpec>): (name: string) => Value | null {
  const used = new Map<string, Value>();
  return (name) => {
    const spec = tensors.get(name);
    if (spec === undefined) return null;
    const value = used.get(name) ?? graph.parameter(name, spec.dtype, spec.shape);
    used.set(name, value);
    return value;
  };
}

/** What the head multiplies, [S, D], and the adapters' values. Inputs: ids, positions, segments, rows (and seed where there is dropout). */
function buildHidden(graph: Graph, { tokens, learned, segments }: Shape, options: StepOptions, training: boolean) {
  const { config, tensors, adapters, rank, scale, activations: as, dropout } = options;
  const weights = weightsOf(graph, tensors);
  const packed = {
    ids: graph.input("ids", "i32", [tokens]),
    positions: graph.input("positions", "i32", [tokens]),
    segments: graph.input("segments", "i32", [segments, 3]),
  };
  const drop = training && dropout > 0 ? { dropout: { rate: dropout, seed: graph.input("seed", "i32", [1]) } } : {};
  const { project, parts } = loraProjection(graph, weights, { adapters, rank, scale, as, ...drop });
  const rows = graph.input("rows", "i32", [learned]);
  const hidden = buildDecoder(graph, config, weights, packed, { activations: as, project, rows }); // [S, D]
  return { hidden, head: headWeight(weights), parts };
}

/** Σ weight · nll of the learned rows. More inputs: targets, weights. */
function buildLoss(graph: Graph, shape: Shape, options: StepOptions, training: boolean): { loss: Value; nll: Value; parts: readonly Part[] } {
  const { learned } = shape;
  const { hidden, head, parts } = buildHidden(graph, shape, options, training);
  const operands = [hidden, head, graph.input("targets", "i32", [learned])];
  const nll = graph.apply("linearCrossEntropy", operands, { withDx: training ? 1 : 0 }); // [S]
  const loss = graph.apply("sum", [graph.apply("mul", [nll, graph.input("weights", "f32", [learned])])]);
  return { loss, nll, parts };
}

/** Clips and applies AdamW. Inputs rateA, rateB: learning rate and step, [2]. Output "norm": (factor, norm before clipping). */
function applyUpdate(graph: Graph, parts: readonly Part[], gradients: readonly Value[], { clip, weightDecay }: StepOptions): void {
  const squares = gradients.map((gradient) => graph.apply("sumSquares", [gradient]));
  const norm = graph.apply("clipScale", [squares.reduce((sum, value) => graph.apply("add", [sum, value]))], { maxNorm: clip }); // [2]
  const factor = graph.apply("sliceRows", [norm], { start: 0, count: 1 });
  const hyper = { a: graph.input("rateA", "f32", [2]), b: graph.input("rateB", "f32", [2]) };
  const full = { a: graph.apply("concatRows", [hyper.a, factor]), b: graph.apply("concatRows", [hyper.b, factor]) };
  parts.forEach(({ name, part, value }, i) => {
    const moments = ["m", "v"].map((moment) => graph.parameter(`${name}.${moment}`, "f32", value.spec.shape));
    graph.apply("adamw", [value, gradients[i]!, ...moments, full[part]], { weightDecay });
  });
  graph.output("norm", norm);
}

/** Loss alone, without dropout: validation. Outputs loss, nll [S]. */
export function lossProgram(shape: Shape, options: StepOptions): Program {
  const graph = new Graph();
  const { loss, nll } = buildLoss(graph, shape, options, false);
  graph.output("loss", loss);
  graph.output("nll", nll);
  return graph.build();
}

/** Logits of the learned rows, [S, V]. */
export function logitsProgram(shape: Shape, options: StepOptions): Program {
  const graph = new Graph();
  const { hidden, head } = buildHidden(graph, shape, options, false);
  graph.output("logits", graph.apply("linear", [hidden, head, null, null], {}, { as: "f32" }));
  return graph.build();
}

/** Gradients of a micro-batch as outputs "g.NAME". */
export function gradientProgram(shape: Shape, options: StepOptions): Program {
  const graph = new Graph();
  const { loss, parts } = buildLoss(graph, shape, options, true);
  const gradients = graph.gradients(
    loss,
    parts.map(({ value }) => value),
  );
  graph.output("loss", loss);
  parts.forEach(({ name }, i) => {
    graph.output(`g.${name}`, gradients[i]!);
  });
  return graph.build();
}

/** The whole step of a batch that is one micro-batch. */
export function fusedProgram(shape: Shape, options: StepOptions): Program {
  const graph = new Graph();
  const { loss, parts } = buildLoss(graph, shape, options, true);
  const gradients = graph.gradients(
    loss,
    parts.map(({ value }) => value),
  );
  applyUpdate(
    graph,
    parts,
    gradients.map((gradient) => gradient!),
    options,
  );
  graph.output("loss", loss);
  return graph.build();
}

/** The update from gradients given as inputs "g.NAME", summed over micro-batches. */
export function updateProgram(options: StepOptions): Program {
  const graph = new Graph();
  const parts = options.adapters.flatMap((adapter) =>
    (["a", "b"] as const).map((part) => {
      const name = `${adapter.weight}.lora_${part}`;
      const shape = part === "a" ? [1, options.rank, adapter.inputs] : [1, adapter.outputs, options.rank];
      return { name, part, value: graph.parameter(name, "f32", shape) };
    }),
  );
  const gradients = parts.map(({ name, value }) => graph.input(`g.${name}`, "f32", value.spec.shape));
  applyUpdate(graph, parts, gradients, options);
  return graph.build();
}
