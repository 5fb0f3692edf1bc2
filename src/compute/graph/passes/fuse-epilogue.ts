/** @file Takes a bias, an activation and a residual into the product before them: the result is written once instead of three times. */
import type { OpName } from "../../ops/index.ts";
import { countUses, type Node, type Program } from "../program.ts";

/** Operators with epilogues: where their bias and residual operands stand, and whether they have an activation. */
const epilogues: Partial<Record<OpName, { readonly bias?: number; readonly residual: number; readonly activation?: true }>> = {
  linear: { bias: 2, residual: 3, activation: true },
  linearDx: { residual: 2 },
  loraLinear: { bias: 6, residual: 7 },
  loraLinearDx: { residual: 6 },
  rmsNormBackward: { residual: 4 },
  layerNormBackward: { residual: 5 },
};
const activations: Partial<Record<OpName, number>> = { relu: 1, gelu: 2, geluTanh: 3, silu: 4 };

/** Fusing moves the product down to its follower, so its operands are all there; its other outputs must not be read in between. */
export function fuseEpilogue(program: Program): Program {
  const uses = countUses(program);
  const nodes: (Node | null)[] = [...program.nodes];
  const madeBy = new Map<number, number>();
  nodes.forEach((node, at) => {
    for (const id of node!.outputs) madeBy.set(id, at);
  });
  const values = new Map(program.values);

  const onlyRead = (id: number | null | undefined): Node | null => {
    if (id == null || uses.get(id) !== 1) return null;
    const at = madeBy.get(id);
    const node = at === undefined ? null : nodes[at]!;
    return node !== null && node.outputs[0] === id && epilogues[node.op] !== undefined ? node : null;
  };
  const firstReader = (ids: readonly number[], before: number): number => {
    for (let at = 0; at < before; at++) if (nodes[at]?.inputs.some((id) => id !== null && ids.includes(id))) return at;
    return before;
  };
  const replace = (at: number, product: Node, fused: Node): boolean => {
    if (firstReader(product.outputs.slice(1), at) < at) return false;
    nodes[madeBy.get(product.outputs[0]!)!] = null;
    values.delete(product.outputs[0]!);
    nodes[at] = fused;
    for (const id of fused.outputs) madeBy.set(id, at);
    return true;
  };
  const withInput = (node: Node, index: number, id: number): readonly (number | null)[] => node.inputs.map((old, i) => (i === index ? id : old));

  for (let at = 0; at < nodes.length; at++) {
    const node = nodes[at];
    if (node == null) continue;
    const result = [node.outputs[0]!] as const;
    if (node.op === "addRow") {
      const product = onlyRead(node.inputs[0]);
      const form = product === null ? undefined : epilogues[product.op];
      if (
        product === null ||
        form?.bias === undefined ||
        product.inputs[form.bias] !== null ||
        product.inputs[form.residual] !== null ||
        product.params["activation"]
      )
        continue;
      replace(at, product, { ...product, inputs: withInput(product, form.bias, node.inputs[1]!), outputs: [...result, ...product.outputs.slice(1)] });
    } else if (activations[node.op] !== undefined) {
      const product = onlyRead(node.inputs[0]);
      const form = product === null ? undefined : epilogues[product.op];
      if (product === null || !form?.activation || product.params["activation"] !== 0 || product.inputs[form.residual] !== null) continue;
      replace(at, product, {
        ...product,
        params: { ...product.params, activation: activations[node.op]! },
        outputs: [...result, ...product.outputs.slice(1)],
      });
    } else if (node.op === "add") {
      for (const [mine, other] of [
        [1, 0],
        [0, 1],
      ] as const) {
        const product = onlyRead(node.inputs[mine]);
        const form = product === null ? undefined : epilogues[product.op];
        if (product === null || form === undefined || product.inputs[form.residual] !== null || node.inputs[other] === node.inputs[mine]) continue;
        if (
          replace(at, product, {
            ...product,
            inputs: withInput(product, form.residual, node.inputs[other]!),
            outputs: [...result, ...product.outputs.slice(1)],
          })
        )
          break;
      }
    }
  }
  return { ...program, values, nodes: nodes.filter((node) => node !== null) };
}
