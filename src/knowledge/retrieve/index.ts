/** @file The door of `retrieve`: the retriever for the box, the service loop for its thread. */
export type { IndexReader } from "./reader.ts";
export { measureVectorRecall, type VectorRecall } from "./recall.ts";
export { type ClosableRetriever, createRetriever, type RetrieverDeps } from "./retriever.ts";
