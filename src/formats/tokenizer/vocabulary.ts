/**
 * @file Pieces by id and by bytes, and which of them are special. Bytes are kept as strings of one char a byte ("byte strings"): they are
 * hashed, sliced and compared like text, and hold broken UTF-8 as well.
 */
import type { TokenizerSource, TokenKind } from "./source.ts";

const ascii = /^[\x00-\x7f]*$/;
/** UTF-8 of a text, one char a byte. */
export const byteString = (text: string): string => (ascii.test(text) ? text : Buffer.from(text, "utf8").toString("latin1"));
export const bytesOf = (byteText: string): Uint8Array<ArrayBuffer> => new Uint8Array(Buffer.from(byteText, "latin1"));

/** GPT-2 writes each byte as a printable character, its code below 512: code -> byte, −1 for no byte. */
const readBytes: Int16Array = (() => {
  const codes = new Int16Array(512).fill(-1);
  const plain = (b: number): boolean => (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
  let next = 256;
  for (let b = 0; b < 256; b++) codes[plain(b) ? b : next++] = b;
  return codes;
})();
const itself = /^[!-~]*$/;
let scratch = Buffer.alloc(256);

/** A byte-level token's bytes; null where it has a character that stands for no byte. */
export function unwriteBytes(text: string): string | null {
  if (itself.test(text)) return text;
  if (text.length > scratch.length) scratch = Buffer.alloc(text.length * 2);
  for (let i = 0; i < text.length; i++) {
    const byte = readBytes[text.charCodeAt(i)] ?? -1;
    if (byte < 0) return null;
    scratch[i] = byte;
  }
  return scratch.toString("latin1", 0, text.length);
}

const byteToken = /^<0x([0-9A-F]{2})>$/;
export const spaceMark = byteString("▁");

/** Texts that end a turn or an answer in the families in use; a model rarely says so in its file. */
const endingTexts = new Set(
  "<|eot_id|> <|im_end|> <|end|> <|return|> <|call|> <|flush|> <|calls|> <end_of_turn> <|endoftext|> </s> <|eom_id|> <EOT> _<EOT> [EOT] [EOS] <|end_of_text|> <end_of_utterance> <eos> <turn|> <|tool_response> <｜end▁of▁sentence｜> [e~[".split(
    " ",
  ),
);
/** Fill-in-the-middle marks: control tokens although some files call them ordinary. The last three kinds also end an answer. */
const fillTexts =
  "<|fim_prefix|> <fim-prefix> <fim_prefix> <｜fim▁begin｜> <PRE> ▁<PRE> <|code_prefix|> <|prefix|> <|fim_suffix|> <fim-suffix> <fim_suffix> <｜fim▁hole｜> <SUF> ▁<SUF> <|code_suffix|> <|suffix|> <|fim_middle|> <fim-middle> <fim_middle> <｜fim▁end｜> <MID> ▁<MID> <|code_middle|> <|middle|>".split(
    " ",
  );
const fillEndTexts = "<|fim_pad|> <fim-pad> <fim_pad> <PAD> [PAD] <|fim_repo|> <|repo_name|> <fim-repo> <REPO> <reponame> <|file_sep|>".split(" ");
const turnTexts = "<|eot_id|> <|im_end|> <|end|> <end_of_turn> <|eom_id|>".split(" ");

export class Vocabulary {
  readonly source: TokenizerSource;
  readonly size: number;
  readonly kinds: readonly TokenKind[];
  /** Ids whose appearance ends an answer. */
  readonly endings: ReadonlySet<number>;
  /** What ends a turn in this model's chat template; null where nothing does. */
  readonly endOfTurn: number | null;
  /** Tokens that text may name: control, unknown and the user's own, the longest first. */
  readonly named: readonly { readonly id: number; readonly text: string; readonly control: boolean }[];
  readonly #ids = new Map<string, number>();
  readonly #bytes: readonly string[];
  readonly #byText: ReadonlyMap<string, number>;

  constructor(source: TokenizerSource) {
    this.source = source;
    this.size = source.tokens.length;
    this.#byText = new Map(source.tokens.map((text, id) => [text, id]));
    const kinds = [...source.kinds];
    const endings = new Set<number>();
    const { bos, eos, separator } = source.special;
    const marks = (texts: Iterable<string>, ends: boolean): void => {
      for (const text of texts) {
        const id = this.#byText.get(text);
        if (id === undefined) continue;
        kinds[id] = "control";
        if (ends) endings.add(id);
      }
    };
    marks(fillTexts, false);
    marks(fillEndTexts, true);
    marks(endingTexts, true);
    if (eos !== null) endings.add(eos);
    this.kinds = kinds;
    this.endings = endings;
    this.endOfTurn = turnTexts.map((text) => this.#byText.get(text)).find((id) => id !== undefined) ?? eos ?? separator ?? bos;
    const byteLevel = source.model === "bytePairs";
    this.#bytes = source.tokens.map((text, id) => {
      if (kinds[id] === "byte") {
        const hex = byteToken.exec(text)?.[1];
        if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
      }
      if (byteLevel && (source.kinds[id] === "normal" || source.kinds[id] === "unused")) return unwriteBytes(text) ?? byteString(text);
      return byteString(text);
    });
    // Byte tokens are found by their value alone, never by the text "<0x0A>".
    this.#bytes.forEach((bytes, id) => {
      if (kinds[id] !== "byte") this.#ids.set(bytes, id);
    });
    this.named = source.tokens
      .map((text, id) => ({ id, text, control: kinds[id] === "control" || kinds[id] === "unknown" }))
      .filter(({ id, control }) => control || kinds[id] === "user")
      .sort((a, b) => Buffer.byteLength(b.text) - Buffer.byteLength(a.text) || a.id - b.id);
  }

  /** The token with exactly these bytes. */
  find(bytes: string): number | undefined {
    return this.#ids.get(bytes);
  }

  findText(text: string): number | undefined {
    return this.#byText.get(text);
  }

  /** The token of a single byte ("<0x0A>"), where the vocabulary has them. */
  findByte(byte: number): number | undefined {
    return this.#byText.get(`<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`);
  }

  /** As the vocabulary holds it, without turning space marks into spaces. */
  bytes(id: number): string {
    return this.#bytes[id] ?? "";
  }

  score(id: number): number {
    return this.source.scores?.[id] ?? 0;
  }
}
