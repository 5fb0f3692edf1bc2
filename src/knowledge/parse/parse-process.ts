/** @file The process in which hostile files are parsed: reads one file at a time on request, answers with text and chunks or a named error. Started by the pool. */
import { readFile } from "node:fs/promises";
import { constants, setPriority } from "node:os";
import { type ErrorRecord, outbound, toErrorRecord } from "#base";
import type { Chunk, ParsedDocument } from "#contracts";
import { chunkDocument } from "../chunk/chunk-document.ts";
import { type ChunkWords, createCutter } from "./index-words.ts";
import type { ParseLimits } from "./limits.ts";
import { parseDocument } from "./parse-document.ts";

export type ParseRequest = {
  readonly id: number;
  readonly file: string;
  readonly name: string;
  readonly limits: Partial<ParseLimits> /** Words of the house; given: cut each chunk's index words too. */;
  readonly words?: readonly string[];
};
export type ParseReply =
  /** Chunks come in parts before the rest: the box takes one part at a time and answers people in between. */
  | { readonly id: number; readonly ok: "part"; readonly chunks: readonly Chunk[]; readonly words: readonly ChunkWords[] }
  | { readonly id: number; readonly ok: true; readonly parsed: ParsedDocument; readonly blocksJson: string; readonly heapBytes: number }
  | { readonly id: number; readonly ok: false; readonly error: ErrorRecord };

const chunksAtOnce = 300;

async function* answer(request: ParseRequest): AsyncIterable<ParseReply> {
  try {
    const parsed = await parseDocument(await readFile(request.file), request.name, request.limits);
    const chunks = chunkDocument(parsed);
    const cut = request.words === undefined ? null : createCutter(parsed.text, request.words);
    for (let from = 0; from < chunks.length; from += chunksAtOnce) {
      const part = chunks.slice(from, from + chunksAtOnce);
      yield { id: request.id, ok: "part", chunks: part, words: cut === null ? [] : part.map(cut) };
    }
    // Who wants words stores the blocks as they are: as text they cost the box nothing.
    const indexed = request.words !== undefined;
    yield {
      id: request.id,
      ok: true,
      parsed: indexed ? { ...parsed, blocks: [] } : parsed,
      blocksJson: indexed ? JSON.stringify(parsed.blocks) : "",
      heapBytes: process.memoryUsage.rss(),
    };
  } catch (error) {
    yield { id: request.id, ok: false, error: toErrorRecord(error) };
  }
}

async function serve(request: ParseRequest): Promise<void> {
  for await (const reply of answer(request)) await new Promise<void>((resolve) => process.send?.(reply, () => resolve()));
}

if (process.send !== undefined) {
  // Whatever a file asks for: nothing is fetched from here.
  outbound.guard();
  outbound.seal();
  try {
    setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // A system that does not allow it: parsing then competes as an equal.
  }
  process.on("message", (request: ParseRequest) => void serve(request));
  // The box is gone: so are we.
  process.on("disconnect", () => process.exit(0));
}
