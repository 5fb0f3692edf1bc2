/** @file Masks in a text, whole or as it streams: what was found is replaced, and nothing of it gets out before it is complete. */
import type { MaskKind } from "#contracts";
import { compileWords, detect, type Found, plain } from "./detect.ts";

export type Masker = {
  readonly kinds: ReadonlySet<MaskKind>;
  /** The text with everything found masked. */
  mask(text: string): string;
  /** Kinds that occur. */
  find(text: string): readonly MaskKind[];
  /** For a text that comes in pieces. */
  stream(): MaskStream;
};

export type MaskStream = {
  /** What can be shown now. */
  push(text: string): string;
  /** The rest. */
  end(): string;
};

/** null: nothing to mask. */
export function createMasker(kinds: readonly MaskKind[], words: readonly string[]): Masker | null {
  const list = compileWords(words);
  const wanted = new Set(kinds.filter((kind) => kind !== "word" || list !== null));
  if (wanted.size === 0) return null;
  const starts = wanted.has("word") ? wordStarts(words) : null;
  const mask = (text: string): string => {
    const found = detect(text, wanted, list);
    if (found.length === 0) return text;
    let masked = "";
    let at = 0;
    for (const { kind, start, end } of found) {
      masked += text.slice(at, start) + replacement(kind, text.slice(start, end));
      at = end;
    }
    return masked + text.slice(at);
  };
  return {
    kinds: wanted,
    mask,
    find: (text) => [...new Set(detect(text, wanted, list).map((item) => item.kind))],
    stream: () => createStream(mask, (text) => detect(text, wanted, list), starts),
  };
}

/** As people here write it: enough is left to recognise one's own, not enough to use. */
function replacement(kind: MaskKind, text: string): string {
  if (kind === "email") {
    const [name = "", domain = ""] = text.split(/[@＠]/);
    return `${name.slice(0, 1)}***@${domain}`;
  }
  if (kind === "word") return "*".repeat([...text].length);
  const digits = plain(text);
  if (kind === "mobile") {
    const number = digits.slice(-11);
    return `${number.slice(0, 3)}****${number.slice(-4)}`;
  }
  if (kind === "identity") return `${digits.slice(0, 3)}***********${digits.slice(-4)}`;
  return `**** **** **** ${digits.slice(-4)}`;
}

/** Longer runs without a blank are no address and no number. */
const longestToken = 340;

/** Digits in groups, then whatever could go on without a blank: letters, digits and the signs of an address. */
const openEnd = /(?:\+|＋)?(?:[0-9０-９][ \u00a0\u3000\-\u2010-\u2015\uff0d]?)*[A-Za-z0-9０-９Ａ-Ｚａ-ｚ._%+\-@＠]*$/u;

function createStream(
  mask: (text: string) => string,
  find: (text: string) => readonly Found[],
  starts: ((text: string) => number) | null,
): MaskStream {
  let held = "";
  return {
    push(text) {
      held += text;
      let cut = openEnd.exec(held.slice(-longestToken))?.index ?? held.length;
      cut += Math.max(0, held.length - longestToken);
      if (starts !== null) cut = Math.min(cut, starts(held));
      // What lies across the cut waits as a whole.
      for (const { start, end } of find(held)) if (start < cut && end > cut) cut = start;
      const ready = held.slice(0, cut);
      held = held.slice(cut);
      return mask(ready);
    },
    end() {
      const rest = mask(held);
      held = "";
      return rest;
    },
  };
}

/** Where the last listed word may have begun that is not yet complete; the text's length: none. */
function wordStarts(words: readonly string[]): (text: string) => number {
  const prefixes = new Set<string>();
  let longest = 0;
  for (const word of words) {
    const plainWord = word.trim().toLowerCase().replace(/\s+/g, " ");
    for (let length = 1; length < plainWord.length; length++) prefixes.add(plainWord.slice(0, length));
    longest = Math.max(longest, plainWord.length - 1);
  }
  return (text) => {
    const tail = text.slice(-longest * 2).toLowerCase();
    for (let at = 0; at < tail.length; at++) if (prefixes.has(tail.slice(at).replace(/\s+/g, " "))) return text.length - (tail.length - at);
    return text.length;
  };
}
