/** @file The door of `infer`: generation on our own operators. Paged keys and values, continuous batching, adapters side by side. */
export { OwnEngine, type OwnEngineOptions, type OwnRequest } from "./own-engine.ts";
