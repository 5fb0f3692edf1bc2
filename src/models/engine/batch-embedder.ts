/** @file Embeds many texts per step: short ones share one pass through the encoder. Runs in the engine process only. */
import koffi from "koffi";
import { StarboxError } from "#base";
import { type EmbedKind, embedderInput } from "./embed-text.ts";
import { type LlamaLibrary, loadLlamaLibrary, type Pointer } from "./llama-library.ts";

export type Embedder = {
  readonly dimensions: number;
  readonly maxTokens: number;
  embed(
    texts: readonly string[],
    kind: EmbedKind,
    signal?: AbortSignal,
  ): Promise<{ readonly vectors: readonly Float32Array[]; readonly tokens: number }>;
  countTokens(texts: readonly string[]): readonly number[];
  dispose(): Promise<void>;
};

/** Texts share a step up to this many tokens: fewer waste the weights' way from memory, more waste attention between strangers. */
const tokensPerStep = 300;
const maxSequences = 64;

class BatchEmbedder implements Embedder {
  readonly dimensions: number;
  readonly maxTokens: number;
  readonly #library: LlamaLibrary;
  readonly #model: Pointer;
  readonly #context: Pointer;
  readonly #vocabulary: Pointer;
  readonly #prefixed: boolean;
  readonly #tokens: Int32Array;
  readonly #positions: Int32Array;
  readonly #sequences: Int32Array;
  readonly #sequenceCounts: Int32Array;
  readonly #sequencePointers: BigUint64Array;
  readonly #outputs: Int8Array;
  #busy: Promise<unknown> = Promise.resolve();
  #largestStep = 0;

  constructor(library: LlamaLibrary, model: Pointer, context: Pointer, maxTokens: number, prefixed: boolean) {
    this.#library = library;
    this.#prefixed = prefixed;
    this.#model = model;
    this.#context = context;
    this.#vocabulary = library.vocabulary(model);
    this.dimensions = library.width(model);
    this.maxTokens = maxTokens;
    const size = Math.max(maxTokens, tokensPerStep);
    this.#tokens = new Int32Array(size);
    this.#positions = new Int32Array(size);
    this.#sequences = new Int32Array(size);
    this.#sequenceCounts = new Int32Array(size).fill(1);
    this.#outputs = new Int8Array(size).fill(1);
    const base = BigInt(koffi.address(this.#sequences));
    this.#sequencePointers = BigUint64Array.from({ length: size }, (_, i) => base + 4n * BigInt(i));
  }

  #tokenize(input: string): Int32Array {
    const bytes = Buffer.byteLength(input);
    const room = new Int32Array(bytes + 8);
    const count = this.#library.tokenize(this.#vocabulary, input, bytes, room, room.length, true, false);
    if (count < 0) throw new StarboxError("internal", `Cutting a text into tokens needs ${-count} places, had ${room.length}.`);
    return room.subarray(0, count);
  }

  countTokens(texts: readonly string[]): readonly number[] {
    return texts.map((text) => this.#tokenize(embedderInput(text, "passage", this.#prefixed)).length);
  }

  async embed(texts: readonly string[], kind: EmbedKind, signal?: AbortSignal): Promise<{ vectors: Float32Array[]; tokens: number }> {
    const turn = this.#busy.then(() => this.#embedNow(texts, kind, signal)); // one context: one call after the other
    this.#busy = turn.catch(() => {});
    return turn;
  }

  async #embedNow(texts: readonly string[], kind: EmbedKind, signal?: AbortSignal): Promise<{ vectors: Float32Array[]; tokens: number }> {
    const inputs = texts.map((text) => {
      const tokens = this.#tokenize(embedderInput(text, kind, this.#prefixed));
      if (tokens.length <= this.maxTokens) return tokens;
      const cut = tokens.slice(0, this.maxTokens);
      cut[this.maxTokens - 1] = tokens[tokens.length - 1] ?? 0; // the end mark stays
      return cut;
    });
    const order = inputs.map((_, i) => i).sort((a, b) => (inputs[a]?.length ?? 0) - (inputs[b]?.length ?? 0));
    const vectors: Float32Array[] = new Array(texts.length);
    let total = 0;
    for (let at = 0; at < order.length; ) {
      if (signal?.aborted === true) throw new StarboxError("cancelled", "Embedding was cancelled.", { zh: { message: "向量计算已取消。" } });
      const members: number[] = [];
      let count = 0;
      while (at < order.length && members.length < maxSequences) {
        const index = order[at] ?? 0;
        const tokens = inputs[index] ?? new Int32Array();
        if (members.length > 0 && count + tokens.length > tokensPerStep) break;
        this.#tokens.set(tokens, count);
        for (let i = 0; i < tokens.length; i++) {
          this.#positions[count + i] = i;
          this.#sequences[count + i] = members.length;
        }
        count += tokens.length;
        members.push(index);
        at++;
      }
      await this.#step(count);
      this.#dropLogits(count);
      total += count;
      members.forEach((index, sequence) => {
        vectors[index] = this.#vector(sequence);
      });
    }
    return { vectors, tokens: total };
  }

  #step(count: number): Promise<void> {
    const batch = {
      n_tokens: count,
      token: this.#tokens,
      embd: null,
      pos: this.#positions,
      n_seq_id: this.#sequenceCounts,
      seq_id: this.#sequencePointers,
      logits: this.#outputs,
    };
    return new Promise((resolve, reject) => {
      this.#library.decode.async(this.#context, batch, (error, result) => {
        if (error !== null) reject(error);
        else if (result !== 0) reject(new StarboxError("engine_failed", `The embedder answered ${result} for a step of ${count} tokens.`));
        else resolve();
      });
    });
  }

  /** llama.cpp keeps (and clears, so: occupies) room for every word's logit of every token, half a gigabyte with this vocabulary; an encoder never writes there. */
  #dropLogits(count: number): void {
    if (count <= this.#largestStep) return; // the room only grows
    this.#largestStep = count;
    const logits = this.#library.logits(this.#context);
    if (logits === null) return;
    this.#library.dropPages(BigInt(koffi.address(logits)), BigInt(this.#library.vocabularySize(this.#vocabulary)) * BigInt(count) * 4n);
  }

  #vector(sequence: number): Float32Array {
    const raw = koffi.decode(
      this.#library.sequenceEmbedding(this.#context, sequence),
      koffi.array("float", this.dimensions, "Typed"),
    ) as Float32Array;
    const vector = Float32Array.from(raw);
    let sum = 0;
    for (const value of vector) sum += value * value;
    const scale = 1 / Math.sqrt(sum);
    for (let i = 0; i < vector.length; i++) vector[i] = (vector[i] ?? 0) * scale;
    return vector;
  }

  async dispose(): Promise<void> {
    await this.#busy;
    this.#library.freeContext(this.#context);
    this.#library.freeModel(this.#model);
  }
}

/** Null where the platform's library is not known: the caller then uses node-llama-cpp one text at a time. */
export async function loadBatchEmbedder(
  filePath: string,
  options: { readonly threads: number; readonly prefixed?: boolean },
): Promise<Embedder | null> {
  const library = loadLlamaLibrary();
  if (library === null) return null;
  const modelParams = { ...library.modelDefaults(), n_gpu_layers: 0 };
  const model = await new Promise<Pointer>((resolve, reject) =>
    library.loadModel.async(filePath, modelParams, (error, result) => (error === null ? resolve(result) : reject(error))),
  );
  if (model === null)
    throw new StarboxError("model_invalid", `llama.cpp cannot load the embedder ${filePath}.`, { hint: "starbox models verify ID checks the file." });
  const maxTokens = Math.min(library.trainedContext(model), 2048);
  const size = Math.max(maxTokens, tokensPerStep);
  const context = library.createContext(model, {
    ...library.contextDefaults(),
    n_ctx: size,
    n_batch: size,
    n_ubatch: size,
    n_seq_max: maxSequences,
    n_threads: options.threads,
    n_threads_batch: options.threads,
    embeddings: true,
    flash_attn_type: 1,
    kv_unified: true,
  });
  if (context === null) {
    library.freeModel(model);
    throw new StarboxError("engine_failed", "llama.cpp could not make room for the embedder.", { hint: "Free memory and try again." });
  }
  return new BatchEmbedder(library, model, context, maxTokens, options.prefixed ?? true);
}
