/** @file One spelling for text that means the same: full width, case, Traditional and Simplified. For comparing and indexing, never for showing. */
import { Converter } from "opencc-js/t2cn";

let toSimplified: ((text: string) => string) | undefined;

/** Ideographs and marks that NFKC leaves alone and that `toLowerCase` cannot change: most Chinese text needs no work. */
const plain = /^[\n 0-9a-z\u3001-\u3003\u3008-\u3011\u4e00-\u9fff\u2018-\u201d]*$/;

/** Changed only inside some words ("毛坏", "沈默"), never alone. */
const changedInWords = "坏瞭藉覆沈哩甦衹";

/** 1 for each UTF-16 unit that may be changed: most text is Simplified, and looking is thirty times as fast as converting. */
let mayChange: Uint8Array | undefined;

function readChanges(convert: (text: string) => string): Uint8Array {
  const changes = new Uint8Array(65_536);
  for (let code = 0x2e80; code < 0xfb00; code++) {
    const isSurrogate = code >= 0xd800 && code < 0xe000;
    if (isSurrogate || convert(String.fromCharCode(code)) !== String.fromCharCode(code)) changes[code] = 1;
  }
  for (const char of changedInWords) changes[char.charCodeAt(0)] = 1;
  return changes;
}

function simplify(text: string): string {
  const convert = (toSimplified ??= Converter({ from: "t", to: "cn" }) as (text: string) => string);
  const changes = (mayChange ??= readChanges(convert));
  for (let i = 0; i < text.length; i++) if (changes[text.charCodeAt(i)] === 1) return convert(text);
  return text;
}

/** NFKC, lower case, Simplified characters and words. Offsets may move: see `normaliseWithOffsets`. */
export function normalise(text: string): string {
  return simplify(plain.test(text) ? text : text.normalize("NFKC").toLowerCase());
}

export type NormalisedText = {
  readonly text: string;
  /** For each UTF-16 unit of `text` (and one past its end) the offset in the original it came from. */
  readonly offsets: Int32Array;
};

/** The same text as `normalise`, with the way back to the original's offsets. */
export function normaliseWithOffsets(text: string): NormalisedText {
  const whole = normalise(text);
  if (whole.length === text.length && text.normalize("NFKC").length === text.length) {
    const offsets = new Int32Array(text.length + 1);
    for (let i = 0; i <= text.length; i++) offsets[i] = i;
    return { text: whole, offsets };
  }
  // Some character changed its length: go piece by piece (a base character with its combining marks).
  let out = "";
  const offsets: number[] = [];
  for (const piece of text.matchAll(/\P{M}\p{M}*|\p{M}+/gu)) {
    const changed = normalise(piece[0]);
    for (let i = 0; i < changed.length; i++) offsets.push(piece.index + Math.min(i, piece[0].length - 1));
    out += changed;
  }
  offsets.push(text.length);
  return { text: out, offsets: Int32Array.from(offsets) };
}
