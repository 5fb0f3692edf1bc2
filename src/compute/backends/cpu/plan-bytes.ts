/** @file A program as the bytes of sb_tensor and sb_node (native/include/starbox_ops.h), little-endian, 64-bit. */
import { dtypes, type TensorSpec } from "../../dtype.ts";
import type { Node } from "../../graph/program.ts";
import { ops } from "../../ops/index.ts";

export const maxOperands = 12;
const tensorBytes = 64;
const nodeBytes = 120;

/** Kernels get every output of the form: those that this node leaves out as null. */
export const paddedOutputs = (node: Node): readonly (number | null)[] => ops[node.op].outputs.map((_, i) => node.outputs[i] ?? null);

export type PlanTensor = { readonly spec: TensorSpec; readonly buffer: number; readonly offset: number };
export type PlanNode = {
  readonly kernel: number;
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly params: readonly number[];
};

/** type, rank, shape[4], buffer, source_type, offset, data. */
export function tensorsBytes(tensors: readonly PlanTensor[]): Uint8Array {
  const bytes = new Uint8Array(tensors.length * tensorBytes);
  const view = new DataView(bytes.buffer);
  tensors.forEach(({ spec, buffer, offset }, i) => {
    const at = i * tensorBytes;
    view.setInt32(at, dtypes[spec.dtype].id, true);
    view.setInt32(at + 4, spec.shape.length, true);
    for (let d = 0; d < 4; d++) view.setBigInt64(at + 8 + d * 8, BigInt(spec.shape[d] ?? 1), true);
    view.setInt32(at + 40, buffer, true);
    view.setInt32(at + 44, spec.packed === undefined ? 0 : dtypes[spec.packed.from].id, true);
    view.setBigInt64(at + 48, BigInt(offset), true);
  });
  return bytes;
}

/** kernel, inputs, outputs, params, operand[24], first_param; and all parameters in one row. */
export function nodesBytes(nodes: readonly PlanNode[]): { readonly bytes: Uint8Array; readonly params: Float64Array } {
  const bytes = new Uint8Array(nodes.length * nodeBytes);
  const view = new DataView(bytes.buffer);
  const params: number[] = [];
  nodes.forEach((node, i) => {
    const at = i * nodeBytes;
    const operands = [...node.inputs, ...node.outputs];
    view.setInt32(at, node.kernel, true);
    view.setInt32(at + 4, node.inputs.length, true);
    view.setInt32(at + 8, node.outputs.length, true);
    view.setInt32(at + 12, node.params.length, true);
    for (let o = 0; o < maxOperands * 2; o++) view.setInt32(at + 16 + o * 4, operands[o] ?? -1, true);
    view.setBigInt64(at + 112, BigInt(params.length), true);
    params.push(...node.params);
  });
  return { bytes, params: Float64Array.from(params.length === 0 ? [0] : params) };
}
