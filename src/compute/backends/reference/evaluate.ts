/** @file Runs a program by the operators' own references. With `round`, results are stored in their types as devices do; without, all is float64, which finite differences need. */

import type { Program } from "../../graph/program.ts";
import { storageRoots } from "../../graph/storage.ts";
import type { ReferenceTensor } from "../../op.ts";
import { type OpName, ops } from "../../ops/index.ts";
import type { TensorData } from "../backend.ts";
import { loadValues, storeValues } from "./storage.ts";

export type Evaluated = { readonly values: ReadonlyMap<number, Float64Array>; readonly data: ReadonlyMap<number, TensorData> };
type Hooks = { readonly round: boolean; readonly beforeNode?: (index: number) => void };

/** `given`: float64 values of inputs and parameters by id. Answers every value of the program. */
export function evaluate(program: Program, given: ReadonlyMap<number, Float64Array>, { round, beforeNode }: Hooks): Evaluated {
  const values = new Map(given);
  const data = new Map<number, TensorData>();
  program.nodes.forEach((node, index) => {
    beforeNode?.(index);
    const tensor = (id: number | null): ReferenceTensor | null => (id === null ? null : { ...program.values.get(id)!.spec, values: values.get(id)! });
    const specs = node.outputs.map((id) => program.values.get(id)!.spec);
    const results = ops[node.op as OpName].reference(node.inputs.map(tensor), node.params, specs);
    node.outputs.forEach((id, i) => {
      if (!round) return void values.set(id, results[i]!);
      const stored = storeValues(specs[i]!, results[i]!);
      data.set(id, stored);
      values.set(id, loadValues(specs[i]!, stored));
    });
  });
  return { values, data };
}

/** Parameters that operators changed in place: root value -> the value that now lies in its memory. */
export function changedInPlace(program: Program): ReadonlyMap<number, number> {
  const roots = storageRoots(program);
  const last = new Map<number, number>();
  for (const node of program.nodes)
    for (const output of Object.keys(ops[node.op].inPlace ?? {})) {
      const id = node.outputs[Number(output)];
      if (id !== undefined) last.set(roots.get(id)!, id);
    }
  return last;
}
