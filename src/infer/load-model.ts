/** @file A decoder from a GGUF file or a Hugging Face folder, its weights on a device as the file has them, and its tokenizer. Generates nothing. */
import fs from "node:fs";
import path from "node:path";
import { StarboxError } from "#base";
import { type Device, type DeviceTensor, type DType, dtypes, type TensorData, type TensorSpec } from "#compute";
import { fallbackTemplate, GgufFile, readFolderJson, readFolderTokenizer, SafetensorsFolder, Tokenizer } from "#formats";
import { type DecoderConfig, readHuggingFace, readModelConfig } from "#nn";
import { foldWeights } from "./folder-weights.ts";

export type InferenceModel = Disposable & {
  readonly config: DecoderConfig;
  readonly tokenizer: Tokenizer;
  readonly template: string;
  readonly specs: ReadonlyMap<string, TensorSpec>;
  readonly weights: Readonly<Record<string, DeviceTensor>>;
};

type Parts = {
  readonly config: DecoderConfig;
  readonly tokenizer: Tokenizer;
  readonly specs: ReadonlyMap<string, TensorSpec>;
  readonly read: (name: string) => Promise<TensorData>;
};

const byId = new Map(Object.entries(dtypes).flatMap(([name, { id, kind }]) => (kind === "packed" ? [] : [[id, name as DType] as const])));

const unsupported = (what: string, zh: string): StarboxError =>
  new StarboxError("unsupported", `Our own engine does not run ${what}.`, {
    hint: "llama.cpp may: leave --engine (STARBOX_ENGINE) as it is.",
    zh: { message: `自有引擎不支持${zh}。`, hint: "可改用 llama.cpp 引擎（默认）。" },
  });
const noDecoder = (): StarboxError => unsupported("encoders as language models", "以编码器作为语言模型");

/** Throws model_invalid for broken files, and unsupported for families, tokenizers and weight types that are not known. */
export async function loadInferenceModel(file: string, device: Device): Promise<InferenceModel> {
  if (fs.statSync(file).isDirectory()) {
    await using folder = await SafetensorsFolder.open(file);
    return await place(await partsOfFolder(folder), device);
  }
  await using gguf = await GgufFile.open(file);
  return await place(partsOfGguf(gguf), device);
}

function partsOfGguf(gguf: GgufFile): Parts {
  const config = readModelConfig(gguf);
  if (config.kind !== "decoder") throw noDecoder();
  if (gguf.tensors.has("rope_freqs.weight")) throw unsupported("llama 3's table of frequencies (rope_freqs)", " llama 3 的频率表（rope_freqs）");
  const specs = new Map<string, TensorSpec>();
  for (const { name, type, shape } of gguf.tensors.values()) {
    const dtype = byId.get(type);
    if (dtype === undefined) throw unsupported(`the tensor "${name}" of ggml's type ${type}`, ` ggml 类型 ${type} 的张量“${name}”`);
    specs.set(name, { dtype, shape });
  }
  return { config, specs, tokenizer: Tokenizer.fromGguf(gguf), read: async (name) => viewOf(specs.get(name)!.dtype, await gguf.read(name)) };
}

async function partsOfFolder(folder: SafetensorsFolder): Promise<Parts> {
  const { config, weights } = readHuggingFace(folder.config, folder.tensors);
  if (config.kind !== "decoder") throw noDecoder();
  const { specs, read } = foldWeights(folder, weights);
  const tokenizer = await readFolderJson(folder.path, "tokenizer.json");
  if (tokenizer === null)
    throw new StarboxError("model_invalid", `${folder.path} has no tokenizer.json.`, {
      hint: "Save the tokenizer beside the model: AutoTokenizer.from_pretrained(…).save_pretrained(FOLDER).",
      zh: { message: `${folder.path} 中没有 tokenizer.json。`, hint: "请将分词器保存到同一文件夹。" },
    });
  const template = path.join(folder.path, "chat_template.jinja");
  const source = readFolderTokenizer({
    tokenizer,
    settings: (await readFolderJson(folder.path, "tokenizer_config.json")) ?? {},
    template: fs.existsSync(template) ? fs.readFileSync(template, "utf8") : null,
    vocabulary: config.vocabulary,
  });
  return { config, specs, read, tokenizer: new Tokenizer(source) };
}

async function place({ config, tokenizer, specs, read }: Parts, device: Device): Promise<InferenceModel> {
  const weights: Record<string, DeviceTensor> = {};
  const dispose = (): void => {
    for (const tensor of Object.values(weights)) tensor[Symbol.dispose]();
  };
  try {
    for (const [name, spec] of specs) weights[name] = device.tensor(name, spec, await read(name));
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
