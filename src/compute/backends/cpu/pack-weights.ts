/** @file Pass: products read a rearranged copy of a weight where the machine has one. Only weights that no operator changes; quantised ones only where int8 activations are allowed. */
import { type DType, dtypes, type PackedForm, type TensorSpec } from "../../dtype.ts";
import type { Node, Program, ValueInfo } from "../../graph/program.ts";
import { storageRoots } from "../../graph/storage.ts";
import { type OpName, ops } from "../../ops/index.ts";

/** Where products take their weight, and which form of it they read. */
const weightOperand: Partial<Record<OpName, { readonly index: number; readonly form: PackedForm }>> = {
  linear: { index: 1, form: "y" },
  loraLinear: { index: 1, form: "y" },
  linearCrossEntropy: { index: 1, form: "y" },
  linearDx: { index: 1, form: "dx" },
  loraLinearDx: { index: 1, form: "dx" },
};

export type PackedUse = { readonly id: number; readonly from: ValueInfo; readonly spec: TensorSpec };

/** Values, by the one whose memory they are, that some operator of the program changes in place. */
export function changedParameters(program: Program): ReadonlySet<number> {
  const roots = storageRoots(program);
  const inPlace = program.nodes.flatMap((node) => Object.values(ops[node.op].inPlace ?? {}).map((input) => roots.get(node.inputs[input] ?? -1)));
  return new Set(inPlace.filter((id) => id !== undefined));
}

/** Bytes of the packed form, or 0 where the machine has none for this type and shape. */
export type PackedSize = (form: PackedForm, type: DType, n: number, k: number) => number;

export function packWeights(
  program: Program,
  sizeOf: PackedSize,
  int8: boolean,
): { readonly program: Program; readonly packed: readonly PackedUse[] } {
  const changed = changedParameters(program);
  const values = new Map(program.values);
  const packed = new Map<string, PackedUse>();
  let nextId = Math.max(-1, ...program.values.keys()) + 1;

  const packedFor = (info: ValueInfo, form: PackedForm): PackedUse | null => {
    const [n = 0, k = 0] = info.spec.shape;
    const bytes = sizeOf(form, info.spec.dtype, n, k);
    if (bytes <= 0) return null;
    const key = `${info.id} ${form}`;
    const known = packed.get(key);
    if (known !== undefined) return known;
    const spec: TensorSpec = { dtype: "packed", shape: info.spec.shape, packed: { from: info.spec.dtype, form, bytes } };
    const use: PackedUse = { id: nextId++, from: info, spec };
    values.set(use.id, { id: use.id, kind: "parameter", spec, name: `${info.name}#${form}` });
    packed.set(key, use);
    return use;
  };
  const nodes = program.nodes.map((node): Node => {
    const where = weightOperand[node.op];
    const id = where === undefined ? null : node.inputs[where.index];
    const info = id == null ? undefined : program.values.get(id);
    const fits = info !== undefined && info.kind === "parameter" && (int8 || dtypes[info.spec.dtype].kind === "float") && !changed.has(info.id);
    const use = fits ? packedFor(info, where!.form) : null;
    return use === null ? node : { ...node, inputs: node.inputs.map((old, i) => (i === where!.index ? use.id : old)) };
  });
  return { program: { ...program, values, nodes }, packed: [...packed.values()] };
}
