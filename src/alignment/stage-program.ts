/** @file One stage of a model as a program, forward and backward. No weights are needed to build them. */
import { Graph, type Program, type Value } from "#compute";
import type { Stage } from "#nn";
import type { ModelSource } from "./model.ts";

export type StageProgram = {
  readonly name: string;
  /** Outputs "y", and "dx" where the stage has a backward pass. */
  readonly program: Program;
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
  return {
    name: stage.name,
    program,
    weights: [...used.keys()],
    backward: program.outputs.has("dx"),
  };
}

/** Without the backward pass: what it alone needed (a log-sum-exp, an upstream gradient) is not asked for either. */
export function forwardOnly(program: Program): Program {
  const y = program.outputs.get("y")!;
  const nodes = program.nodes.slice(0, program.nodes.findIndex((node) => node.outputs.includes(y)) + 1);
  const made = new Set(nodes.flatMap(({ outputs }) => outputs));
  const values = new Map([...program.values].filter(([id, { kind, name }]) => (kind === "result" ? made.has(id) : name !== "dy")));
  return { values, nodes, outputs: new Map([["y", y]]) };
}
