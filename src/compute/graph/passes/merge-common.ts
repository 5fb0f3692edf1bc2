/** @file Computes the same thing once: nodes with equal operator, operands, parameters and result types become one. */
import { ops } from "../../ops/index.ts";
import type { Node, Program } from "../program.ts";
import { storageRoots } from "../storage.ts";

export function mergeCommon(program: Program): Program {
  const roots = storageRoots(program);
  /** Storage that some operator changes in place: what is read from it depends on when. */
  const changing = new Set(
    program.nodes.flatMap((node) =>
      Object.values(ops[node.op].inPlace ?? {}).flatMap((input) => (node.inputs[input] == null ? [] : [roots.get(node.inputs[input]!)!])),
    ),
  );
  const renamed = new Map<number, number>();
  const name = (id: number): number => renamed.get(id) ?? id;
  const seen = new Map<string, Node>();
  const nodes: Node[] = [];
  for (const original of program.nodes) {
    const node: Node = { ...original, inputs: original.inputs.map((id) => (id === null ? null : name(id))) };
    const touchesChanging = [...node.inputs, ...node.outputs].some((id) => id !== null && changing.has(roots.get(id)!));
    const types = node.outputs.map((id) => program.values.get(id)!.spec.dtype);
    const key = JSON.stringify([node.op, node.inputs, Object.entries(node.params), types]);
    const twin = touchesChanging ? undefined : seen.get(key);
    if (twin === undefined) {
      if (!touchesChanging) seen.set(key, node);
      nodes.push(node);
    } else {
      node.outputs.forEach((id, i) => {
        renamed.set(id, twin.outputs[i]!);
      });
    }
  }
  const values = new Map([...program.values].filter(([id]) => !renamed.has(id)));
  const outputs = new Map([...program.outputs].map(([key, id]) => [key, name(id)]));
  return { values, nodes, outputs };
}
