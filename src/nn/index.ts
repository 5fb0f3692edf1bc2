/** @file The door of `nn`: model families as graphs over `compute`. No files, no text, no training loop. */
import type { ModelConfig } from "./config.ts";
import { decoderStages, headWeight, type Stage } from "./decoder.ts";
import { encoderStages } from "./encoder.ts";

export { type DecoderConfig, type EncoderConfig, type ModelConfig, type ModelMetadata, readModelConfig } from "./config.ts";
export { type Attend, buildDecoder, type DecoderOptions, headWeight, type Packed, type Project, type Stage, type Weights } from "./decoder.ts";
export { buildEncoder } from "./encoder.ts";

/** A whole model as stages: those of its family, then what is read of it (a decoder's logits, an encoder's mean of each text's rows). */
export function modelStages(config: ModelConfig): readonly Stage[] {
  if (config.kind === "encoder") {
    return [...encoderStages(config), { name: "pooled", build: (graph, _weights, { segments }, x) => graph.apply("meanPool", [x!, segments]) }];
  }
  const logits: Stage = {
    name: "logits",
    build: (graph, weights, _packed, x) => graph.apply("linear", [x!, headWeight(weights), null, null], {}, { as: "f32" }),
  };
  return [...decoderStages(config), logits];
}
export { readHuggingFace, type WeightSource } from "./hugging-face.ts";
