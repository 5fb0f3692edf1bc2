/** @file What of a chunk is embedded, and the name of that text. */
import { createHash } from "node:crypto";
import type { Chunk } from "#contracts";

/** From here on a passage speaks for itself: titles in front of it only blur its vector. Measured on statutes (docs/lab.md). */
const longEnough = 120;

/** A short passage out of its document means little: the titles above it, outermost first, go in front of the text. */
export function passageText(context: Chunk["context"], text: string): string {
  return context.length === 0 || text.length >= longEnough ? text : `${context.join(" ")}\n${text}`;
}

/** Equal passages have equal vectors: the key under which one is kept. */
export function passageHash(context: Chunk["context"], text: string): Uint8Array {
  return createHash("sha256").update(passageText(context, text)).digest().subarray(0, 16);
}
