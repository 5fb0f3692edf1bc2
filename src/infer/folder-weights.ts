/** @file Weights of a Hugging Face folder under our names and in our form: rows taken, gemma's norms plus one, vectors widened to f32. */
import { StarboxError } from "#base";
import { type DType, elementCount, loadValues, type TensorData, type TensorSpec } from "#compute";
import type { SafetensorsElement, SafetensorsFolder } from "#formats";
import type { WeightSource } from "#nn";

const types: Partial<Record<SafetensorsElement, DType>> = { F32: "f32", F16: "f16", BF16: "bf16" };

export type FoldedWeights = { readonly specs: ReadonlyMap<string, TensorSpec>; read(name: string): Promise<TensorData> };

/** Throws `unsupported` for element types that are no floats of 16 or 32 bits. */
export function foldWeights(folder: SafetensorsFolder, sources: ReadonlyMap<string, WeightSource>): FoldedWeights {
  const specs = new Map<string, TensorSpec>();
  const stored = new Map<string, DType>();
  for (const [name, { source, shape }] of sources) {
    const { element } = folder.tensors.get(source)!;
    const dtype = types[element];
    if (dtype === undefined)
      throw new StarboxError("unsupported", `The tensor "${source}" is of type ${element}; F32, F16 and BF16 are read.`, {
        zh: { message: `张量“${source}”的类型为 ${element}，仅支持 F32、F16、BF16。` },
      });
    stored.set(name, dtype);
    // Small tables that are added to rows, and vectors: operators take them in f32.
    const small = shape.length < 2 || /^(position_embd|token_types)\./.test(name);
    specs.set(name, { dtype: small ? "f32" : dtype, shape });
  }
  return {
    specs,
    read: async (name) => {
      const { source, firstRow, add } = sources.get(name)!;
      const spec = specs.get(name)!;
      const dtype = stored.get(name)!;
      const bytes = await folder.read(source);
      const raw = dtype === "f32" ? new Float32Array(bytes.buffer) : new Uint16Array(bytes.buffer);
      const rowSize = elementCount(spec.shape) / Math.max(1, spec.shape[0]!);
      const taken = raw.slice(firstRow * rowSize);
      if (spec.dtype === dtype && add === 0) return taken;
      return Float32Array.from(loadValues({ dtype, shape: spec.shape }, taken), (value) => value + add);
    },
  };
}
