/** @file The door of `models`: catalogue, pull, engines, and models elsewhere behind the same contracts. */
export { type Catalogue, loadCatalogue, type ModelEntry } from "./catalogue.ts";
export type { LlamaValues } from "./engine/llama-values.ts";
export type { EngineStatus } from "./engines.ts";
export { computeWithLlama } from "./llama-values.ts";
export { createModels, type Models, type ModelsOptions, type ModelsSettings } from "./manager.ts";
export { createUpstreamEmbeddingModel, createUpstreamLanguageModel, type UpstreamOptions } from "./upstream.ts";
