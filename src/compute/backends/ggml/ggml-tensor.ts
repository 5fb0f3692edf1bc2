/** @file A tensor in a ggml chip's memory, and what an executable needs of its device. */
import { StarboxError } from "#base";
import { dtypes, elementCount, formatSpec, specBytes, type TensorSpec } from "../../dtype.ts";
import { type DeviceTensor, type TensorData, typedView } from "../backend.ts";
import { writeChecked } from "../write-checked.ts";
import type { Ggml, Pointer } from "./native.ts";
import { innermostFirst } from "./scope.ts";

export type GgmlHost = { readonly g: Ggml; readonly backend: Pointer; inTurn<T>(work: () => Promise<T>): Promise<T> };

export class GgmlTensor implements DeviceTensor {
  readonly spec: TensorSpec;
  readonly name: string;
  readonly #g: Ggml;
  #ctx: Pointer;
  #buffer: Pointer;
  readonly #tensor: Pointer;

  constructor(g: Ggml, backend: Pointer, name: string, spec: TensorSpec, data?: TensorData) {
    this.#g = g;
    this.spec = spec;
    this.name = name;
    if (elementCount(spec.shape) === 0)
      throw new StarboxError("device_unsupported", `ggml: "${name}", ${formatSpec(spec)}: ggml has no empty tensors.`);
    this.#ctx = g.init(g.tensorOverhead() * 2);
    this.#tensor = newTensor(g, this.#ctx, spec);
    this.#buffer = g.allocTensors(this.#ctx, backend);
    if (this.#buffer === 0) throw new StarboxError("memory_exceeded", `ggml: no memory for "${name}", ${formatSpec(spec)}.`);
    if (data !== undefined) this.write(data);
  }

  get pointer(): Pointer {
    if (this.#ctx === 0) throw new StarboxError("disposed", `"${this.name}" was used after dispose().`);
    return this.#tensor;
  }

  write(data: TensorData): void {
    const bytes = new ArrayBuffer(specBytes(this.spec));
    writeChecked(this.name, this.spec, data, bytes);
    this.#g.set(this.pointer, new Uint8Array(bytes), 0, bytes.byteLength);
  }

  read(): TensorData {
    const bytes = new ArrayBuffer(specBytes(this.spec));
    this.#g.get(this.pointer, new Uint8Array(bytes), 0, bytes.byteLength);
    return typedView(this.spec.dtype, bytes);
  }

  [Symbol.dispose](): void {
    if (this.#ctx === 0) return;
    this.#g.bufferFree(this.#buffer);
    this.#g.free(this.#ctx);
    this.#ctx = 0;
    this.#buffer = 0;
  }
}

export function newTensor(g: Ggml, ctx: Pointer, spec: TensorSpec): Pointer {
  return g.newTensor(ctx, dtypes[spec.dtype].id, 4, BigInt64Array.from(innermostFirst(spec.shape), BigInt));
}
