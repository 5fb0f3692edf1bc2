/** @file Reverse-mode differentiation: walks the nodes backwards and asks each operator's own gradient rule. */
import { StarboxError } from "#base";
import { elementCount, formatSpec, sameShape } from "../dtype.ts";
import type { Value } from "../op.ts";
import { ops } from "../ops/index.ts";
import type { Graph, GraphNode } from "./graph.ts";

/** Nodes through which the loss depends on one of `wrt`: nothing else is differentiated, so backward stops below the lowest of them. */
function nodesBetween(nodes: readonly GraphNode[], loss: Value, wrt: readonly Value[]): Set<GraphNode> {
  const reached = new Set(wrt.map(({ id }) => id));
  const forward = nodes.filter((node) => {
    const hit = node.inputs.some((value) => value !== null && reached.has(value.id));
    if (hit) for (const { id } of node.outputs) reached.add(id);
    return hit;
  });
  const needed = new Set([loss.id]);
  const between = new Set<GraphNode>();
  for (const node of forward.toReversed()) {
    if (!node.outputs.some(({ id }) => needed.has(id))) continue;
    between.add(node);
    for (const value of node.inputs) if (value !== null && reached.has(value.id)) needed.add(value.id);
  }
  return between;
}

export function differentiate(graph: Graph, loss: Value, wrt: readonly Value[]): readonly (Value | null)[] {
  if (elementCount(loss.spec.shape) !== 1)
    throw new StarboxError("tensor_invalid", `gradients: expected a loss of one element, got ${formatSpec(loss.spec)}.`);
  const nodes = [...graph.nodes];
  const between = nodesBetween(nodes, loss, wrt);
  const reached = new Set(wrt.map(({ id }) => id));
  for (const node of nodes) if (between.has(node)) for (const { id } of node.outputs) reached.add(id);

  const apply = graph.apply.bind(graph);
  const applyAll = graph.applyAll.bind(graph);
  const gradients = new Map<number, Value>();
  if (reached.has(loss.id)) gradients.set(loss.id, seed(graph, loss));

  for (const node of nodes.toReversed()) {
    if (!between.has(node)) continue;
    const upstream = node.outputs.map(({ id }) => gradients.get(id) ?? null);
    if (upstream.every((value) => value === null)) continue;
    const { gradient } = ops[node.op];
    if (typeof gradient !== "function") throw new StarboxError("tensor_invalid", `${node.op} has no gradient: ${gradient.none}.`);
    const wants = node.inputs.map((value) => value !== null && reached.has(value.id));
    const parts = gradient({ inputs: node.inputs, outputs: node.outputs, params: node.params, upstream, wants, apply, applyAll });
    node.inputs.forEach((value, i) => {
      const part = parts[i] ?? null;
      if (value === null || part === null || !wants[i]) return;
      if (!sameShape(part.spec.shape, value.spec.shape))
        throw new StarboxError("internal", `${node.op}: its gradient rule gives ${formatSpec(part.spec)} for ${formatSpec(value.spec)}.`);
      const earlier = gradients.get(value.id);
      gradients.set(value.id, earlier === undefined ? part : apply("add", [earlier, part]));
    });
  }
  return wrt.map(({ id }) => gradients.get(id) ?? null);
}

function seed(graph: Graph, loss: Value): Value {
  const [d0 = 1, d1 = 1, d2 = 1, d3 = 1] = loss.spec.shape;
  return graph.apply("fill", [], { value: 1, rank: loss.spec.shape.length, d0, d1, d2, d3 }, { as: loss.spec.dtype });
}
