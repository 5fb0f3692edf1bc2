/** @file Text to token ids and back, as the model was trained: equal, token for token, to llama.cpp on the same file. Knows no model and no engine. */
import { BytePairs } from "./byte-pairs.ts";
import { type Fragment, NamedTokens } from "./named-tokens.ts";
import { ScorePairs } from "./score-pairs.ts";
import { readGgufTokenizer, type TokenizerMetadata, type TokenizerSource } from "./source.ts";
import { Unigram } from "./unigram.ts";
import { readLenient, Utf8Stream } from "./utf8.ts";
import { byteString, bytesOf, spaceMark, Vocabulary } from "./vocabulary.ts";
import { WordPieces } from "./word-pieces.ts";

export type EncodeOptions = {
  /** Control tokens that the text names ("<|im_end|>") become those tokens. Never for what people wrote. Default: no. */
  readonly special?: boolean;
  /** BOS before and EOS after, where the model has them; a BOS that is already there is not doubled. Default: no. */
  readonly frame?: boolean;
};

type Family =
  | { readonly kind: "text"; encodeText(text: string, into: number[]): void }
  | { readonly kind: "bytes"; encodeBytes(bytes: string, first: boolean, into: number[]): void };

export class Tokenizer {
  readonly vocabulary: Vocabulary;
  readonly source: TokenizerSource;
  readonly #family: Family;
  readonly #named = new Map<string, NamedTokens>();

  constructor(source: TokenizerSource) {
    this.source = source;
    this.vocabulary = new Vocabulary(source);
    this.#family = familyOf(this.vocabulary);
  }

  /** From a GGUF file's own metadata. Throws `unsupported` for kinds that are not known, `model_invalid` for broken ones. */
  static fromGguf(file: TokenizerMetadata): Tokenizer {
    return new Tokenizer(readGgufTokenizer(file));
  }

  get vocabularySize(): number {
    return this.vocabulary.size;
  }

  get bos(): number | null {
    return this.source.special.bos;
  }

  get eos(): number | null {
    return this.source.special.eos;
  }

  /** Ids whose appearance ends an answer. */
  get endings(): ReadonlySet<number> {
    return this.vocabulary.endings;
  }

  /** A token by its name, "<|im_end|>". */
  find(text: string): number | undefined {
    return this.vocabulary.findText(text);
  }

  encode(text: string | Uint8Array, options: EncodeOptions = {}): number[] {
    const ids: number[] = [];
    this.#encodeInto(text, options.special ?? false, ids);
    return options.frame === true ? this.frame(ids) : ids;
  }

  /** BOS before and EOS after as the model wants them; neither twice. */
  frame(ids: number[]): number[] {
    const { addBos, addEos, special, model } = this.source;
    const begin = model === "wordPiece" ? special.bos : addBos ? special.bos : null;
    const end = model === "wordPiece" ? special.separator : addEos ? special.eos : null;
    return [...(begin === null || ids[0] === begin ? [] : [begin]), ...ids, ...(end === null || ids.at(-1) === end ? [] : [end])];
  }

  /** A token's bytes; none for control tokens unless `special` asks for their names. */
  piece(id: number, special = false): Uint8Array {
    const kind = this.vocabulary.kinds[id];
    if (kind === undefined) return new Uint8Array();
    if (!special && (kind === "control" || kind === "unknown")) return new Uint8Array();
    const bytes = this.vocabulary.bytes(id);
    return bytesOf(kind === "normal" && this.source.model !== "bytePairs" ? bytes.replaceAll(spaceMark, " ") : bytes);
  }

  /** Text of a whole sequence. Control tokens are left out unless `special`. */
  decode(ids: Iterable<number>, special = false): string {
    const stream = this.stream(special);
    let text = "";
    for (const id of ids) text += stream.push(id);
    return text + stream.finish();
  }

  /** Text token by token: characters arrive whole. */
  stream(special = false): TokenStream {
    return new TokenStream((id) => this.piece(id, special));
  }

  /** Made when first needed: some vocabularies name thousands. */
  #finder(special: boolean, raw: boolean): NamedTokens {
    const key = `${special} ${raw}`;
    let finder = this.#named.get(key);
    if (finder === undefined) {
      const wanted = this.vocabulary.named.filter(({ control }) => special || !control);
      finder = new NamedTokens(raw ? wanted.map(({ id, text }) => ({ id, text: byteString(text) })) : wanted);
      this.#named.set(key, finder);
    }
    return finder;
  }

  #encodeInto(text: string | Uint8Array, special: boolean, into: number[]): void {
    const sound = typeof text === "string" ? text.toWellFormed() : soundText(text);
    const raw = sound === null ? Buffer.from(text as Uint8Array).toString("latin1") : null;
    const fragments: readonly Fragment[] = this.#finder(special, raw !== null).split(raw ?? sound!);
    let first = true;
    for (const fragment of fragments) {
      if ("id" in fragment) {
        into.push(fragment.id);
        first = true;
        continue;
      }
      if (this.#family.kind === "text") this.#family.encodeText(raw === null ? fragment.text : readLenient(fragment.text), into);
      else this.#family.encodeBytes(raw === null ? byteString(fragment.text) : fragment.text, first, into);
      first = false;
    }
  }
}

/** Null where the bytes are not UTF-8. */
function soundText(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

function familyOf(vocabulary: Vocabulary): Family {
  switch (vocabulary.source.model) {
    case "bytePairs": {
      const pairs = new BytePairs(vocabulary);
      return { kind: "text", encodeText: (text, into) => pairs.encodeText(text, into) };
    }
    case "scorePairs": {
      const pairs = new ScorePairs(vocabulary);
      return { kind: "bytes", encodeBytes: (bytes, first, into) => pairs.encodeBytes(bytes, first, into) };
    }
    case "unigram": {
      const unigram = new Unigram(vocabulary);
      return { kind: "bytes", encodeBytes: (bytes, _first, into) => unigram.encodeBytes(bytes, into) };
    }
    case "wordPiece": {
      const pieces = new WordPieces(vocabulary);
      return { kind: "text", encodeText: (text, into) => pieces.encodeText(text, into) };
    }
    default:
      return vocabulary.source.model satisfies never;
  }
}

export class TokenStream {
  readonly #bytes = new Utf8Stream();
  readonly #piece: (id: number) => Uint8Array;

  constructor(piece: (id: number) => Uint8Array) {
    this.#piece = piece;
  }

  /** The characters that this token completes. */
  push(id: number): string {
    return this.#bytes.push(this.#piece(id));
  }

  finish(): string {
    return this.#bytes.finish();
  }
}
