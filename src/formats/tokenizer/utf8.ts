/** @file Bytes that should be UTF-8 and may not be, read as the tokenizers of the field read them, and written as a stream. */
import { validLength } from "./unigram.ts";

/** Every byte that begins no well-formed character becomes one U+FFFD. */
export function readLenient(bytes: string): string {
  let text = "";
  for (let at = 0; at < bytes.length; ) {
    const length = validLength(bytes, at);
    if (length === 0) {
      text += "\ufffd";
      at++;
      continue;
    }
    let code = length === 1 ? bytes.charCodeAt(at) : bytes.charCodeAt(at) & (0xff >> (length + 1));
    for (let i = 1; i < length; i++) code = (code << 6) | (bytes.charCodeAt(at + i) & 0x3f);
    text += code > 0x10ffff ? "\ufffd" : String.fromCodePoint(code);
    at += length;
  }
  return text.toWellFormed();
}

/** Text out of tokens' bytes as they come: characters whole, broken ones as U+FFFD once they cannot become whole. */
export class Utf8Stream {
  readonly #decoder = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true });

  push(bytes: Uint8Array): string {
    return this.#decoder.decode(bytes, { stream: true });
  }

  /** The end: half a character that is left is broken. */
  finish(): string {
    return this.#decoder.decode();
  }
}
