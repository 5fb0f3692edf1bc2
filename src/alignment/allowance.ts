/** @file What an operator may be off by for reasons that lie in its operands: badly conditioned sums, activations rounded to 8 bits. Never more than is derived from the numbers themselves. */
import { type Allowance, type DType, type Node, ops, type Precision, type Program, type ReferenceTensor } from "#compute";
import type { ReferenceStage } from "./reference-node.ts";

/** Unit roundoff of f32. */
const unit = 2 ** -24;

/** One entry an output; empty where nothing beyond the general limits is allowed. */
export async function allowedBy(
  reference: ReferenceStage,
  node: Node,
  program: Program,
  given: (id: number) => Float64Array,
  precision: Precision,
): Promise<readonly Allowance[]> {
  const { conditioning } = ops[node.op];
  if (precision === "f32" && conditioning !== undefined) {
    // Rounding errors of a sum of W terms are independent: they grow as √W units of the terms' magnitudes (Higham & Mary, 2019).
    const width = program.values.get(node.inputs[0]!)!.spec.shape.at(-1)!;
    return conditioning(await reference.operands(node, given), node.params).map((sizes) => ({
      elements: sizes.map((size) => size * unit * Math.sqrt(width)),
    }));
  }
  if (precision === "int8" && node.op === "linear" && !reference.isLarge(node)) {
    const [x, w] = await reference.operands(node, given);
    return [{ rms: noiseFactor * int8Noise(x!, w!) }];
  }
  return node.outputs.map(() => ({}));
}

/** The noise is a mean over few rows, its rounding errors not quite evenly spread. */
const noiseFactor = 1.5;
/** ggml rounds activations in blocks of 256 for K quants, else of 32. */
const blockOf = (weight: DType): number => (weight.endsWith("_k") ? 256 : 32);

/**
 * Root mean square of y's error when x is rounded to 8 bits in blocks: a level is the block's peak / 127, its error evenly spread over one level (variance level² / 12),
 * and independent of the weights it is multiplied with. Where y is small against |x|·|w|, that is more than the usual share of y's norm.
 */
export function int8Noise(x: ReferenceTensor, w: ReferenceTensor): number {
  const [rows, width] = x.shape as [number, number];
  const [outputs] = w.shape as [number];
  const block = blockOf(w.dtype);
  const energy = new Float64Array(Math.ceil(width / block)); // of the weights, summed over all outputs
  for (let n = 0; n < outputs; n++) for (let k = 0; k < width; k++) energy[Math.floor(k / block)]! += w.values[n * width + k]! ** 2;
  let total = 0;
  for (let t = 0; t < rows; t++)
    for (let b = 0; b < energy.length; b++) {
      const peak = x.values
        .subarray(t * width + b * block, Math.min((b + 1) * block, width) + t * width)
        .reduce((most, v) => Math.max(most, Math.abs(v)), 0);
      total += ((peak / 127) ** 2 / 12) * energy[b]!;
    }
  return Math.sqrt(total / Math.max(1, rows * outputs));
}
