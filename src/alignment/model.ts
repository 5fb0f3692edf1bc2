/** @file A model as this room sees it: its settings, its tensors' types and shapes from the header, and their bytes on demand. */
import { StarboxError } from "#base";
import { type DType, dtypes, type TensorData, type TensorSpec } from "#compute";
import { GgufFile } from "#formats";
import { type ModelConfig, readModelConfig } from "#nn";

export type ModelSource = {
  /** For people. */
  readonly name: string;
  readonly config: ModelConfig;
  readonly tensors: ReadonlyMap<string, TensorSpec>;
  /** A weight's values in its own type, or only some of its rows. */
  read(name: string, rows?: { readonly start: number; readonly count: number }): Promise<TensorData>;
};

const byId = new Map(Object.entries(dtypes).flatMap(([name, { id, kind }]) => (kind === "packed" ? [] : [[id, name as DType] as const])));

/** The bytes as the element type's own view, on memory aligned for it. */
export function viewOf(dtype: DType, bytes: Uint8Array): TensorData {
  const whole = bytes.slice();
  if (dtype === "f32") return new Float32Array(whole.buffer);
  if (dtype === "i32") return new Int32Array(whole.buffer);
  return dtype === "f16" || dtype === "bf16" ? new Uint16Array(whole.buffer) : whole;
}

export type OpenModel = ModelSource & AsyncDisposable & { readonly metadata: ReadonlyMap<string, unknown> };

/** Reads the header only. Throws model_invalid, and unsupported for families and weight types that our own engine does not run. */
export async function openModel(file: string): Promise<OpenModel> {
  const gguf = await GgufFile.open(file);
  try {
    const tensors = new Map<string, TensorSpec>();
    for (const { name, type, shape } of gguf.tensors.values()) {
      const dtype = byId.get(type);
      if (dtype === undefined)
        throw new StarboxError("unsupported", `${file}: the tensor "${name}" is of ggml's type ${type}, which no operator reads.`, {
          hint: "Types that are read: f32, f16, bf16, q4_0, q4_1, q5_0, q5_1, q8_0, q4_k, q5_k, q6_k.",
          zh: {
            message: `${file}：张量“${name}”的 ggml 类型为 ${type}，没有算子支持。`,
            hint: "支持 f32、f16、bf16、q4_0、q4_1、q5_0、q5_1、q8_0、q4_k、q5_k、q6_k。",
          },
        });
      tensors.set(name, { dtype, shape });
    }
    return {
      name: file,
      config: readModelConfig(gguf),
      metadata: gguf.metadata,
      tensors,
      read: async (name, rows) => {
        return viewOf(tensors.get(name)!.dtype, await gguf.read(name, rows));
      },
      [Symbol.asyncDispose]: () => gguf[Symbol.asyncDispose](),
    };
  } catch (error) {
    await gguf[Symbol.asyncDispose]();
    throw error;
  }
}
