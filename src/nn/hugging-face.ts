/** @file Hugging Face's config.json and tensor names in our terms: settings, and for each of our weights where it comes from. No files, no bytes. */
import { StarboxError } from "#base";
import type { DecoderConfig, DecoderFamily, EncoderConfig, ModelConfig } from "./config.ts";

type Json = Readonly<Record<string, unknown>>;
export type WeightSource = {
  readonly source: string;
  readonly shape: readonly number[];
  /** First row taken: XLM-R's positions begin after those of padding. */
  readonly firstRow: number;
  /** Added to every value: gemma's norms are kept less one. */
  readonly add: number;
};
export type HuggingFaceModel = { readonly config: ModelConfig; readonly weights: ReadonlyMap<string, WeightSource> };

const decoders: Readonly<Record<string, DecoderFamily>> = { llama: "llama", qwen2: "qwen2", qwen3: "qwen3", gemma3_text: "gemma3" };
const encoders = ["bert", "xlm-roberta", "roberta"];

function unsupported(what: string, known: string): StarboxError {
  return new StarboxError("unsupported", `Our own engine does not run ${what}.`, {
    hint: `It runs: ${known}.`,
    zh: { message: `自有引擎不支持 ${what}。`, hint: `支持：${known}。` },
  });
}
const invalid = (what: string): StarboxError =>
  new StarboxError("model_invalid", `config.json: ${what}.`, { zh: { message: `config.json 有误：${what}。` } });

/** Throws `unsupported` for families and settings that would be applied wrongly, `model_invalid` where something needed is missing. */
export function readHuggingFace(config: Json, tensors: ReadonlyMap<string, { readonly shape: readonly number[] }>): HuggingFaceModel {
  const type = String(config["model_type"]);
  const family = decoders[type];
  if (family !== undefined) return readDecoder(family, config, tensors);
  if (encoders.includes(type)) return readEncoder(type, config, tensors);
  throw unsupported(`the family "${type}"`, [...Object.keys(decoders), ...encoders].join(", "));
}

function reader(config: Json) {
  const number = (key: string, fallback?: number): number => {
    const value = config[key] ?? fallback;
    if (typeof value !== "number" || !Number.isFinite(value) || value < 0)
      throw invalid(`"${key}" should be a number and is ${JSON.stringify(value)}`);
    return value;
  };
  const whole = (key: string, fallback?: number): number => {
    const value = number(key, fallback);
    if (!Number.isInteger(value) || value === 0) throw invalid(`"${key}" should be a whole number above 0 and is ${value}`);
    return value;
  };
  return { number, whole };
}

const object = (value: unknown): Json => (typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : {});

/** Old files say rope_theta and rope_scaling; new ones rope_parameters, gemma's one a kind of layer. */
function readRope(config: Json, kind: "full_attention" | "sliding_attention", fallback: number): { readonly base: number; readonly scale: number } {
  const parameters = object(config["rope_parameters"]);
  const own = object(parameters[kind]);
  const found = { ...object(config["rope_scaling"]), ...(Object.keys(own).length > 0 ? own : parameters) };
  const local = kind === "sliding_attention";
  const base = found["rope_theta"] ?? (local ? config["rope_local_base_freq"] : config["rope_theta"]) ?? fallback;
  const type = local && Object.keys(own).length === 0 ? "default" : (found["rope_type"] ?? found["type"] ?? "default");
  if (type !== "default" && type !== "linear") throw unsupported(`rope scaling "${String(type)}"`, "default, linear");
  const factor = type === "linear" ? found["factor"] : 1;
  if (typeof base !== "number" || typeof factor !== "number" || !(base > 0) || !(factor > 0))
    throw invalid("its rope settings are no positive numbers");
  return { base, scale: 1 / factor };
}

function readDecoder(family: DecoderFamily, config: Json, tensors: ReadonlyMap<string, { readonly shape: readonly number[] }>): HuggingFaceModel {
  const { number, whole } = reader(config);
  const gemma = family === "gemma3";
  const [width, heads, layers] = [whole("hidden_size"), whole("num_attention_heads"), whole("num_hidden_layers")];
  const headWidth = whole("head_dim", gemma ? 256 : width / heads);
  const activation = config["hidden_activation"] ?? config["hidden_act"] ?? "silu";
  if (activation !== (gemma ? "gelu_pytorch_tanh" : "silu"))
    throw unsupported(`the activation "${String(activation)}" in ${family}`, gemma ? "gelu_pytorch_tanh" : "silu");
  for (const key of ["attn_logit_softcapping", "final_logit_softcapping", "mlp_bias"])
    if (config[key]) throw unsupported(`"${key}"`, "models without it");
  if (config["use_sliding_window"] === true) throw unsupported(`a sliding window in ${family}`, "gemma3's");
  const rope = readRope(config, "full_attention", gemma ? 1_000_000 : 10_000);
  const weights = new Map<string, WeightSource>();
  const take = (name: string, source: string, add = 0): void => {
    const found = tensors.get(source);
    if (found !== undefined) weights.set(name, { source, shape: found.shape, firstRow: 0, add });
  };
  const norm = gemma ? 1 : 0;
  take("token_embd.weight", "model.embed_tokens.weight");
  take("output_norm.weight", "model.norm.weight", norm);
  if (config["tie_word_embeddings"] !== true && !(gemma && config["tie_word_embeddings"] === undefined)) take("output.weight", "lm_head.weight");
  for (let i = 0; i < layers; i++) {
    const at = (part: string): string => `model.layers.${i}.${part}`;
    const to = (part: string): string => `blk.${i}.${part}`;
    for (const [short, long] of [
      ["q", "q"],
      ["k", "k"],
      ["v", "v"],
      ["output", "o"],
    ] as const)
      for (const kind of ["weight", "bias"]) take(to(`attn_${short}.${kind}`), at(`self_attn.${long}_proj.${kind}`));
    for (const part of ["q", "k"]) take(to(`attn_${part}_norm.weight`), at(`self_attn.${part}_norm.weight`), norm);
    for (const part of ["gate", "up", "down"]) take(to(`ffn_${part}.weight`), at(`mlp.${part}_proj.weight`));
    take(to("attn_norm.weight"), at("input_layernorm.weight"), norm);
    if (gemma) {
      take(to("post_attention_norm.weight"), at("post_attention_layernorm.weight"), norm);
      take(to("ffn_norm.weight"), at("pre_feedforward_layernorm.weight"), norm);
      take(to("post_ffw_norm.weight"), at("post_feedforward_layernorm.weight"), norm);
    } else take(to("ffn_norm.weight"), at("post_attention_layernorm.weight"));
  }
  const found: DecoderConfig = {
    kind: "decoder",
    family,
    layers,
    width,
    heads,
    kvHeads: whole("num_key_value_heads", heads),
    headWidth,
    feedForward: whole("intermediate_size"),
    vocabulary: whole("vocab_size"),
    context: whole("max_position_embeddings"),
    normEpsilon: number("rms_norm_eps", 1e-6),
    rope: {
      base: rope.base,
      localBase: gemma ? readRope(config, "sliding_attention", 10_000).base : rope.base,
      dimensions: headWidth,
      interleaved: false, // Hugging Face keeps llama's pairs half a head apart; only GGUF reorders them
      positionScale: rope.scale,
    },
    slidingWindow: gemma ? { size: whole("sliding_window"), pattern: slidingPattern(config, layers) } : null,
    activation: gemma ? "geglu" : "swiglu",
    embeddingScale: gemma ? Math.sqrt(width) : 1,
    attentionScale: 1 / Math.sqrt(gemma ? number("query_pre_attn_scalar", headWidth) : headWidth),
    headNorms: weights.has("blk.0.attn_q_norm.weight"),
    postNorms: gemma,
  };
  const { kvHeads, feedForward, vocabulary } = found;
  expectWeights(
    weights,
    tensors,
    [
      ["token_embd.weight", [vocabulary, width]],
      ["output_norm.weight", [width]],
      ...Array.from({ length: layers }, (_, i) => i).flatMap((i): Expected[] => [
        [`blk.${i}.attn_norm.weight`, [width]],
        [`blk.${i}.attn_q.weight`, [heads * headWidth, width]],
        [`blk.${i}.attn_k.weight`, [kvHeads * headWidth, width]],
        [`blk.${i}.attn_v.weight`, [kvHeads * headWidth, width]],
        [`blk.${i}.attn_output.weight`, [width, heads * headWidth]],
        [`blk.${i}.ffn_norm.weight`, [width]],
        [`blk.${i}.ffn_gate.weight`, [feedForward, width]],
        [`blk.${i}.ffn_up.weight`, [feedForward, width]],
        [`blk.${i}.ffn_down.weight`, [width, feedForward]],
      ]),
    ],
    ["lm_head.weight"],
  );
  return { config: found, weights };
}

/** Which layers see everything: every n-th, as the graph has it. Another order is refused. */
function slidingPattern(config: Json, layers: number): number {
  const types = config["layer_types"];
  const given = config["sliding_window_pattern"];
  const pattern = typeof given === "number" ? given : Array.isArray(types) ? types.indexOf("full_attention") + 1 || layers + 1 : 6;
  if (Array.isArray(types) && types.some((type, i) => (type === "full_attention") !== ((i + 1) % pattern === 0)))
    throw unsupported("this order of full and sliding attention", "every n-th layer full");
  return pattern;
}

type Expected = readonly [name: string, shape: readonly number[]];

/** Everything needed is there in its shape, and nothing of the file is left over. */
function expectWeights(
  weights: ReadonlyMap<string, WeightSource>,
  tensors: ReadonlyMap<string, unknown>,
  expected: readonly Expected[],
  ignored: readonly string[],
): void {
  for (const [name, shape] of expected) {
    const found = weights.get(name);
    if (found === undefined) throw invalid(`the files hold no tensor for ${name}`);
    if (found.shape.join() !== shape.join()) throw invalid(`"${found.source}" is [${found.shape}], the settings say [${shape}]`);
  }
  const used = new Set([...weights.values()].map(({ source }) => source));
  const left = [...tensors.keys()].find(
    (name) => !used.has(name) && !ignored.includes(name) && !/rotary_emb\.inv_freq$|position_ids$|^pooler\./.test(name),
  );
  if (left !== undefined) throw unsupported(`the tensor "${left}"`, "models whose every weight is applied");
}

function readEncoder(type: string, config: Json, tensors: ReadonlyMap<string, { readonly shape: readonly number[] }>): HuggingFaceModel {
  const { number, whole } = reader(config);
  const [width, layers, feedForward] = [whole("hidden_size"), whole("num_hidden_layers"), whole("intermediate_size")];
  const activation = config["hidden_act"] ?? "gelu";
  if (activation !== "gelu") throw unsupported(`the activation "${String(activation)}" in ${type}`, "gelu");
  const kind = config["position_embedding_type"] ?? "absolute";
  if (kind !== "absolute") throw unsupported(`positions of kind "${String(kind)}"`, "absolute");
  const prefix = ["", "bert.", "roberta."].find((one) => tensors.has(`${one}embeddings.word_embeddings.weight`)) ?? "";
  const firstRow = type === "bert" ? 0 : number("pad_token_id", 1) + 1;
  const weights = new Map<string, WeightSource>();
  const take = (name: string, source: string, from = 0): void => {
    const found = tensors.get(prefix + source);
    if (found === undefined) return;
    weights.set(name, { source: prefix + source, shape: [(found.shape[0] ?? 0) - from, ...found.shape.slice(1)], firstRow: from, add: 0 });
  };
  take("token_embd.weight", "embeddings.word_embeddings.weight");
  take("position_embd.weight", "embeddings.position_embeddings.weight", firstRow);
  take("token_types.weight", "embeddings.token_type_embeddings.weight");
  for (const part of ["weight", "bias"]) {
    take(`token_embd_norm.${part}`, `embeddings.LayerNorm.${part}`);
    for (let i = 0; i < layers; i++)
      for (const [ours, theirs] of [
        ["attn_q", "attention.self.query"],
        ["attn_k", "attention.self.key"],
        ["attn_v", "attention.self.value"],
        ["attn_output", "attention.output.dense"],
        ["attn_output_norm", "attention.output.LayerNorm"],
        ["ffn_up", "intermediate.dense"],
        ["ffn_down", "output.dense"],
        ["layer_output_norm", "output.LayerNorm"],
      ] as const)
        take(`blk.${i}.${ours}.${part}`, `encoder.layer.${i}.${theirs}.${part}`);
  }
  const vocabulary = whole("vocab_size");
  const found: EncoderConfig = {
    kind: "encoder",
    family: "bert",
    layers,
    width,
    heads: whole("num_attention_heads"),
    feedForward,
    vocabulary,
    context: whole("max_position_embeddings") - firstRow,
    normEpsilon: number("layer_norm_eps", 1e-12),
  };
  const square: readonly number[] = [width, width];
  expectWeights(
    weights,
    tensors,
    [
      ["token_embd.weight", [vocabulary, width]],
      ["position_embd.weight", [found.context, width]],
      ["token_types.weight", [whole("type_vocab_size"), width]],
      ["token_embd_norm.weight", [width]],
      ...Array.from({ length: layers }, (_, i) => i).flatMap((i): Expected[] => [
        ...["attn_q", "attn_k", "attn_v", "attn_output"].map((name): Expected => [`blk.${i}.${name}.weight`, square]),
        [`blk.${i}.ffn_up.weight`, [feedForward, width]],
        [`blk.${i}.ffn_down.weight`, [width, feedForward]],
        [`blk.${i}.layer_output_norm.weight`, [width]],
      ]),
    ],
    [],
  );
  return { config: found, weights };
}
