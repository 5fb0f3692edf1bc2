/** @file The door of parsing inside the knowledge room. */

export type { ParseLimits } from "./limits.ts";
export { createParsePool, type ParsedFile, type ParsePool, type ParsePoolOptions } from "./parse-pool.ts";
