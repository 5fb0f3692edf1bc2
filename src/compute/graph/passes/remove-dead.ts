/** @file Drops nodes whose results nobody reads, unless they change a parameter or an input in place. */
import { ops } from "../../ops/index.ts";
import type { Node, Program } from "../program.ts";
import { storageRoots } from "../storage.ts";

export function removeDead(program: Program): Program {
  const roots = storageRoots(program);
  const read = new Set(program.outputs.values());
  const lasting = (node: Node): boolean =>
    Object.values(ops[node.op].inPlace ?? {}).some((input) => {
      const id = node.inputs[input];
      return id !== null && id !== undefined && program.values.get(roots.get(id)!)!.kind !== "result";
    });
  const nodes: Node[] = [];
  for (const node of program.nodes.toReversed()) {
    if (!lasting(node) && !node.outputs.some((id) => read.has(id))) continue;
    for (const id of node.inputs) if (id !== null) read.add(id);
    nodes.push(node);
  }
  nodes.reverse();
  const made = new Set(nodes.flatMap(({ outputs }) => outputs));
  const values = new Map([...program.values].filter(([id, { kind }]) => kind !== "result" || made.has(id)));
  return { ...program, values, nodes };
}
