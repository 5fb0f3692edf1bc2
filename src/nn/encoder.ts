/** @file BERT-family encoders as a graph over packed rows: post-norm layers, attention in both directions. T, D, H, W as in decoder.ts. */
import type { Graph, Value } from "#compute";
import type { EncoderConfig } from "./config.ts";
import { type DecoderOptions, type Packed, plainProjection, required, type Weights } from "./decoder.ts";

/** Hidden states of every token, [T, D]. */
export function buildEncoder(graph: Graph, config: EncoderConfig, weights: Weights, packed: Packed, options: DecoderOptions = {}): Value {
  const { activations: as = "f32", tap = () => {} } = options;
  const project = options.project ?? plainProjection(graph, weights, as);
  const norm = (x: Value, name: string): Value =>
    graph.apply("layerNorm", [x, required(weights, `${name}.weight`), required(weights, `${name}.bias`)], { eps: config.normEpsilon }, { as });
  const tokens = packed.ids.spec.shape[0]!;
  const width = config.width / config.heads;
  const split = (value: Value): Value => graph.apply("reshape", [value], { rank: 3, d0: tokens, d1: config.heads, d2: width });

  const words = graph.apply("embedding", [required(weights, "token_embd.weight"), packed.ids], {}, { as }); // [T, D]
  const places = graph.apply("embedding", [required(weights, "position_embd.weight"), packed.positions], {}, { as }); // [T, D]
  const first = graph.apply("sliceRows", [required(weights, "token_types.weight")], { start: 0, count: 1 });
  const kinds = graph.apply("reshape", [first], { rank: 1, d0: config.width }); // [D]
  let x = norm(graph.apply("addRow", [graph.apply("add", [words, places]), kinds]), "token_embd_norm");
  tap("embedding", x);
  for (let layer = 0; layer < config.layers; layer++) {
    const at = (name: string): string => `blk.${layer}.${name}`;
    const [q, k, v] = ["attn_q", "attn_k", "attn_v"].map((name) => split(project(x, `${at(name)}.weight`))); // [T, H, W]
    const o = graph.apply("attention", [q!, k!, v!, packed.segments, packed.positions], { scale: 1 / Math.sqrt(width), causal: 0 });
    const attended = graph.apply("reshape", [o], { rank: 2, d0: tokens, d1: config.width });
    x = norm(project(attended, `${at("attn_output")}.weight`, { residual: x }), at("attn_output_norm"));
    const fed = graph.apply("gelu", [project(x, `${at("ffn_up")}.weight`)]); // [T, F]
    x = norm(project(fed, `${at("ffn_down")}.weight`, { residual: x }), at("layer_output_norm"));
    tap(`blk.${layer}`, x);
  }
  return x;
}
