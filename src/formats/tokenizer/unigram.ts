/** @file SentencePiece unigram (T5, XLM-R, multilingual-e5): normalised text, then the cut into pieces whose scores sum highest (Kudo, 2018), found by dynamic programming. */
import { CharacterMap } from "./character-map.ts";
import { characterLength } from "./score-pairs.ts";
import { byteString, spaceMark, type Vocabulary } from "./vocabulary.ts";

/** How much worse than the worst piece an unknown character is. */
const unknownPenalty = 10;
const replacement = byteString("\ufffd");

export class Unigram {
  readonly #vocabulary: Vocabulary;
  readonly #pieces: PieceTree;
  readonly #owned: PieceTree;
  readonly #map: CharacterMap | null;
  readonly #unknown: number;
  readonly #unknownScore: number;
  readonly #scores: Float64Array;

  constructor(vocabulary: Vocabulary) {
    const { source, kinds } = vocabulary;
    this.#vocabulary = vocabulary;
    this.#map = source.characterMap === null ? null : new CharacterMap(source.characterMap);
    this.#unknown = source.special.unknown ?? 0;
    let lowest = Number.POSITIVE_INFINITY;
    const pieces: (readonly [string, number])[] = [];
    const owned: (readonly [string, number])[] = [];
    this.#scores = new Float64Array(vocabulary.size);
    for (let id = 0; id < vocabulary.size; id++) {
      const kind = kinds[id];
      if (kind === "normal") lowest = Math.min(lowest, vocabulary.score(id));
      if (kind === "normal" || kind === "user" || kind === "unused") pieces.push([byteString(source.tokens[id]!), id]);
      if (kind === "user") owned.push([byteString(source.tokens[id]!), id]);
      this.#scores[id] = kind === "user" ? 0 : vocabulary.score(id); // the user's own pieces win
    }
    this.#pieces = new PieceTree(pieces);
    this.#owned = new PieceTree(owned);
    this.#unknownScore = Math.fround(lowest - unknownPenalty);
  }

  encodeBytes(bytes: string, into: number[]): void {
    const text = this.#normalise(bytes);
    const length = text.length;
    if (length === 0) return;
    const best = new Float64Array(length + 1).fill(-Number.MAX_VALUE);
    const from = new Int32Array(length + 1);
    const ids = new Int32Array(length + 1).fill(this.#unknown);
    best[0] = 0;
    const challenge = (end: number, start: number, id: number, score: number): void => {
      if (score > best[end]!) {
        best[end] = score;
        from[end] = start;
        ids[end] = id;
      }
    };
    for (let at = 0; at < length; ) {
      const character = Math.min(characterLength(text.charCodeAt(at)), length - at);
      let single = false;
      for (let end = at + 1, node = this.#pieces.step(0, text.charCodeAt(at)); node > 0; node = this.#pieces.step(node, text.charCodeAt(end++))) {
        const id = this.#pieces.value(node);
        if (id >= 0) {
          single ||= end - at === character;
          challenge(end, at, id, best[at]! + this.#scores[id]!);
        }
        if (end >= length) break;
      }
      if (!single) challenge(at + character, at, this.#unknown, best[at]! + this.#unknownScore);
      at += character;
    }
    const found: number[] = [];
    let previousUnknown = false;
    for (let end = length; ; end = from[end]!) {
      const unknown = ids[end] === this.#unknown;
      if (!(previousUnknown && unknown)) found.push(ids[end]!); // a run of unknown characters is one token
      if (from[end] === 0) break;
      previousUnknown = unknown;
    }
    for (let i = found.length - 1; i >= 0; i--) into.push(found[i]!);
  }

  #normalise(bytes: string): string {
    const { addSpacePrefix, removeExtraSpaces } = this.#vocabulary.source;
    let out = "";
    let prepended = false;
    let inWord = false;
    for (let at = 0; at < bytes.length; ) {
      const { text, used } = this.#normalisePrefix(bytes, at);
      at += used;
      for (const c of text) {
        if (c === " ") {
          inWord = false;
          if (!removeExtraSpaces) out += spaceMark;
          continue;
        }
        if (!inWord) {
          inWord = true;
          if ((addSpacePrefix && !prepended) || removeExtraSpaces) {
            out += spaceMark;
            prepended = true;
          }
        }
        out += c;
      }
    }
    return out;
  }

  #normalisePrefix(bytes: string, at: number): { readonly text: string; readonly used: number } {
    const owned = this.#owned.longestReach(bytes, at);
    if (owned > 0) return { text: bytes.slice(at, at + owned), used: owned };
    const mapped = this.#map?.replace(bytes, at);
    if (mapped !== undefined && mapped !== null) return mapped;
    const length = validLength(bytes, at);
    return length > 0 ? { text: bytes.slice(at, at + length), used: length } : { text: replacement, used: 1 };
  }
}

/** Length of the well-formed character at `at`, as far as its lead byte and its continuation bytes say; 0: broken. */
export function validLength(bytes: string, at: number): number {
  const lead = bytes.charCodeAt(at);
  if (lead < 0x80) return 1;
  const length = lead < 0xc0 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf8 ? 4 : 0;
  for (let i = 1; i < length; i++) if (at + i >= bytes.length || (bytes.charCodeAt(at + i) & 0xc0) !== 0x80) return 0;
  return length;
}

/** Pieces by their bytes, walked byte by byte: a hash of (node, byte), since a quarter million pieces would be as many small objects. */
class PieceTree {
  readonly #mask: number;
  readonly #keys: Int32Array;
  readonly #children: Int32Array;
  readonly #values: Int32Array;

  constructor(pieces: readonly (readonly [bytes: string, id: number])[]) {
    const bytes = pieces.reduce((sum, [text]) => sum + text.length, 0);
    let size = 64;
    while (size < bytes * 1.5) size *= 2;
    this.#mask = size - 1;
    this.#keys = new Int32Array(size).fill(-1);
    this.#children = new Int32Array(size);
    this.#values = new Int32Array(bytes + 1).fill(-1);
    let nodes = 1;
    for (const [text, id] of pieces) {
      let node = 0;
      for (let i = 0; i < text.length; i++) {
        const slot = this.#slot(node, text.charCodeAt(i));
        if (this.#keys[slot] === -1) {
          this.#keys[slot] = node * 256 + text.charCodeAt(i);
          this.#children[slot] = nodes++;
        }
        node = this.#children[slot]!;
      }
      this.#values[node] = id;
    }
  }

  #slot(node: number, byte: number): number {
    const key = node * 256 + byte;
    const mixed = Math.imul(key, 0x9e3779b1);
    let slot = (mixed ^ (mixed >>> 15)) & this.#mask;
    while (this.#keys[slot] !== -1 && this.#keys[slot] !== key) slot = (slot + 1) & this.#mask;
    return slot;
  }

  /** 0: no such child. */
  step(node: number, byte: number): number {
    const slot = this.#slot(node, byte);
    return this.#keys[slot] === -1 ? 0 : this.#children[slot]!;
  }

  value(node: number): number {
    return this.#values[node]!;
  }

  /** How far the text at `at` follows any piece, whole or not. */
  longestReach(text: string, at: number): number {
    let node = 0;
    for (let i = at; i < text.length; i++) {
      node = this.step(node, text.charCodeAt(i));
      if (node === 0) return i - at;
    }
    return text.length - at;
  }
}
