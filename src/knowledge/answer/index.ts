/** @file The door of answering inside the knowledge room. */
export { type AnswererDeps, createAnswerer } from "./answer.ts";
export { questionLikeness } from "./curated.ts";
