/** @file Element types and the specification of a tensor. Block types are ggml's; ids are those of native/include/starbox_ops.h. */
import { StarboxError } from "#base";

type DTypeInfo = {
  /** Id in the C header; below 64 also ggml's. */
  readonly id: number;
  /** Values a block, bytes a block. */
  readonly block: number;
  readonly blockBytes: number;
  readonly kind: "float" | "integer" | "quantized" | "packed";
};

const table = {
  f32: { id: 0, block: 1, blockBytes: 4, kind: "float" },
  f16: { id: 1, block: 1, blockBytes: 2, kind: "float" },
  bf16: { id: 30, block: 1, blockBytes: 2, kind: "float" },
  i32: { id: 26, block: 1, blockBytes: 4, kind: "integer" },
  q4_0: { id: 2, block: 32, blockBytes: 18, kind: "quantized" },
  q4_1: { id: 3, block: 32, blockBytes: 20, kind: "quantized" },
  q5_0: { id: 6, block: 32, blockBytes: 22, kind: "quantized" },
  q5_1: { id: 7, block: 32, blockBytes: 24, kind: "quantized" },
  q8_0: { id: 8, block: 32, blockBytes: 34, kind: "quantized" },
  q4_k: { id: 12, block: 256, blockBytes: 144, kind: "quantized" },
  q5_k: { id: 13, block: 256, blockBytes: 176, kind: "quantized" },
  q6_k: { id: 14, block: 256, blockBytes: 210, kind: "quantized" },
  /** A weight rearranged for one device; only that device knows its bytes. */
  packed: { id: 64, block: 1, blockBytes: 0, kind: "packed" },
} as const satisfies Record<string, DTypeInfo>;

export type DType = keyof typeof table;
export const dtypes: Readonly<Record<DType, DTypeInfo>> = table;
/** Activations and gradients. */
export type ActivationType = "f32" | "bf16";
export const activationTypes = ["f32", "bf16"] as const;
export const weightTypes = ["f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "q5_0", "q5_1", "q4_k", "q5_k", "q6_k"] as const;
export const quantizedTypes = weightTypes.filter((type) => dtypes[type].kind === "quantized");

/** Which product a packed weight serves: y = x Wᵀ or dx = dy W. */
export type PackedForm = "y" | "dx";

export type TensorSpec = {
  readonly dtype: DType;
  /** Outermost first, row-major, contiguous; at most 4 dimensions. */
  readonly shape: readonly number[];
  /** Of a packed weight: what it was packed from, for which product, and its bytes. */
  readonly packed?: { readonly from: DType; readonly form: PackedForm; readonly bytes: number };
};

export const elementCount = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);
export const formatSpec = ({ dtype, shape }: TensorSpec): string => `${dtype}[${shape.join(", ")}]`;
export const sameShape = (a: readonly number[], b: readonly number[]): boolean => a.length === b.length && a.every((size, i) => size === b[i]);

/** Bytes of a tensor. Throws tensor_invalid where rows do not fill whole blocks. */
export function specBytes(spec: TensorSpec): number {
  if (spec.packed !== undefined) return spec.packed.bytes;
  const { block, blockBytes } = dtypes[spec.dtype];
  const columns = spec.shape.at(-1) ?? 1;
  if (columns % block !== 0)
    throw new StarboxError("tensor_invalid", `${formatSpec(spec)}: rows of ${spec.dtype} hold a multiple of ${block} values, got ${columns}.`);
  return (elementCount(spec.shape) / block) * blockBytes;
}

/** Throws tensor_invalid unless rank ≤ 4 and every size is a whole number ≥ 0. */
export function checkShape(where: string, shape: readonly number[]): void {
  const bad = shape.length > 4 || shape.some((size) => !Number.isSafeInteger(size) || size < 0);
  if (bad) throw new StarboxError("tensor_invalid", `${where}: expected at most 4 sizes, whole numbers ≥ 0, got [${shape.join(", ")}].`);
}
