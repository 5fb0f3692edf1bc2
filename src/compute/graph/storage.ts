/** @file Which values are the same memory: views, and results of operators that work in place. */
import { ops } from "../ops/index.ts";
import type { Program } from "./program.ts";

/** Value -> the value whose memory it is (itself when it has its own). */
export function storageRoots(program: Program): Map<number, number> {
  const roots = new Map<number, number>();
  for (const id of program.values.keys()) roots.set(id, id);
  for (const node of program.nodes) {
    const { inPlace = {}, view } = ops[node.op];
    const aliases = view ? [[0, 0]] : Object.entries(inPlace).map(([output, input]) => [Number(output), input]);
    for (const [output, input] of aliases) {
      const from = node.inputs[input!];
      const to = node.outputs[output!];
      if (from !== null && from !== undefined && to !== undefined) roots.set(to, roots.get(from)!);
    }
  }
  return roots;
}
