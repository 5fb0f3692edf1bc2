/** @file The door of `knowledge`: documents to cited answers. */

export { type AnswererDeps, createAnswerer, questionLikeness } from "./answer/index.ts";
export { createFileReader, createIngest, type FileReader, type Ingest, type IngestDeps } from "./ingest/index.ts";
export { createParsePool, type ParsePool } from "./parse/index.ts";
export { type ClosableRetriever, createRetriever, measureVectorRecall, type RetrieverDeps } from "./retrieve/index.ts";
export { createKnowledgeService, type KnowledgeDeps } from "./service/index.ts";
