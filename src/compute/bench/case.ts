/** @file What one benchmark case says: its nodes, the limit it is held against, who else does the same work. */
import type { DType } from "../dtype.ts";
import type { Params, SampleInput } from "../op.ts";
import type { OpName } from "../ops/index.ts";

/** What bounds the work: operations or bytes a second of the machine. */
export type LimitName = "f32" | "bf16" | "int8" | "read" | "copy";

export type BenchNode = {
  readonly op: OpName;
  readonly inputs: readonly (SampleInput | null)[];
  readonly params?: Params;
  readonly as?: DType;
  /** Operands that are weights: each node has its own, and devices may keep them packed. */
  readonly weights?: readonly number[];
};

export type BenchCase = {
  readonly id: string;
  readonly op: OpName;
  readonly dtype: string;
  readonly shape: string;
  readonly limit: LimitName;
  readonly nodes: readonly BenchNode[];
  /** Lines of the summary that this case is part of: see summary.ts. */
  readonly lines?: readonly string[];
  /** Work of one run in operations (or bytes, for memory limits), where the operators' own costs are not the agreed measure. */
  readonly work?: number;
  readonly int8?: boolean;
  /** What ggml is given: its activations are f32. Null: it has no such operator. */
  readonly ggml?: readonly BenchNode[] | null;
  /** What PyTorch is asked for, in the words of scripts/peers/torch_ops.py. */
  readonly torch?: TorchRequest;
  /** The same on our own device without what is being measured: its peer is named "base". */
  readonly base?: readonly BenchNode[];
  /** Two threads against one, instead of all threads against peers: the peer is named "1 thread". */
  readonly threads?: boolean;
};

export type TorchRequest = {
  readonly kind: string;
  readonly shapes: readonly (readonly number[])[];
  readonly dtype: string;
};
