/** @file What a translation of one node sees: ggml tensors of its operands and small helpers that keep shapes in our order. */
import type { TensorSpec } from "../../dtype.ts";
import { dtypes, elementCount } from "../../dtype.ts";
import type { Params } from "../../op.ts";
import type { TensorData } from "../backend.ts";
import type { Ggml, Pointer } from "./native.ts";

/** ggml's sizes: innermost first, at least one. */
export const innermostFirst = (shape: readonly number[]): number[] => [...shape.toReversed(), 1, 1, 1, 1].slice(0, 4);

export class Scope {
  readonly g: Ggml;
  readonly ctx: Pointer;
  readonly inputs: readonly (Pointer | null)[];
  readonly inputSpecs: readonly (TensorSpec | null)[];
  readonly outputSpecs: readonly TensorSpec[];
  readonly params: Params;
  readonly #derive: (spec: TensorSpec, from: readonly number[], make: (data: readonly TensorData[]) => TensorData) => Pointer;

  constructor(options: {
    readonly g: Ggml;
    readonly ctx: Pointer;
    readonly inputs: readonly (Pointer | null)[];
    readonly inputSpecs: readonly (TensorSpec | null)[];
    readonly outputSpecs: readonly TensorSpec[];
    readonly params: Params;
    readonly derive: (spec: TensorSpec, from: readonly number[], make: (data: readonly TensorData[]) => TensorData) => Pointer;
  }) {
    this.g = options.g;
    this.ctx = options.ctx;
    this.inputs = options.inputs;
    this.inputSpecs = options.inputSpecs;
    this.outputSpecs = options.outputSpecs;
    this.params = options.params;
    this.#derive = options.derive;
  }

  /** Operand `i`, which the operator requires. */
  in(i: number): Pointer {
    return this.inputs[i]!;
  }

  param(name: string): number {
    return this.params[name]!;
  }

  shapeOf(i: number): readonly number[] {
    return this.inputSpecs[i]!.shape;
  }

  /** A tensor whose values are made on the host from operands that are inputs of the program. */
  derive(spec: TensorSpec, from: readonly number[], make: (data: readonly TensorData[]) => TensorData): Pointer {
    return this.#derive(spec, from, make);
  }

  reshape(tensor: Pointer, shape: readonly number[]): Pointer {
    return this.g.reshape(this.ctx, tensor, ...innermostFirst(shape));
  }

  /** [A, B] -> [B, A], contiguous. */
  transposed(tensor: Pointer): Pointer {
    return this.g.cont(this.ctx, this.g.transpose(this.ctx, tensor));
  }

  scaled(tensor: Pointer, factor: number, offset = 0): Pointer {
    return this.g.scaleBias(this.ctx, tensor, factor, offset);
  }

  /** Sum over the last dimension of [T, D], as [T, 1]. */
  rowSums(tensor: Pointer): Pointer {
    return this.g.sumRows(this.ctx, tensor);
  }

  /** Sum over rows of [T, D], as [D]. */
  columnSums(tensor: Pointer, columns: number): Pointer {
    return this.reshape(this.g.sumRows(this.ctx, this.transposed(tensor)), [columns]);
  }

  f32(tensor: Pointer, spec: TensorSpec): Pointer {
    return spec.dtype === "f32" ? tensor : this.g.cast(this.ctx, tensor, dtypes.f32.id);
  }

  constant(shape: readonly number[], value: number): Pointer {
    const size = elementCount(shape);
    return this.derive({ dtype: "f32", shape }, [], () => new Float32Array(size).fill(value));
  }
}

export type Translation = {
  /** ggml's functions it uses, for people. */
  readonly kernel: string;
  /** Null, or why these types, shapes or settings are not taken. */
  readonly refuses?: (inputs: readonly (TensorSpec | null)[], params: Params, outputs: readonly TensorSpec[]) => string | null;
  /** One tensor an output; null for one that ggml cannot give (then nobody may read it). */
  readonly build: (scope: Scope) => readonly (Pointer | null)[];
  /** Outputs that stay null. */
  readonly missing?: Readonly<Record<number, string>>;
  /** Operands whose values must be known on the host before a run. */
  readonly hostOperands?: readonly number[];
};
