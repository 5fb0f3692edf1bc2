/** @file A process that runs llama.cpp on given tokens and answers what it computed: every layer's rows and all logits, before any sampling. For comparison only. */
import koffi from "koffi";
import { type LlamaLibrary, loadLlamaLibrary, type Pointer } from "./llama-library.ts";

export type LlamaRequest = {
  readonly file: string;
  readonly ids: Int32Array;
  readonly threads: number;
  /** Continue with this many tokens of its own choice (the largest logit) before everything is computed once more in one step. */
  readonly greedy: number;
  readonly pooled: boolean;
};
/** Logits of chosen rows of several texts, with an adapter or without: what serving would sample from. */
export type LlamaTexts = {
  readonly file: string;
  readonly adapter: string | null;
  readonly texts: readonly { readonly ids: Int32Array; readonly rows: Int32Array }[];
  readonly threads: number;
};
export type LlamaValues = {
  readonly ids: Int32Array;
  /** By our stages' names. */
  readonly stages: Readonly<Record<string, Float32Array>>;
  readonly logits: Float32Array | null;
  readonly prefillSeconds: number;
  readonly decodeSeconds: number | null;
};

/** llama.cpp's name of a tensor -> ours. */
function stageOf(name: string): string | null {
  const layer = /^l_out-(\d+)$/.exec(name)?.[1];
  return layer !== undefined ? `blk.${layer}` : name === "result_norm" ? "output_norm" : null;
}

function step(library: LlamaLibrary, context: Pointer, ids: Int32Array, from: number, all: boolean): void {
  const count = ids.length;
  const sequences = new Int32Array(1);
  const pointer = BigInt(koffi.address(sequences));
  const status = library.decode(context, {
    n_tokens: count,
    token: ids,
    embd: null,
    pos: ids.map((_, i) => from + i),
    n_seq_id: new Int32Array(count).fill(1),
    seq_id: new BigUint64Array(count).fill(pointer),
    logits: Int8Array.from(ids, (_, i) => (all || i === count - 1 ? 1 : 0)),
  });
  if (status !== 0) throw new Error(`llama.cpp answered ${status} for ${count} tokens`);
}

const numbersAt = (pointer: Pointer, count: number): Float32Array =>
  new Float32Array((koffi.view(pointer as never, count * 4) as ArrayBuffer).slice(0, count * 4));

function largest(row: Float32Array): number {
  let at = 0;
  for (let i = 1; i < row.length; i++) if (row[i]! > row[at]!) at = i;
  return at;
}

function answer({ file, ids, threads, greedy, pooled }: LlamaRequest): LlamaValues {
  const library = loadLlamaLibrary();
  if (library === null) throw new Error("this platform's llama.cpp library is of a release whose layout is not known");
  const model = library.loadModel(file, { ...library.modelDefaults(), n_gpu_layers: 0, use_extra_bufts: false });
  if (model === null) throw new Error(`llama.cpp cannot load ${file}`);
  const vocabulary = library.vocabularySize(library.vocabulary(model));
  const stages: Record<string, Float32Array> = {};
  const room = ids.length + greedy;
  const shared = {
    n_ctx: Math.max(64, room),
    n_batch: Math.max(64, room),
    n_ubatch: Math.max(64, room),
    n_seq_max: 1,
    n_threads: threads,
    n_threads_batch: threads,
  };
  // Keys and values in f32, no flash attention: the network itself is compared, not what a cache rounds.
  const context = library.createContext(model, {
    ...library.contextDefaults(),
    ...shared,
    embeddings: pooled,
    flash_attn_type: 0,
    type_k: 0,
    type_v: 0,
  });
  let sequence = ids;
  let decodeSeconds: number | null = null;
  if (greedy > 0) {
    step(library, context, ids, 0, false);
    const since = performance.now();
    for (let i = 0; i < greedy; i++) {
      const next = Int32Array.of(largest(numbersAt(library.logits(context), vocabulary)));
      sequence = Int32Array.from([...sequence, ...next]);
      if (i < greedy - 1) step(library, context, next, sequence.length - 1, false);
    }
    decodeSeconds = (performance.now() - since) / 1000;
  }
  library.freeContext(context);
  const observer = library.observe(
    (name) => stageOf(name) !== null,
    (name, values) => {
      stages[stageOf(name)!] = values;
    },
  );
  const whole = library.createContext(model, {
    ...library.contextDefaults(),
    ...shared,
    embeddings: pooled,
    flash_attn_type: 0,
    type_k: 0,
    type_v: 0,
    cb_eval: observer,
  });
  const since = performance.now();
  step(library, whole, sequence, 0, true);
  const prefillSeconds = (performance.now() - since) / 1000;
  let logits: Float32Array | null = null;
  if (pooled) stages["pooled"] = numbersAt(library.sequenceEmbedding(whole, 0), library.width(model));
  else logits = numbersAt(library.logits(whole), sequence.length * vocabulary);
  library.freeContext(whole);
  library.freeModel(model);
  return { ids: sequence, stages, logits, prefillSeconds, decodeSeconds };
}

/** Keys and values in f32, no flash attention: the network is compared, not what a cache rounds. */
function logitsOf({ file, adapter, texts, threads }: LlamaTexts): Float32Array[] {
  const library = loadLlamaLibrary();
  if (library === null) throw new Error("this platform's llama.cpp library is of a release whose layout is not known");
  const model = library.loadModel(file, { ...library.modelDefaults(), n_gpu_layers: 0, use_extra_bufts: false });
  if (model === null) throw new Error(`llama.cpp cannot load ${file}`);
  const vocabulary = library.vocabularySize(library.vocabulary(model));
  const room = Math.max(64, ...texts.map(({ ids }) => ids.length));
  const sizes = { n_ctx: room, n_batch: room, n_ubatch: room, n_seq_max: 1, n_threads: threads, n_threads_batch: threads };
  const context = library.createContext(model, { ...library.contextDefaults(), ...sizes, flash_attn_type: 0, type_k: 0, type_v: 0 });
  if (adapter !== null) {
    const loaded = library.loadAdapter(model, adapter);
    if (loaded === null) throw new Error(`llama.cpp cannot load the adapter ${adapter}`);
    library.setAdapter(context, loaded);
  }
  const results = texts.map(({ ids, rows }) => {
    library.clearMemory(context);
    step(library, context, ids, 0, true);
    const all = koffi.view(library.logits(context) as never, ids.length * vocabulary * 4) as ArrayBuffer;
    const chosen = new Float32Array(rows.length * vocabulary);
    rows.forEach((row, i) => {
      chosen.set(new Float32Array(all, row * vocabulary * 4, vocabulary), i * vocabulary);
    });
    return chosen;
  });
  library.freeContext(context);
  library.freeModel(model);
  return results;
}

const reply = (message: object): void => void process.send?.(message, undefined, {}, () => process.disconnect?.());

process.once("message", (request: LlamaRequest | LlamaTexts) => {
  try {
    reply({ values: "texts" in request ? logitsOf(request) : answer(request) });
  } catch (error) {
    reply({ failed: (error as Error).message });
  }
});
