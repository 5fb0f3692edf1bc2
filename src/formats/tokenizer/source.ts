/** @file What a tokenizer is made of, read from a GGUF file's own metadata: pieces, scores, merges, special tokens. Does no tokenising. */
import { StarboxError } from "#base";

export type TokenKind = "normal" | "unknown" | "control" | "user" | "unused" | "byte";

export type SpecialIds = {
  readonly bos: number | null;
  readonly eos: number | null;
  readonly unknown: number | null;
  readonly separator: number | null;
  readonly padding: number | null;
  readonly mask: number | null;
};

export type TokenizerSource = {
  /** bytePairs: GPT-2's scheme. scorePairs: SentencePiece BPE. unigram: SentencePiece unigram. wordPiece: BERT's. */
  readonly model: "bytePairs" | "scorePairs" | "unigram" | "wordPiece";
  /** How byte-level BPE cuts text into words first; the names are llama.cpp's. */
  readonly preTokenizer: string;
  readonly tokens: readonly string[];
  readonly kinds: readonly TokenKind[];
  readonly scores: Float32Array | null;
  readonly merges: readonly string[];
  readonly special: SpecialIds;
  readonly addBos: boolean;
  readonly addEos: boolean;
  readonly addSpacePrefix: boolean;
  readonly removeExtraSpaces: boolean;
  /** SentencePiece's compiled normalisation map (XOR-compressed double array, then replacements). */
  readonly characterMap: Uint8Array | null;
  /** Word pieces: text becomes lower case without accents first. */
  readonly lowerCase: boolean;
  readonly chatTemplate: string | null;
};

/** The part of a GGUF file this needs. */
export type TokenizerMetadata = { readonly path: string; readonly metadata: ReadonlyMap<string, unknown> };

const models = { gpt2: "bytePairs", llama: "scorePairs", t5: "unigram", bert: "wordPiece" } as const;
const kindOf: readonly (TokenKind | undefined)[] = [undefined, "normal", "unknown", "control", "user", "unused", "byte"];

/** llama.cpp's settings of each kind where the file is silent. */
const defaults = {
  bytePairs: { bos: 11, eos: 11, unknown: null, separator: null, padding: null, addBos: false, addEos: false, addSpacePrefix: false },
  scorePairs: { bos: 1, eos: 2, unknown: 0, separator: null, padding: null, addBos: true, addEos: false, addSpacePrefix: true },
  unigram: { bos: null, eos: 1, unknown: 2, separator: null, padding: 0, addBos: false, addEos: true, addSpacePrefix: false },
  wordPiece: { bos: 101, eos: null, unknown: 100, separator: 102, padding: 0, addBos: true, addEos: false, addSpacePrefix: false },
} as const;

/** Pre-tokenizers whose models begin every text with BOS unless the file says otherwise. */
const bosByDefault = new Set(["llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2", "tekken", "chameleon"]);

export function invalidTokenizer(path: string, what: string): StarboxError {
  return new StarboxError("model_invalid", `The tokenizer in ${path} cannot be used: ${what}.`, {
    hint: "Pull or convert the model again.",
    zh: { message: `${path} 中的分词器不可用：${what}。`, hint: "请重新下载或转换该模型。" },
  });
}

export function readGgufTokenizer({ path, metadata }: TokenizerMetadata): TokenizerSource {
  const fail = (what: string): StarboxError => invalidTokenizer(path, what);
  const get = (key: string): unknown => metadata.get(`tokenizer.ggml.${key}`);
  const name = get("model");
  const model = models[name as keyof typeof models];
  if (model === undefined)
    throw new StarboxError("unsupported", `Our own engine does not know the tokenizer "${String(name)}" of ${path}.`, {
      hint: `It knows: ${Object.keys(models).join(", ")}. llama.cpp may run this model.`,
      zh: {
        message: `自有引擎不支持 ${path} 的分词器 "${String(name)}"。`,
        hint: `支持：${Object.keys(models).join("、")}。可改用 llama.cpp 引擎。`,
      },
    });
  const strings = (key: string): readonly string[] => {
    const value = get(key);
    if (!Array.isArray(value) || !value.every((item) => typeof item === "string")) throw fail(`"${key}" should be a list of texts`);
    return value as readonly string[];
  };
  const numbers = (key: string, length: number): readonly number[] | null => {
    const value = get(key);
    if (value === undefined) return null;
    if (!Array.isArray(value) || value.length < length || !value.every((item) => typeof item === "number"))
      throw fail(`"${key}" should be a list of ${length} numbers`);
    return value as readonly number[];
  };
  const tokens = strings("tokens").map((text, i) => (text === "" ? `[EMPTY_${i}]` : text));
  const types = numbers("token_type", tokens.length);
  const scores = numbers("scores", tokens.length);
  const silent = defaults[model];
  const preTokenizer = typeof get("pre") === "string" ? (get("pre") as string) : "default";
  const id = (key: string, fallback: number | null): number | null => {
    const value = get(key) ?? fallback;
    return typeof value === "number" && Number.isInteger(value) && value >= 0 && value < tokens.length ? value : null;
  };
  const flag = (key: string, fallback: boolean): boolean => (typeof get(key) === "boolean" ? (get(key) as boolean) : fallback);
  const map = numbers("precompiled_charsmap", 0);
  const template = metadata.get("tokenizer.chat_template");
  return {
    model,
    preTokenizer,
    tokens,
    kinds: tokens.map((_, i) => (types === null ? "normal" : (kindOf[types[i]!] ?? "unused"))),
    scores: scores === null ? null : Float32Array.from(scores),
    merges: model === "bytePairs" ? strings("merges") : [],
    special: {
      bos: id("bos_token_id", silent.bos),
      eos: id("eos_token_id", silent.eos),
      unknown: id("unknown_token_id", silent.unknown),
      separator: id("seperator_token_id", silent.separator), // the format's own spelling
      padding: id("padding_token_id", silent.padding),
      mask: id("mask_token_id", null),
    },
    addBos: flag("add_bos_token", silent.addBos || (model === "bytePairs" && bosByDefault.has(preTokenizer))),
    addEos: flag("add_eos_token", silent.addEos),
    addSpacePrefix: flag("add_space_prefix", silent.addSpacePrefix),
    removeExtraSpaces: flag("remove_extra_whitespaces", false),
    characterMap: map === null || map.length === 0 ? null : Uint8Array.from(map),
    lowerCase: flag("normalizer.lowercase", true),
    chatTemplate: typeof template === "string" ? template : null,
  };
}
