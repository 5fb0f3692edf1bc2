/** @file A decoder small enough for tests of the trainer: 2 layers of 16, random weights that are the same everywhere. */
import { createRandom, elementCount, seedOf, type TensorSpec } from "#compute";
import type { BaseModel } from "#train";

const layers = 2;
const [width, vocabulary, heads, kvHeads, feedForward] = [16, 61, 4, 2, 24];
export const tinyVocabulary = vocabulary;

export function tinyShapes(): Record<string, readonly number[]> {
  const shapes: Record<string, readonly number[]> = { "token_embd.weight": [vocabulary, width] };
  for (let layer = 0; layer < layers; layer++) {
    const at = (name: string): string => `blk.${layer}.${name}`;
    const kv = (width / heads) * kvHeads;
    shapes[at("attn_norm.weight")] = [width];
    shapes[at("attn_q.weight")] = [width, width];
    shapes[at("attn_q.bias")] = [width];
    shapes[at("attn_k.weight")] = [kv, width];
    shapes[at("attn_k.bias")] = [kv];
    shapes[at("attn_v.weight")] = [kv, width];
    shapes[at("attn_v.bias")] = [kv];
    shapes[at("attn_output.weight")] = [width, width];
    shapes[at("ffn_norm.weight")] = [width];
    shapes[at("ffn_gate.weight")] = [feedForward, width];
    shapes[at("ffn_up.weight")] = [feedForward, width];
    shapes[at("ffn_down.weight")] = [width, feedForward];
  }
  return { ...shapes, "output_norm.weight": [width] };
}

export const tinyValues = (name: string, shape: readonly number[]): Float32Array => {
  const random = createRandom(seedOf(name));
  return Float32Array.from({ length: elementCount(shape) }, () => (name.includes("norm") ? 1 + 0.2 * random() : 0.7 * (2 * random() - 1)));
};

/** Family qwen2, tied head. */
export function tinyBase(): BaseModel {
  const tensors = new Map<string, TensorSpec>(Object.entries(tinyShapes()).map(([name, shape]) => [name, { dtype: "f32", shape }]));
  return {
    config: {
      kind: "decoder",
      family: "qwen2",
      layers,
      width,
      heads,
      kvHeads,
      headWidth: width / heads,
      feedForward,
      vocabulary,
      context: 256,
      normEpsilon: 1e-6,
      rope: { base: 10_000, localBase: 10_000, dimensions: width / heads, interleaved: false, positionScale: 1 },
      slidingWindow: null,
      activation: "swiglu",
      embeddingScale: 1,
      attentionScale: (width / heads) ** -0.5,
      headNorms: false,
      postNorms: false,
    },
    source: { path: "tiny", metadata: new Map() },
    tensors,
    read: async (name) => tinyValues(name, tensors.get(name)!.shape),
  };
}

/** Examples with a common beginning of `prefix` tokens, then some of their own, the last few learned. */
export function tinyExamples(
  count: number,
  options: { readonly prefix: number; readonly seed?: number; readonly own?: number; readonly learned?: number },
) {
  const random = createRandom(options.seed ?? 1);
  const token = (): number => Math.floor(random() * vocabulary);
  const prefix = Array.from({ length: options.prefix }, token);
  return Array.from({ length: count }, () => {
    const own = Array.from({ length: (options.own ?? 5) + Math.floor(random() * 4) }, token);
    const ids = Int32Array.from([...prefix, ...own]);
    const learned = options.learned ?? 3;
    return { ids, weights: Float32Array.from(ids, (_, i) => (i > 0 && i >= ids.length - learned ? 1 : 0)) };
  });
}
