/**
 * @file Decoder-only transformers (llama, qwen2, qwen3, gemma3) as a graph over packed rows.
 * T: all tokens of the batch · D: width · H, G: query and key/value heads · W: head width · F: feed-forward width
 */
import type { ActivationType, Graph, Value } from "#compute";
import type { DecoderConfig } from "./config.ts";

/** Weights by their GGUF names; null where a model has none of that name. */
export type Weights = (name: string) => Value | null;

export type Packed = {
  readonly ids: Value; // i32 [T]
  readonly positions: Value; // i32 [T]
  readonly segments: Value; // i32 [n, 3]; read by nobody where `attend` is given
  /** Attention over keys and values kept elsewhere (in pages, for generation). Default: over the rows themselves, by segments. */
  readonly attend?: Attend;
};

/** q [T, H, W], k and v [T, G, W] already turned -> [T, H, W]. */
export type Attend = (
  layer: number,
  q: Value,
  k: Value,
  v: Value,
  params: { readonly scale: number /** 0: everything before. */; readonly window: number },
) => Value;

/** Everything that happens between `x` and a weight goes through here: training puts adapters in its place. */
export type Project = (x: Value, weight: string, options?: { readonly residual?: Value }) => Value;

export type DecoderOptions = {
  /** Element type of activations between operators. */
  readonly activations?: ActivationType;
  /** Sees values on the way, for comparison layer by layer. */
  readonly tap?: (name: string, value: Value) => void;
  readonly project?: Project;
  /** i32 [S]: only these rows of the result are wanted. The last layer computes nothing of the others that they do not need; the result is [S, D]. */
  readonly rows?: Value;
};

/** y = x Wᵀ (+ bias, + residual), with the weight and bias of that name. */
export function plainProjection(graph: Graph, weights: Weights, as: ActivationType): Project {
  return (x, weight, { residual } = {}) =>
    graph.apply("linear", [x, required(weights, weight), weights(weight.replace(/weight$/, "bias")), residual ?? null], {}, { as });
}

export function required(weights: Weights, name: string): Value {
  const value = weights(name);
  if (value === null) throw new Error(`no weight "${name}"`);
  return value;
}

/** One step of a model that can be built and run alone: its tokens' rows in, its rows out. */
export type Stage = {
  /** "embedding", "blk.0" …, "output_norm": the names that comparisons layer by layer use. */
  readonly name: string;
  /** Null: reads the tokens themselves. */
  readonly build: (graph: Graph, weights: Weights, packed: Packed, x: Value | null, options?: DecoderOptions) => Value;
};

/** The stages of a decoder in order: embedding, layers, last norm. */
export function decoderStages(config: DecoderConfig): readonly Stage[] {
  const context = (graph: Graph, weights: Weights, packed: Packed, { activations: as = "f32", project, tap, rows }: DecoderOptions = {}) => ({
    graph,
    config,
    weights,
    packed,
    as,
    tap,
    rows,
    project: project ?? plainProjection(graph, weights, as),
    norm: (x: Value, name: string): Value => graph.apply("rmsNorm", [x, required(weights, name)], { eps: config.normEpsilon }, { as }),
  });
  return [
    {
      name: "embedding",
      build: (graph, weights, packed, _x, { activations: as = "f32" } = {}) =>
        graph.apply("embedding", [required(weights, "token_embd.weight"), packed.ids], { scale: config.embeddingScale }, { as }), // [T, D]
    },
    ...Array.from(
      { length: config.layers },
      (_, layer): Stage => ({
        name: `blk.${layer}`,
        build: (graph, weights, packed, x, options) => decoderLayer({ ...context(graph, weights, packed, options), layer }, x!),
      }),
    ),
    { name: "output_norm", build: (graph, weights, packed, x, options) => context(graph, weights, packed, options).norm(x!, "output_norm.weight") },
  ];
}

/** Hidden states after the last norm, [T, D]: what the head multiplies. */
export function buildDecoder(graph: Graph, config: DecoderConfig, weights: Weights, packed: Packed, options: DecoderOptions = {}): Value {
  return buildStages(decoderStages(config), graph, weights, packed, options);
}

export function buildStages(stages: readonly Stage[], graph: Graph, weights: Weights, packed: Packed, options: DecoderOptions): Value {
  let x: Value | null = null;
  for (const { name, build } of stages) {
    x = build(graph, weights, packed, x, options);
    options.tap?.(name, x);
  }
  return x!;
}

function decoderLayer(context: LayerContext, before: Value): Value {
  const { graph, config, project, norm, layer, tap, rows } = context;
  const at = (name: string): string => `blk.${layer}.${name}.weight`;
  const last = layer === config.layers - 1;
  /** What follows the last attention works row by row. */
  const wanted = (value: Value): Value => (rows === undefined || !last ? value : graph.apply("embedding", [value, rows], {}, typeOf(value)));
  const whole = attention(context, norm(before, at("attn_norm"))); // [T, H·W]
  tap?.(`blk.${layer}.attention`, whole);
  const [attended, x] = [wanted(whole), wanted(before)];
  const mixed = config.postNorms
    ? graph.apply("add", [x, norm(project(attended, at("attn_output")), at("post_attention_norm"))])
    : project(attended, at("attn_output"), { residual: x }); // [T, D]
  const fed = norm(mixed, at("ffn_norm"));
  const gated = graph.apply(config.activation, [project(fed, at("ffn_gate")), project(fed, at("ffn_up"))]); // [T, F]
  return config.postNorms
    ? graph.apply("add", [mixed, norm(project(gated, at("ffn_down")), at("post_ffw_norm"))])
    : project(gated, at("ffn_down"), { residual: mixed }); // [T, D]
}

const typeOf = (value: Value) => ({ as: value.spec.dtype });

type LayerContext = {
  readonly graph: Graph;
  readonly config: DecoderConfig;
  readonly weights: Weights;
  readonly packed: Packed;
  readonly as: ActivationType;
  readonly project: Project;
  readonly norm: (x: Value, name: string) => Value;
  readonly tap: DecoderOptions["tap"] | undefined;
  readonly rows: Value | undefined;
  readonly layer: number;
};

function attention({ graph, config, packed, project, norm, layer }: LayerContext, x: Value): Value {
  const { heads, kvHeads, headWidth, rope } = config;
  const at = (name: string): string => `blk.${layer}.${name}.weight`;
  const tokens = x.spec.shape[0]!;
  const local = config.slidingWindow !== null && (layer + 1) % config.slidingWindow.pattern !== 0;
  const split = (value: Value, count: number): Value => graph.apply("reshape", [value], { rank: 3, d0: tokens, d1: count, d2: headWidth });
  /** Each head's vector normed on its own: rows of one head. */
  const headNorm = (value: Value, count: number, name: string): Value => {
    if (!config.headNorms) return value;
    const rows = graph.apply("reshape", [value], { rank: 2, d0: tokens * count, d1: headWidth });
    return split(norm(rows, at(name)), count);
  };
  const turn = (value: Value): Value =>
    graph.apply("rope", [value, packed.positions], {
      base: local ? rope.localBase : rope.base,
      n: rope.dimensions,
      interleaved: rope.interleaved ? 1 : 0,
      positionScale: local ? 1 : rope.positionScale,
    });
  const q = turn(headNorm(split(project(x, at("attn_q")), heads), heads, "attn_q_norm")); // [T, H, W]
  const k = turn(headNorm(split(project(x, at("attn_k")), kvHeads), kvHeads, "attn_k_norm")); // [T, G, W]
  const v = split(project(x, at("attn_v")), kvHeads); // [T, G, W]
  const params = { scale: config.attentionScale, window: local ? config.slidingWindow!.size : 0 };
  const o =
    packed.attend?.(layer, q, k, v, params) ?? graph.apply("attention", [q, k, v, packed.segments, packed.positions], { ...params, causal: 1 }); // [T, H, W]
  return graph.apply("reshape", [o], { rank: 2, d0: tokens, d1: heads * headWidth });
}

/** The head's weight: its own, or the embedding table where they are tied. */
export const headWeight = (weights: Weights): Value => weights("output.weight") ?? required(weights, "token_embd.weight");
