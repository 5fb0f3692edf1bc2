/** @file Text to index words: normalised, long words together with the short ones inside them. The same cut for documents and questions. */
import { Jieba } from "@node-rs/jieba";
import { dict } from "@node-rs/jieba/dict.js";
import { cutHan } from "./han.ts";
import { normalise } from "./normalise.ts";
import { stopWords } from "./stop-words.ts";

export type SegmentOptions = {
  /** Words of the house: each occurrence is a token of its own, however the text around it is cut. */
  readonly words?: readonly string[];
  /** Keep stop words (for showing or counting; the index drops them). */
  readonly keepStopWords?: boolean;
};

let jieba: Jieba | undefined;

/** Latin words and numbers with what joins them ("gb/t-2312", "3.14", "c++"), runs of ideographs, words of other scripts. */
const pieces =
  /[a-z0-9]+(?:[-/._+#&'][a-z0-9]+)*(?:\+\+|#|%)?|[\p{Script=Han}〇]+|[\p{L}\p{N}\p{M}]+?(?=[a-z0-9\p{Script=Han}]|[^\p{L}\p{N}\p{M}]|$)/gu;
const joined = /[-/._+#&']/;

/** Index words in reading order, repeated as often as they occur. */
export function segment(text: string, { words = [], keepStopWords = false }: SegmentOptions = {}): string[] {
  const normal = normalise(text);
  const tokens: string[] = [];
  for (const [piece] of normal.matchAll(pieces)) {
    if (/^[\p{Script=Han}〇]/u.test(piece)) {
      if (piece.length > 1) cutHan(piece, tokens, keepStopWords);
      else add(piece, tokens, keepStopWords);
    } else {
      add(piece, tokens, keepStopWords);
      if (joined.test(piece)) for (const part of piece.split(joined)) if (part !== "") add(part, tokens, keepStopWords);
    }
  }
  for (const word of words) addHouseWord(normal, normalise(word).trim(), tokens);
  return tokens;
}

function add(token: string, tokens: string[], keepStopWords: boolean): void {
  if (keepStopWords || !stopWords.has(token)) tokens.push(token);
}

function addHouseWord(text: string, word: string, tokens: string[]): void {
  if (word === "") return;
  const token = word.replace(/\s+/g, "_"); // one token: the index separates words by blanks
  if (tokens.includes(token)) return; // already cut as one word
  for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + word.length)) tokens.push(token);
}

/** Words in reading order with their part of speech (jieba's tags); every character of the text is in exactly one word. Takes normalised text. */
export function tagWords(text: string): { readonly word: string; readonly tag: string }[] {
  jieba ??= Jieba.withDict(dict);
  return jieba.tag(text, true);
}
