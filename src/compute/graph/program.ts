/** @file A program: values and the nodes that make them, in an order that runs. What passes take and give; knows no device. */
import type { TensorSpec } from "../dtype.ts";
import type { Params } from "../op.ts";
import type { OpName } from "../ops/index.ts";

/** `input`: given at every run. `parameter`: lives on the device between runs. `result`: made by a node. */
export type ValueKind = "input" | "parameter" | "result";
export type ValueInfo = { readonly id: number; readonly kind: ValueKind; readonly spec: TensorSpec; readonly name?: string };

export type Node = {
  readonly op: OpName;
  readonly inputs: readonly (number | null)[];
  readonly outputs: readonly number[];
  readonly params: Params;
};

export type Program = {
  readonly values: ReadonlyMap<number, ValueInfo>;
  readonly nodes: readonly Node[];
  /** Name -> value that the caller reads after a run. */
  readonly outputs: ReadonlyMap<string, number>;
};

export type Pass = readonly [name: string, run: (program: Program) => Program];

/** Runs named passes one after another; `watch` sees the program after each. */
export function runPasses(program: Program, passes: readonly Pass[], watch?: (name: string, after: Program) => void): Program {
  return passes.reduce((before, [name, run]) => {
    const after = run(before);
    watch?.(name, after);
    return after;
  }, program);
}

/** Value -> how often nodes and outputs read it. */
export function countUses(program: Program): Map<number, number> {
  const uses = new Map<number, number>();
  const count = (id: number | null): void => {
    if (id !== null) uses.set(id, (uses.get(id) ?? 0) + 1);
  };
  for (const node of program.nodes) node.inputs.forEach(count);
  for (const id of program.outputs.values()) count(id);
  return uses;
}
