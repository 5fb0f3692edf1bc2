/** @file Says whether a program is sound: run between passes in tests, and once before a device takes it. */
import { StarboxError } from "#base";
import { ops } from "../ops/index.ts";
import { printNode } from "./print.ts";
import type { Program } from "./program.ts";
import { storageRoots } from "./storage.ts";

/** Throws `internal` when a value is read before it is made, made twice, missing, or read after an operator changed its memory in place. */
export function checkProgram(program: Program): void {
  const ready = new Set([...program.values.values()].filter(({ kind }) => kind !== "result").map(({ id }) => id));
  const roots = storageRoots(program);
  /** Storage -> the value that now lies in it. */
  const current = new Map<number, Set<number>>();
  const stale = new Set<number>();
  const refuse = (why: string, at: number): never => {
    const node = program.nodes[at];
    throw new StarboxError("internal", `program: ${why}${node === undefined ? "" : ` at ${printNode(program, node)}`}.`);
  };
  const read = (id: number, at: number): void => {
    if (!program.values.has(id)) refuse(`value ${id} does not exist`, at);
    if (!ready.has(id)) refuse(`value ${id} is read before it is made`, at);
    if (stale.has(id)) refuse(`value ${id} is read after it was changed in place`, at);
    const root = roots.get(id)!;
    current.set(root, (current.get(root) ?? new Set()).add(id));
  };
  program.nodes.forEach((node, at) => {
    for (const id of node.inputs) if (id !== null) read(id, at);
    for (const [output, input] of Object.entries(ops[node.op].inPlace ?? {})) {
      const target = node.inputs[input];
      if (target === null || target === undefined || node.outputs[Number(output)] === undefined) continue;
      for (const id of current.get(roots.get(target)!) ?? []) stale.add(id);
    }
    for (const id of node.outputs) {
      if (ready.has(id)) refuse(`value ${id} is made twice`, at);
      ready.add(id);
      const root = roots.get(id)!;
      current.set(root, (current.get(root) ?? new Set()).add(id));
    }
  });
  for (const id of program.outputs.values()) read(id, program.nodes.length);
}
