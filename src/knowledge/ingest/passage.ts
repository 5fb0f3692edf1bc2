/** @file What of a chunk is embedded, and the name of that text. */
import { createHash } from "node:crypto";
import type { Chunk } from "#contracts";

/** Titles above it, outermost first, then the text: a chunk out of its document means little. */
export function passageText(context: Chunk["context"], text: string): string {
  return context.length === 0 ? text : `${context.join(" ")}\n${text}`;
}

/** Equal passages have equal vectors: the key under which one is kept. */
export function passageHash(context: Chunk["context"], text: string): Uint8Array {
  return createHash("sha256").update(passageText(context, text)).digest().subarray(0, 16);
}
