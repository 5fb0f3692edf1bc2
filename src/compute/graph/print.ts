/** @file A program as text: one line a node. The same for snapshots, STARBOX_DEBUG=3 and error messages. */
import { formatSpec } from "../dtype.ts";
import type { Node, Program } from "./program.ts";

export function valueName(program: Program, id: number): string {
  return program.values.get(id)?.name ?? `%${id}`;
}

export function printNode(program: Program, { op, inputs, outputs, params }: Node): string {
  const results = outputs.map((id) => `${valueName(program, id)}: ${formatSpec(program.values.get(id)!.spec)}`).join(", ");
  const operands = inputs.map((id) => (id === null ? "-" : valueName(program, id)));
  while (operands.at(-1) === "-") operands.pop();
  const settings = Object.entries(params).map(([name, value]) => `${name}=${value}`);
  return `${results} = ${op}(${[...operands, ...settings].join(", ")})`;
}

export function printProgram(program: Program): string {
  const given = [...program.values.values()]
    .filter(({ kind }) => kind !== "result")
    .map(({ name, kind, spec }) => `${name}: ${formatSpec(spec)} = ${kind}()`);
  const results = [...program.outputs].map(([name, id]) => `output ${name} = ${valueName(program, id)}`);
  return [...given, ...program.nodes.map((node) => printNode(program, node)), ...results].join("\n");
}
