/** @file The door of `nn`: model families as graphs over `compute`. No files, no text, no training loop. */
export { type DecoderConfig, type EncoderConfig, type ModelConfig, type ModelMetadata, readModelConfig } from "./config.ts";
export { buildDecoder, type DecoderOptions, headWeight, type Packed, type Project, type Weights } from "./decoder.ts";
export { buildEncoder } from "./encoder.ts";
