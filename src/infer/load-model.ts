/** @file A decoder from a GGUF file, its weights on a device as the file has them, and its tokenizer. Generates nothing. */
import { StarboxError } from "#base";
import { type Device, type DeviceTensor, type DType, dtypes, type TensorData, type TensorSpec } from "#compute";
import { fallbackTemplate, GgufFile, Tokenizer } from "#formats";
import { type DecoderConfig, readModelConfig } from "#nn";

export type InferenceModel = Disposable & {
  readonly config: DecoderConfig;
  readonly tokenizer: Tokenizer;
  readonly template: string;
  readonly specs: ReadonlyMap<string, TensorSpec>;
  readonly weights: Readonly<Record<string, DeviceTensor>>;
};

const byId = new Map(Object.entries(dtypes).flatMap(([name, { id, kind }]) => (kind === "packed" ? [] : [[id, name as DType] as const])));

const unsupported = (what: string, zh: string): StarboxError =>
  new StarboxError("unsupported", `Our own engine does not run ${what}.`, {
    hint: "llama.cpp may: leave --engine (STARBOX_ENGINE) as it is.",
    zh: { message: `自有引擎不支持${zh}。`, hint: "可改用 llama.cpp 引擎（默认）。" },
  });

/** Throws model_invalid for broken files, and unsupported for families, tokenizers and weight types that are not known. */
export async function loadInferenceModel(file: string, device: Device): Promise<InferenceModel> {
  await using gguf = await GgufFile.open(file);
  const config = readModelConfig(gguf);
  if (config.kind !== "decoder") throw unsupported("encoders as language models", "以编码器作为语言模型");
  if (gguf.tensors.has("rope_freqs.weight")) throw unsupported("llama 3's table of frequencies (rope_freqs)", " llama 3 的频率表（rope_freqs）");
  const tokenizer = Tokenizer.fromGguf(gguf);
  const specs = new Map<string, TensorSpec>();
  const weights: Record<string, DeviceTensor> = {};
  const dispose = (): void => {
    for (const tensor of Object.values(weights)) tensor[Symbol.dispose]();
  };
  try {
    for (const { name, type, shape } of gguf.tensors.values()) {
      const dtype = byId.get(type);
      if (dtype === undefined) throw unsupported(`the tensor "${name}" of ggml's type ${type}`, ` ggml 类型 ${type} 的张量“${name}”`);
      specs.set(name, { dtype, shape });
      weights[name] = device.tensor(name, { dtype, shape }, viewOf(dtype, await gguf.read(name)));
    }
  } catch (error) {
    dispose();
    throw error;
  }
  return { config, tokenizer, template: tokenizer.source.chatTemplate ?? fallbackTemplate, specs, weights, [Symbol.dispose]: dispose };
}

export function viewOf(dtype: DType, bytes: Uint8Array<ArrayBuffer>): TensorData {
  if (dtype === "f32") return new Float32Array(bytes.buffer);
  if (dtype === "i32") return new Int32Array(bytes.buffer);
  return dtype === "f16" || dtype === "bf16" ? new Uint16Array(bytes.buffer) : bytes;
}
