/** @file llama.cpp's C interface, as far as embedding many texts in one step needs it, bound to the shared libraries that node-llama-cpp ships. No policy. */
import { existsSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import koffi from "koffi";

// The layouts below are those of this release; another one must be compared with its llama.h before it is added here.
const knownReleases = ["v0.5.0"];

const modelParams = koffi.struct("llama_model_params", {
  devices: "void*",
  overrides: "void*",
  n_gpu_layers: "int32",
  split_mode: "int32",
  load_mode: "int32",
  lazy_mode: "int32",
  main_gpu: "int32",
  tensor_split: "void*",
  progress: "void*",
  progress_data: "void*",
  kv_overrides: "void*",
  vocab_only: "bool",
  check_tensors: "bool",
  use_extra_bufts: "bool",
  no_host: "bool",
  no_alloc: "bool",
  load_mtp: "bool",
});
const contextParams = koffi.struct("llama_context_params", {
  n_ctx: "uint32",
  n_batch: "uint32",
  n_ubatch: "uint32",
  n_seq_max: "uint32",
  n_rs_seq: "uint32",
  n_outputs_max: "uint32",
  n_outputs_max_per_seq: "uint32",
  n_threads: "int32",
  n_threads_batch: "int32",
  ctx_type: "int32",
  rope_scaling_type: "int32",
  pooling_type: "int32",
  attention_type: "int32",
  flash_attn_type: "int32",
  rope_freq_base: "float",
  rope_freq_scale: "float",
  yarn_ext_factor: "float",
  yarn_attn_factor: "float",
  yarn_beta_fast: "float",
  yarn_beta_slow: "float",
  yarn_orig_ctx: "uint32",
  defrag_thold: "float",
  cb_eval: "void*",
  cb_eval_data: "void*",
  type_k: "int32",
  type_v: "int32",
  abort: "void*",
  abort_data: "void*",
  embeddings: "bool",
  offload_kqv: "bool",
  no_perf: "bool",
  op_offload: "bool",
  swa_full: "bool",
  kv_unified: "bool",
  samplers: "void*",
  n_samplers: "size_t",
  ctx_other: "void*",
});
const batchStruct = koffi.struct("llama_batch", {
  n_tokens: "int32",
  token: "int32*",
  embd: "float*",
  pos: "int32*",
  n_seq_id: "int32*",
  seq_id: "void*",
  logits: "int8*",
});

export type Pointer = unknown;
type ModelParams = { n_gpu_layers: number; use_extra_bufts: boolean; vocab_only: boolean; check_tensors: boolean };
type ContextParams = {
  n_ctx: number;
  n_batch: number;
  n_ubatch: number;
  n_seq_max: number;
  n_threads: number;
  n_threads_batch: number;
  embeddings: boolean;
  flash_attn_type: number;
  kv_unified: boolean;
  type_k: number;
  type_v: number;
  cb_eval: unknown;
};
export type Batch = {
  readonly n_tokens: number;
  readonly token: Int32Array;
  readonly embd: null;
  readonly pos: Int32Array;
  readonly n_seq_id: Int32Array;
  readonly seq_id: BigUint64Array;
  readonly logits: Int8Array;
};
type Fn<A extends readonly unknown[], R> = ((...args: A) => R) & { async: (...args: [...A, (error: Error | null, result: R) => void]) => void };

export type LlamaLibrary = {
  readonly modelDefaults: () => ModelParams;
  readonly contextDefaults: () => ContextParams;
  readonly loadModel: Fn<[string, ModelParams], Pointer>;
  readonly freeModel: (model: Pointer) => void;
  readonly createContext: (model: Pointer, params: ContextParams) => Pointer;
  readonly freeContext: (context: Pointer) => void;
  readonly vocabulary: (model: Pointer) => Pointer;
  readonly width: (model: Pointer) => number;
  readonly trainedContext: (model: Pointer) => number;
  readonly endToken: (vocabulary: Pointer) => number;
  readonly tokenize: (
    vocabulary: Pointer,
    text: string,
    bytes: number,
    tokens: Int32Array,
    max: number,
    special: boolean,
    parseSpecial: boolean,
  ) => number;
  /** The same from raw bytes, which need not be UTF-8. */
  readonly tokenizeBytes: (
    vocabulary: Pointer,
    text: Uint8Array,
    bytes: number,
    tokens: Int32Array,
    max: number,
    special: boolean,
    parseSpecial: boolean,
  ) => number;
  readonly decode: Fn<[Pointer, Batch], number>;
  readonly sequenceEmbedding: (context: Pointer, sequence: number) => Pointer;
  readonly vocabularySize: (vocabulary: Pointer) => number;
  readonly logits: (context: Pointer) => Pointer;
  /** Answers null when the file is no adapter of this model. It goes with the model. */
  readonly loadAdapter: (model: Pointer, file: string) => Pointer;
  readonly setAdapter: (context: Pointer, adapter: Pointer) => void;
  readonly clearMemory: (context: Pointer) => void;
  /** A function that llama.cpp calls about every tensor it computes; `wanted` chooses by name whose numbers `take` gets. */
  readonly observe: (wanted: (name: string) => boolean, take: (name: string, values: Float32Array) => void) => unknown;
  /** Gives the pages of this range back to the system; they read as zeros afterwards. */
  readonly dropPages: (start: bigint, bytes: bigint) => void;
};

/** The folder with libllama of this platform, or null: then embeddings go through node-llama-cpp one text at a time. */
function findFolder(): { readonly folder: string; readonly release: string } | null {
  const require = createRequire(import.meta.url);
  const platform = `linux-${process.arch}`;
  try {
    const folder = path.join(path.dirname(require.resolve(`@node-llama-cpp/${platform}`)), "../bins", platform);
    const release = readdirSync(folder)
      .map((name) => /^libllama\.(v[\d.]+)\.so$/.exec(name)?.[1])
      .find((found) => found !== undefined);
    return release === undefined || !knownReleases.includes(release) ? null : { folder, release };
  } catch {
    return null;
  }
}

/** A wrong struct layout would corrupt memory, so the library's own defaults are compared with the documented ones first. */
function layoutsFit(library: LlamaLibrary): boolean {
  const context = library.contextDefaults();
  const model = library.modelDefaults();
  return (
    context.n_ctx === 512 &&
    context.n_batch === 2048 &&
    context.n_ubatch === 512 &&
    context.n_seq_max === 1 &&
    context.type_k === 1 &&
    context.type_v === 1 &&
    !context.embeddings &&
    !model.vocab_only &&
    model.use_extra_bufts
  );
}

let loaded: LlamaLibrary | null | undefined;

export function loadLlamaLibrary(): LlamaLibrary | null {
  loaded ??= bind();
  return loaded;
}

function bindDropPages(): LlamaLibrary["dropPages"] {
  const advise = koffi.load("libc.so.6").func("int madvise(uintptr_t, size_t, int)");
  const page = 4096n * 16n; // a multiple of every page size in use
  const dontNeed = 4;
  return (start, bytes) => {
    const from = ((start + page - 1n) / page) * page;
    const to = ((start + bytes) / page) * page;
    if (to > from) advise(from, to - from, dontNeed);
  };
}

function bindClear(llama: ReturnType<typeof koffi.load>): LlamaLibrary["clearMemory"] {
  const memory = llama.func("void* llama_get_memory(void*)") as (context: Pointer) => Pointer;
  const clear = llama.func("void llama_memory_clear(void*, bool)") as (memory: Pointer, data: boolean) => void;
  return (context) => clear(memory(context), true);
}

function bindSetAdapter(llama: ReturnType<typeof koffi.load>): LlamaLibrary["setAdapter"] {
  const set = llama.func("int32 llama_set_adapters_lora(void*, void*, size_t, float*)") as (
    c: Pointer,
    a: BigUint64Array,
    n: number,
    s: Float32Array,
  ) => number;
  return (context, adapter) => void set(context, BigUint64Array.of(BigInt(koffi.address(adapter as never))), 1, Float32Array.of(1));
}

function bindObserve(base: ReturnType<typeof koffi.load>): LlamaLibrary["observe"] {
  const nameOf = base.func("const char* ggml_get_name(void*)") as (tensor: Pointer) => string;
  const elements = base.func("int64 ggml_nelements(void*)") as (tensor: Pointer) => number;
  const read = base.func("void ggml_backend_tensor_get(void*, void*, size_t, size_t)") as (
    t: Pointer,
    to: Float32Array,
    at: number,
    bytes: number,
  ) => void;
  const kind = koffi.pointer(koffi.proto("bool starbox_observe(void* tensor, bool ask, void* data)"));
  return (wanted, take) =>
    koffi.register((tensor: Pointer, ask: boolean) => {
      const name = nameOf(tensor);
      if (ask) return wanted(name);
      const values = new Float32Array(Number(elements(tensor)));
      read(tensor, values, 0, values.byteLength);
      take(name, values);
      return true;
    }, kind);
}

function bind(): LlamaLibrary | null {
  const found = findFolder();
  if (found === null) return null;
  const { folder, release } = found;
  const file = (name: string): string => path.join(folder, name);
  if (!existsSync(file("libggml-base.so"))) return null;
  const base = koffi.load(file("libggml-base.so"));
  const ggml = koffi.load(file(`libggml.${release}.so`));
  const llama = koffi.load(file(`libllama.${release}.so`));
  const quiet = koffi.register(() => {}, koffi.pointer(koffi.proto("void starbox_llama_log(int level, const char* text, void* data)")));
  llama.func("void llama_log_set(void*, void*)")(quiet, null);
  ggml.func("void ggml_log_set(void*, void*)")(quiet, null);
  ggml.func("void ggml_backend_load_all_from_path(const char*)")(folder);
  llama.func("void llama_backend_init()")();
  const library: LlamaLibrary = {
    modelDefaults: llama.func("llama_model_default_params", modelParams, []),
    contextDefaults: llama.func("llama_context_default_params", contextParams, []),
    loadModel: llama.func("llama_model_load_from_file", "void*", ["str", modelParams]) as unknown as LlamaLibrary["loadModel"],
    freeModel: llama.func("void llama_model_free(void*)"),
    createContext: llama.func("llama_init_from_model", "void*", ["void*", contextParams]),
    freeContext: llama.func("void llama_free(void*)"),
    vocabulary: llama.func("void* llama_model_get_vocab(void*)"),
    width: llama.func("int32 llama_model_n_embd(void*)"),
    trainedContext: llama.func("int32 llama_model_n_ctx_train(void*)"),
    endToken: llama.func("int32 llama_vocab_sep(void*)"),
    tokenize: llama.func("int32 llama_tokenize(void*, const char*, int32, int32*, int32, bool, bool)"),
    tokenizeBytes: llama.func("int32 llama_tokenize(void*, const uint8_t*, int32, int32*, int32, bool, bool)"),
    decode: llama.func("llama_decode", "int32", ["void*", batchStruct]) as unknown as LlamaLibrary["decode"],
    vocabularySize: llama.func("int32 llama_vocab_n_tokens(void*)"),
    logits: llama.func("void* llama_get_logits(void*)"),
    loadAdapter: llama.func("void* llama_adapter_lora_init(void*, const char*)"),
    setAdapter: bindSetAdapter(llama),
    clearMemory: bindClear(llama),
    observe: bindObserve(base),
    dropPages: bindDropPages(),
    sequenceEmbedding: llama.func("void* llama_get_embeddings_seq(void*, int32)"),
  };
  return layoutsFit(library) ? library : null;
}
