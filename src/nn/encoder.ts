/** @file BERT-family encoders as a graph over packed rows: post-norm layers, attention in both directions. T, D, H, W as in decoder.ts. */
import type { Graph, Value } from "#compute";
import type { EncoderConfig } from "./config.ts";
import { buildStages, type DecoderOptions, type Packed, plainProjection, required, type Stage, type Weights } from "./decoder.ts";

/** The stages of an encoder in order: embedding (with its norm), then layers. */
export function encoderStages(config: EncoderConfig): readonly Stage[] {
  return [
    { name: "embedding", build: (graph, weights, packed, _x, options) => embedded(graph, config, weights, packed, options) },
    ...Array.from(
      { length: config.layers },
      (_, layer): Stage => ({
        name: `blk.${layer}`,
        build: (graph, weights, packed, x, options) => encoderLayer(graph, config, weights, packed, layer, x!, options),
      }),
    ),
  ];
}

/** Hidden states of every token, [T, D]. */
export function buildEncoder(graph: Graph, config: EncoderConfig, weights: Weights, packed: Packed, options: DecoderOptions = {}): Value {
  return buildStages(encoderStages(config), graph, weights, packed, options);
}

const normWith =
  (graph: Graph, config: EncoderConfig, weights: Weights, as: DecoderOptions["activations"]) =>
  (x: Value, name: string): Value =>
    graph.apply(
      "layerNorm",
      [x, required(weights, `${name}.weight`), required(weights, `${name}.bias`)],
      { eps: config.normEpsilon },
      { as: as ?? "f32" },
    );

function embedded(graph: Graph, config: EncoderConfig, weights: Weights, packed: Packed, { activations: as = "f32" }: DecoderOptions = {}): Value {
  const words = graph.apply("embedding", [required(weights, "token_embd.weight"), packed.ids], {}, { as }); // [T, D]
  const places = graph.apply("embedding", [required(weights, "position_embd.weight"), packed.positions], {}, { as }); // [T, D]
  const first = graph.apply("sliceRows", [required(weights, "token_types.weight")], { start: 0, count: 1 });
  const kinds = graph.apply("reshape", [first], { rank: 1, d0: config.width }); // [D]
  return normWith(graph, config, weights, as)(graph.apply("addRow", [graph.apply("add", [words, places]), kinds]), "token_embd_norm");
}

function encoderLayer(
  graph: Graph,
  config: EncoderConfig,
  weights: Weights,
  packed: Packed,
  layer: number,
  x: Value,
  { activations: as = "f32", project = plainProjection(graph, weights, as) }: DecoderOptions = {},
): Value {
  const norm = normWith(graph, config, weights, as);
  const tokens = packed.ids.spec.shape[0]!;
  const width = config.width / config.heads;
  const split = (value: Value): Value => graph.apply("reshape", [value], { rank: 3, d0: tokens, d1: config.heads, d2: width });
  const at = (name: string): string => `blk.${layer}.${name}`;
  const [q, k, v] = ["attn_q", "attn_k", "attn_v"].map((name) => split(project(x, `${at(name)}.weight`))); // [T, H, W]
  const o = graph.apply("attention", [q!, k!, v!, packed.segments, packed.positions], { scale: 1 / Math.sqrt(width), causal: 0 });
  const attended = graph.apply("reshape", [o], { rank: 2, d0: tokens, d1: config.width });
  const mixed = norm(project(attended, `${at("attn_output")}.weight`, { residual: x }), at("attn_output_norm"));
  const fed = graph.apply("gelu", [project(mixed, `${at("ffn_up")}.weight`)]); // [T, F]
  return norm(project(fed, `${at("ffn_down")}.weight`, { residual: mixed }), at("layer_output_norm"));
}
