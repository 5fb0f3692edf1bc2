/** @file The door of answering inside the knowledge room. */
export { type AnswererDeps, createAnswerer } from "./answer.ts";
export { likeness } from "./choose.ts";
export { findCurated } from "./curated.ts";
export { completeQuestion } from "./follow-up.ts";
