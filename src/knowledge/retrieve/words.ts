/** @file A question as index words: cut like the documents, synonyms beside them, the useless left out, bounded in cost. */
import { segment } from "../text/index.ts";
import type { Dictionary, WordCount } from "./reader.ts";

export type QueryWord = { readonly word: string; readonly weight: number; readonly idf: number; readonly chunks: number };

/** Postings one question may visit: bounds the time of the word search whatever is asked. */
const postingsLimit = 9_000;
const wordsLimit = 64;

/** Every word of the question with its weight; a synonym counts a little less than the word itself. */
export function weighWords(
  query: string,
  dictionary: Dictionary,
  count: (words: readonly string[]) => readonly WordCount[],
  total: number,
): QueryWord[] {
  const weights = new Map<string, number>();
  for (const word of segment(query, { words: [...dictionary.words, ...dictionary.synonyms.flat()] })) weights.set(word, 1);
  for (const group of dictionary.synonyms) addSynonyms(group, weights);
  return count([...weights.keys()].slice(0, 4 * wordsLimit))
    .filter(({ chunks }) => chunks > 0)
    .map(({ word, chunks }) => ({ word, chunks, weight: weights.get(word) ?? 1, idf: Math.log(1 + (total - chunks + 0.5) / (chunks + 0.5)) }))
    .sort((a, b) => b.idf * b.weight - a.idf * a.weight)
    .slice(0, wordsLimit);
}

function addSynonyms(group: readonly string[], weights: Map<string, number>): void {
  const cuts = group.map((term) => segment(term));
  if (!cuts.some((cut) => cut.length > 0 && cut.every((word) => weights.get(word) === 1))) return;
  for (const cut of cuts) for (const word of cut) if (!weights.has(word)) weights.set(word, 0.8);
  for (const term of group) if (!weights.has(term)) weights.set(term, 0.8);
}

/** The rarest words that together stay within the limit: they find the candidates; ranking then uses all words. */
export function boundWords(words: readonly QueryWord[], total: number): QueryWord[] {
  const chosen: QueryWord[] = [];
  let visited = 0;
  for (const word of words) {
    const common = word.chunks > total * 0.2 && chosen.length >= 3;
    if (chosen.length > 0 && (common || visited + word.chunks > postingsLimit)) continue;
    visited += word.chunks;
    chosen.push(word);
  }
  return chosen;
}

/** Words in so many chunks are counted anew only when the base has grown by a twentieth: counting walks every place. */
const commonFrom = 500;
const keptCounts = 20_000;

/** How many chunks hold a word. Rare ones are counted every time: a new document's own word must be found at once. */
export class WordCounts {
  readonly #count: (words: readonly string[]) => readonly WordCount[];
  readonly #known = new Map<string, WordCount>();
  #at = 0;

  constructor(count: (words: readonly string[]) => readonly WordCount[]) {
    this.#count = count;
  }

  of(words: readonly string[], total: number): readonly WordCount[] {
    if (total > this.#at * 1.05 || this.#known.size > keptCounts) {
      this.#known.clear();
      this.#at = total;
    }
    const fresh = new Map(this.#count(words.filter((word) => !this.#known.has(word))).map((count) => [count.word, count]));
    const counts = words.map((word) => this.#known.get(word) ?? (fresh.get(word) as WordCount));
    for (const [word, count] of fresh) if (count.chunks >= commonFrom) this.#known.set(word, count);
    return counts;
  }
}
