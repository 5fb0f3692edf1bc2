/** @file The door of chunking inside the knowledge room. */
export { chunkDocument } from "./chunk-document.ts";
export { type Span, splitSentences } from "./sentences.ts";
