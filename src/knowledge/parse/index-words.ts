/** @file Index words of each chunk, cut in the parsing process so that the box only stores them. */
import type { Chunk } from "#contracts";
import { segment } from "../text/index.ts";

/** Words separated by blanks, as the index takes them. */
export type ChunkWords = { readonly body: string; readonly context: string };

/** For the chunks of one text. Those of one section share their titles, which are cut once. */
export function createCutter(text: string, words: readonly string[]): (chunk: Chunk) => ChunkWords {
  const titles = new Map<string, string>();
  return (chunk) => {
    const title = chunk.context.join("\n");
    let context = titles.get(title);
    if (context === undefined) {
      context = segment(title, { words }).join(" ");
      titles.set(title, context);
    }
    return { body: segment(text.slice(chunk.start, chunk.end), { words }).join(" "), context };
  };
}
