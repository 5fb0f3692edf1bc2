/** @file What a model is, in numbers: families and their settings, read from a GGUF file's metadata. No weights. */
import { StarboxError } from "#base";

export type DecoderFamily = "llama" | "qwen2" | "qwen3" | "gemma3";

export type DecoderConfig = {
  readonly kind: "decoder";
  readonly family: DecoderFamily;
  readonly layers: number;
  readonly width: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headWidth: number;
  readonly feedForward: number;
  readonly vocabulary: number;
  readonly context: number;
  readonly normEpsilon: number;
  readonly rope: {
    readonly base: number;
    /** Of layers with a sliding window, where they have their own. */
    readonly localBase: number;
    readonly dimensions: number;
    /** Pairs stand next to each other (llama's GGUF files) or half a head apart (all others). */
    readonly interleaved: boolean;
    readonly positionScale: number;
  };
  /** Every `pattern`-th layer sees everything, the others `size` positions. Null: all see everything. */
  readonly slidingWindow: { readonly size: number; readonly pattern: number } | null;
  readonly activation: "swiglu" | "geglu";
  /** Multiplies the embedding rows. */
  readonly embeddingScale: number;
  readonly attentionScale: number;
  /** Norms of each query and key head; norms after attention and after the feed-forward part. */
  readonly headNorms: boolean;
  readonly postNorms: boolean;
};

export type EncoderConfig = {
  readonly kind: "encoder";
  readonly family: "bert";
  readonly layers: number;
  readonly width: number;
  readonly heads: number;
  readonly feedForward: number;
  readonly vocabulary: number;
  readonly context: number;
  readonly normEpsilon: number;
};

export type ModelConfig = DecoderConfig | EncoderConfig;

/** The part of a GGUF file this needs; `formats` gives it. */
export type ModelMetadata = {
  number(key: string, fallback?: number): number;
  text(key: string, fallback?: string): string;
  readonly tensors: ReadonlyMap<string, { readonly shape: readonly number[] }>;
  readonly metadata: ReadonlyMap<string, unknown>;
};

const families = ["llama", "qwen2", "qwen3", "gemma3"] as const;

/** Throws `unsupported` for other families and for settings that would be applied wrongly. */
export function readModelConfig(file: ModelMetadata): ModelConfig {
  const architecture = file.text("general.architecture");
  const number = (key: string, fallback?: number): number => file.number(`${architecture}.${key}`, fallback);
  const vocabulary = file.tensors.get("token_embd.weight")?.shape[0] ?? 0;
  const shared = {
    layers: number("block_count"),
    width: number("embedding_length"),
    heads: number("attention.head_count"),
    feedForward: number("feed_forward_length"),
    vocabulary,
    context: number("context_length"),
  };
  if (architecture === "bert") {
    return { kind: "encoder", family: "bert", ...shared, normEpsilon: number("attention.layer_norm_epsilon", 1e-12) };
  }
  const family = families.find((name) => name === architecture);
  if (family === undefined) throw unsupported(`the family "${architecture}"`, `${families.join(", ")}, bert`);
  const scaling = file.metadata.get(`${architecture}.rope.scaling.type`) ?? "none";
  if (scaling !== "none" && scaling !== "linear") throw unsupported(`rope scaling "${String(scaling)}"`, "none, linear");
  const headWidth = number("attention.key_length", shared.width / shared.heads);
  const gemma = family === "gemma3";
  const base = number("rope.freq_base", gemma ? 1_000_000 : 10_000);
  return {
    kind: "decoder",
    family,
    ...shared,
    kvHeads: number("attention.head_count_kv", shared.heads),
    headWidth,
    normEpsilon: number("attention.layer_norm_rms_epsilon"),
    rope: {
      base,
      localBase: gemma ? number("rope.freq_base_swa", 10_000) : base,
      dimensions: number("rope.dimension_count", headWidth),
      interleaved: family === "llama",
      positionScale: scaling === "linear" ? 1 / number("rope.scaling.factor") : 1,
    },
    slidingWindow: gemma ? { size: number("attention.sliding_window"), pattern: number("attention.sliding_window_pattern", 6) } : null,
    activation: gemma ? "geglu" : "swiglu",
    embeddingScale: gemma ? Math.sqrt(shared.width) : 1,
    attentionScale: 1 / Math.sqrt(headWidth),
    headNorms: file.tensors.has("blk.0.attn_q_norm.weight"),
    postNorms: file.tensors.has("blk.0.post_attention_norm.weight"),
  };
}

const unsupported = (what: string, known: string): StarboxError =>
  new StarboxError("unsupported", `Our own engine does not run ${what}.`, {
    hint: `It runs: ${known}. llama.cpp may run this model.`,
    zh: { message: `自有引擎不支持 ${what}。`, hint: `支持：${known}。可改用 llama.cpp 引擎。` },
  });
