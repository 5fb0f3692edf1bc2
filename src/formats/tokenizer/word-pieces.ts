/** @file BERT's word pieces: words cut at spaces, punctuation and Chinese characters, then the longest known beginnings one after another. */
import { byteString, spaceMark, type Vocabulary } from "./vocabulary.ts";

const chinese =
  /[\u4e00-\u9fff\u3400-\u4dbf\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b920}-\u{2ceaf}\uf900-\ufaff\u{2f800}-\u{2fa1f}]/u;
const space = /[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/u;
const alone = /[\p{P}$+<=>^`|~]/u;
const dropped = /[\0\ufffd\p{C}]/u;

export class WordPieces {
  readonly #vocabulary: Vocabulary;
  readonly #longest: number;

  constructor(vocabulary: Vocabulary) {
    this.#vocabulary = vocabulary;
    this.#longest = vocabulary.source.tokens.reduce((longest, text) => Math.max(longest, Buffer.byteLength(text)), 0);
  }

  encodeText(text: string, into: number[]): void {
    for (const word of this.#words(text)) {
      const bytes = spaceMark + byteString(word);
      const found: number[] = [];
      for (let at = 0; at < bytes.length; ) {
        let end = Math.min(bytes.length, at + this.#longest + 1);
        while (end > at && this.#vocabulary.find(bytes.slice(at, end)) === undefined) end--;
        if (end === at) {
          found.length = 0; // one part unknown: the whole word is
          break;
        }
        found.push(this.#vocabulary.find(bytes.slice(at, end))!);
        at = end;
      }
      if (found.length === 0) found.push(this.#vocabulary.source.special.unknown ?? 0);
      for (const id of found) into.push(id);
    }
  }

  #words(text: string): string[] {
    const { lowerCase } = this.#vocabulary.source;
    const words = [""];
    for (const character of lowerCase ? text.normalize("NFD") : text) {
      if (space.test(character)) {
        if (words.at(-1) !== "") words.push("");
        continue;
      }
      if (dropped.test(character) || (lowerCase && /\p{M}/u.test(character))) continue;
      const written = lowerCase ? character.toLowerCase() : character;
      if (alone.test(character) || chinese.test(character)) {
        if (words.at(-1) !== "") words.push("");
        words[words.length - 1] = written;
        words.push("");
      } else words[words.length - 1] += written;
    }
    return words.filter((word) => word !== "");
  }
}
