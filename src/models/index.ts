/** @file The door of `models`: catalogue, pull, engines, and models elsewhere behind the same contracts. */
export { type Catalogue, loadCatalogue, type ModelEntry } from "./catalogue.ts";
export type { LlamaTexts, LlamaValues } from "./engine/llama-values.ts";
export type { EngineStatus } from "./engines.ts";
export { computeWithLlama, logitsWithLlama } from "./llama-values.ts";
export { createModels, type Models, type ModelsOptions, type ModelsSettings } from "./manager.ts";
export { createModelStore, hashFile, type ModelManifest, type ModelStore } from "./model-store.ts";
export { createUpstreamEmbeddingModel, createUpstreamLanguageModel, type UpstreamOptions } from "./upstream.ts";
