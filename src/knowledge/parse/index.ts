/** @file The door of parsing inside the knowledge room. */

export { titleFromName } from "./document-meta.ts";
export { defaultLimits, type ParseLimits } from "./limits.ts";
export { parseDocument } from "./parse-document.ts";
export { createParsePool, type ParsedFile, type ParsePool, type ParsePoolOptions } from "./parse-pool.ts";
