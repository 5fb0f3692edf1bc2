/** @file One stage of a model as programs: for a device to run fused, and with every operator's result as an output. No weights are needed to build them. */
import { Graph, type Program, type Value } from "#compute";
import type { Stage } from "#nn";
import type { ModelSource } from "./model.ts";

export type StageProgram = {
  readonly name: string;
  /** Outputs "y", and "dx" where the stage has a backward pass. */
  readonly program: Program;
  /** The same nodes; every value that a node makes is an output, named by its id. */
  readonly everyValue: Program;
  /** Weights it reads. */
  readonly weights: readonly string[];
  readonly backward: boolean;
};

/** `dy` is the gradient of some loss to y: the stage's backward pass starts from it. */
export function stageProgram(model: Pick<ModelSource, "config" | "tensors">, stage: Stage, tokens: number, backward: boolean): StageProgram {
  const graph = new Graph();
  const used = new Map<string, Value>();
  const weights = (name: string): Value | null => {
    const spec = model.tensors.get(name);
    if (spec === undefined) return null;
    const known = used.get(name) ?? graph.parameter(name, spec.dtype, spec.shape);
    used.set(name, known);
    return known;
  };
  const first = stage.name === "embedding";
  const x = first ? null : graph.input("x", "f32", [tokens, model.config.width], { needsGradient: backward });
  const packed = {
    ids: graph.input("ids", "i32", [tokens]),
    positions: graph.input("positions", "i32", [tokens]),
    segments: graph.input("segments", "i32", [1, 3]),
  };
  const y = stage.build(graph, weights, packed, x);
  graph.output("y", y);
  if (backward && x !== null) {
    const dy = graph.input("dy", "f32", y.spec.shape);
    const [dx] = graph.gradients(graph.apply("sum", [graph.apply("mul", [y, dy])]), [x]);
    if (dx != null) graph.output("dx", dx);
  }
  const program = graph.build();
  const made = program.nodes.flatMap((node) => node.outputs);
  return {
    name: stage.name,
    program,
    everyValue: { ...program, outputs: new Map(made.map((id) => [String(id), id])) },
    weights: [...used.keys()],
    backward: program.outputs.has("dx"),
  };
}
