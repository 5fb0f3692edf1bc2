/** @file The frozen base: a GGUF file's weights on a device, as the file has them or widened to bf16. */
import { StarboxError } from "#base";
import { type Device, type DeviceTensor, type DType, dtypes, Graph, type TensorData, type TensorSpec } from "#compute";
import { GgufFile, type TokenizerMetadata } from "#formats";
import { type DecoderConfig, readModelConfig } from "#nn";

export type BaseModel = {
  readonly config: DecoderConfig;
  /** The file, as its tokenizer reads it. */
  readonly source: TokenizerMetadata;
  readonly tensors: ReadonlyMap<string, TensorSpec>;
  /** A weight's values in its own type. */
  read(name: string): Promise<TensorData>;
};

const byId = new Map(Object.entries(dtypes).flatMap(([name, { id, kind }]) => (kind === "packed" ? [] : [[id, name as DType] as const])));

function viewOf(dtype: DType, bytes: Uint8Array<ArrayBuffer>): TensorData {
  if (dtype === "f32") return new Float32Array(bytes.buffer);
  return dtype === "f16" || dtype === "bf16" ? new Uint16Array(bytes.buffer) : bytes;
}

/** Reads the header only. Throws model_invalid, and unsupported for families and types our own engine does not train. */
export async function openBaseModel(file: string): Promise<BaseModel & AsyncDisposable> {
  const gguf = await GgufFile.open(file);
  try {
    const config = readModelConfig(gguf);
    if (config.kind !== "decoder") throw unsupported(`the family "${config.family}", which is no language model`, "llama, qwen2, qwen3, gemma3");
    const tensors = new Map<string, TensorSpec>();
    for (const { name, type, shape } of gguf.tensors.values()) {
      const dtype = byId.get(type);
      if (dtype === undefined) throw unsupported(`the tensor "${name}" of ggml's type ${type}`, Object.keys(dtypes).join(", "));
      tensors.set(name, { dtype, shape });
    }
    return {
      config,
      source: gguf,
      tensors,
      read: async (name) => viewOf(tensors.get(name)!.dtype, await gguf.read(name)),
      [Symbol.asyncDispose]: () => gguf[Symbol.asyncDispose](),
    };
  } catch (error) {
    await gguf[Symbol.asyncDispose]();
    throw error;
  }
}

const unsupported = (what: string, known: string): StarboxError =>
  new StarboxError("unsupported", `The trainer does not train ${what}.`, {
    hint: `It knows: ${known}.`,
    zh: { message: `训练器不支持 ${what}。`, hint: `支持：${known}。` },
  });

/** Matrices widened to bf16; vectors (norms, biases) stay as they are. */
export const widenedSpec = ({ dtype, shape }: TensorSpec): TensorSpec => ({
  dtype: shape.length < 2 || dtype === "f32" || dtype === "bf16" ? dtype : "bf16",
  shape,
});

export const heldSpec = (spec: TensorSpec, baseType: "bf16" | "file"): TensorSpec => (baseType === "bf16" ? widenedSpec(spec) : spec);

async function widen(device: Device, name: string, from: TensorSpec, to: TensorSpec, data: TensorData): Promise<TensorData> {
  if (from.dtype === to.dtype) return data;
  const graph = new Graph();
  const source = graph.parameter(name, from.dtype, from.shape);
  graph.output("w", graph.apply(dtypes[from.dtype].kind === "quantized" ? "dequantize" : "cast", [source], {}, { as: to.dtype }));
  using tensor = device.tensor(name, from, data);
  using program = device.compile(graph.build(), { parameters: { [name]: tensor } });
  return (await program.run())["w"]!;
}

/** The weights a decoder reads, on the device. The caller disposes them. */
export async function loadWeights(device: Device, model: BaseModel, baseType: "bf16" | "file"): Promise<Map<string, DeviceTensor>> {
  const weights = new Map<string, DeviceTensor>();
  try {
    for (const [name, spec] of model.tensors) {
      if (name === "rope_freqs.weight") continue; // llama 3's table is not applied: its scaling is refused when settings are read
      const held = heldSpec(spec, baseType);
      weights.set(name, device.tensor(name, held, await widen(device, name, spec, held, await model.read(name))));
    }
    return weights;
  } catch (error) {
    for (const tensor of weights.values()) tensor[Symbol.dispose]();
    throw error;
  }
}
