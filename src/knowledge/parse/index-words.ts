/** @file Index words of each chunk, cut in the parsing process so that the box only stores them. */
import type { Chunk } from "#contracts";
import { segment } from "../text/index.ts";

/** Words separated by blanks, as the index takes them. */
export type ChunkWords = { readonly body: string; readonly context: string };

/** Chunks of one section share their titles: those are cut once. */
export function cutChunks(text: string, chunks: readonly Chunk[], words: readonly string[]): readonly ChunkWords[] {
  const titles = new Map<string, string>();
  return chunks.map((chunk) => {
    const title = contextText(chunk);
    let context = titles.get(title);
    if (context === undefined) {
      context = segment(title, { words }).join(" ");
      titles.set(title, context);
    }
    return { body: segment(text.slice(chunk.start, chunk.end), { words }).join(" "), context };
  });
}

export function contextText(chunk: Pick<Chunk, "context" | "label">): string {
  return chunk.context.join("\n");
}
