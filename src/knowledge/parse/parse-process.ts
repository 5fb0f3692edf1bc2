/** @file The process in which hostile files are parsed: reads one file at a time on request, answers with text and chunks or a named error. Started by the pool. */
import { readFile } from "node:fs/promises";
import { constants, setPriority } from "node:os";
import type { Chunk, ParsedDocument } from "#contracts";
import { type ErrorRecord, toErrorRecord } from "#base";
import { chunkDocument } from "../chunk/chunk-document.ts";
import { type ChunkWords, cutChunks } from "./index-words.ts";
import type { ParseLimits } from "./limits.ts";
import { parseDocument } from "./parse-document.ts";

export type ParseRequest = { readonly id: number; readonly file: string; readonly name: string; readonly limits: Partial<ParseLimits>; /** Words of the house; given: cut each chunk's index words too. */ readonly words?: readonly string[] };
export type ParseReply =
  | { readonly id: number; readonly ok: true; readonly parsed: ParsedDocument; readonly chunks: readonly Chunk[]; readonly words: readonly ChunkWords[]; readonly heapBytes: number }
  | { readonly id: number; readonly ok: false; readonly error: ErrorRecord };

async function answer(request: ParseRequest): Promise<ParseReply> {
  try {
    const parsed = await parseDocument(await readFile(request.file), request.name, request.limits);
    const chunks = chunkDocument(parsed);
    const words = request.words === undefined ? [] : cutChunks(parsed.text, chunks, request.words);
    return { id: request.id, ok: true, parsed, chunks, words, heapBytes: process.memoryUsage.rss() };
  } catch (error) {
    return { id: request.id, ok: false, error: toErrorRecord(error) };
  }
}

if (process.send !== undefined) {
  try {
    setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // A system that does not allow it: parsing then competes as an equal.
  }
  process.on("message", (request: ParseRequest) => void answer(request).then((reply) => process.send?.(reply)));
  // The box is gone: so are we.
  process.on("disconnect", () => process.exit(0));
}
