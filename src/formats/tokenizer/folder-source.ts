/** @file A tokenizer from a Hugging Face folder (tokenizer.json, tokenizer_config.json): read into the same parts as a GGUF file's. What is not known is refused, never guessed. */
import { StarboxError } from "#base";
import { findPreTokenizerFor } from "./pre-tokenizers.ts";
import type { SpecialIds, TokenizerSource, TokenKind } from "./source.ts";

type Json = Readonly<Record<string, unknown>>;
const object = (value: unknown): Json => (typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : {});
const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? (value as readonly unknown[]) : []);

const invalid = (what: string): StarboxError =>
  new StarboxError("model_invalid", `tokenizer.json cannot be used: ${what}.`, { zh: { message: `tokenizer.json 不可用：${what}。` } });
const unsupported = (what: string): StarboxError =>
  new StarboxError("unsupported", `Our own engine does not know ${what} of tokenizer.json.`, {
    hint: "Convert the model to GGUF and run it on llama.cpp.",
    zh: { message: `自有引擎不支持 tokenizer.json 中的 ${what}。`, hint: "可转换为 GGUF 后用 llama.cpp 运行。" },
  });

/** Every step of a normalizer, pre-tokenizer or post-processor, sequences laid flat. */
function steps(value: unknown, key: string): readonly Json[] {
  const step = object(value);
  if (step["type"] === undefined) return [];
  return step["type"] === "Sequence" ? list(step[key]).flatMap((one) => steps(one, key)) : [step];
}

export type FolderTokenizer = {
  readonly tokenizer: Json;
  /** tokenizer_config.json; {} where there is none. */
  readonly settings: Json;
  /** chat_template.jinja, where the folder has one. */
  readonly template: string | null;
  readonly vocabulary: number;
};

export function readFolderTokenizer({ tokenizer, settings, template, vocabulary }: FolderTokenizer): TokenizerSource {
  const model = object(tokenizer["model"]);
  const read = models[String(model["type"])];
  if (read === undefined) throw unsupported(`the model "${String(model["type"])}"`);
  const parts = read(tokenizer, model);
  const added = list(tokenizer["added_tokens"]).map(object);
  const size = Math.max(vocabulary, parts.tokens.length, ...added.map(({ id }) => (typeof id === "number" ? id + 1 : 0)));
  if (!Number.isInteger(size) || size > 4_000_000) throw invalid(`it claims ${size} tokens`);
  const tokens = Array.from({ length: size }, (_, id) => parts.tokens[id] ?? `[PAD${id}]`);
  const kinds: TokenKind[] = tokens.map((_, id) => (parts.tokens[id] === undefined ? "unused" : (parts.kinds?.[id] ?? "normal")));
  for (const { id, content, special } of added) {
    if (typeof id !== "number" || !Number.isInteger(id) || id < 0 || typeof content !== "string")
      throw invalid("an added token has no id or no text");
    tokens[id] = content;
    kinds[id] = special === true ? "control" : "user";
  }
  const named = (key: string): number | null => {
    const value = settings[key];
    const text = typeof value === "string" ? value : object(value)["content"];
    const id = typeof text === "string" ? tokens.indexOf(text) : -1;
    return id < 0 ? null : id;
  };
  const special: SpecialIds = {
    bos: named("bos_token"),
    eos: named("eos_token"),
    unknown: parts.unknown ?? named("unk_token"),
    separator: named("sep_token"),
    padding: named("pad_token"),
    mask: named("mask_token"),
  };
  if (special.unknown !== null) kinds[special.unknown] = "unknown";
  const frame = framing(tokenizer, settings, special);
  const own = settings["chat_template"];
  const first = list(own)
    .map(object)
    .find(({ name }) => name === "default")?.["template"];
  return {
    merges: [],
    preTokenizer: "default",
    scores: null,
    addSpacePrefix: false,
    removeExtraSpaces: false,
    characterMap: null,
    lowerCase: false,
    ...parts.rest,
    model: parts.model,
    tokens,
    kinds,
    special,
    ...frame,
    chatTemplate: template ?? (typeof own === "string" ? own : typeof first === "string" ? first : null),
  };
}

type Parts = {
  readonly model: TokenizerSource["model"];
  readonly tokens: readonly (string | undefined)[];
  readonly kinds?: readonly TokenKind[];
  readonly unknown: number | null;
  readonly rest: Partial<TokenizerSource>;
};

function byId(vocabulary: unknown): (string | undefined)[] {
  const tokens: (string | undefined)[] = [];
  for (const [text, id] of Object.entries(object(vocabulary))) {
    if (typeof id !== "number" || !Number.isInteger(id) || id < 0 || id > 4_000_000)
      throw invalid(`the token ${JSON.stringify(text)} has the id ${JSON.stringify(id)}`);
    tokens[id] = text;
  }
  if (tokens.length === 0) throw invalid("its vocabulary is empty");
  return tokens;
}

const models: Readonly<Record<string, (tokenizer: Json, model: Json) => Parts>> = {
  BPE: (tokenizer, model) => {
    const tokens = byId(model["vocab"]);
    const merges = list(model["merges"]).map((merge) => (Array.isArray(merge) ? merge.join(" ") : String(merge)));
    const cuts = steps(tokenizer["pre_tokenizer"], "pretokenizers");
    const unknown = typeof model["unk_token"] === "string" ? tokens.indexOf(model["unk_token"]) : -1;
    if (cuts.some(({ type }) => type === "ByteLevel")) {
      const patterns = cuts.flatMap((step): string[] => {
        if (step["type"] === "Split") return [String(object(step["pattern"])["Regex"])];
        if (step["type"] === "Digits" && step["individual_digits"] === true) return ["\\p{N}"];
        if (step["type"] === "ByteLevel") return step["use_regex"] === false ? [] : ["gpt2"];
        throw unsupported(`the pre-tokenizer "${String(step["type"])}"`);
      });
      const preTokenizer = findPreTokenizerFor(patterns, model["ignore_merges"] === true);
      if (preTokenizer === null) throw unsupported(`the pre-tokenizer ${JSON.stringify(patterns)}`);
      return { model: "bytePairs", tokens, unknown: null, rest: { preTokenizer, merges } };
    }
    if (model["byte_fallback"] !== true) throw unsupported("byte-pair encoding without bytes");
    // SentencePiece's BPE: the merges' order says the same as its scores, the later the worse.
    const scores = new Float32Array(tokens.length).fill(-1e9);
    const ids = new Map(tokens.map((text, id) => [text, id]));
    merges.forEach((merge, rank) => {
      const cut = merge.indexOf(" ", 1);
      const id = ids.get(merge.slice(0, cut) + merge.slice(cut + 1));
      if (id !== undefined && scores[id] === -1e9) scores[id] = -rank;
    });
    const prefix = steps(tokenizer["normalizer"], "normalizers").some(({ type }) => type === "Prepend");
    const kinds = tokens.map((text): TokenKind => (/^<0x[0-9A-F]{2}>$/.test(text ?? "") ? "byte" : "normal"));
    return { model: "scorePairs", tokens, kinds, unknown: unknown < 0 ? null : unknown, rest: { scores, addSpacePrefix: prefix } };
  },
  Unigram: (tokenizer, model) => {
    const entries = list(model["vocab"]).map(list);
    if (!entries.every(([text, score]) => typeof text === "string" && typeof score === "number") || entries.length === 0)
      throw invalid("its vocabulary is no list of pieces and scores");
    const map = steps(tokenizer["normalizer"], "normalizers").find(({ type }) => type === "Precompiled")?.["precompiled_charsmap"];
    return {
      model: "unigram",
      tokens: entries.map(([text]) => text as string),
      unknown: typeof model["unk_id"] === "number" ? model["unk_id"] : null,
      rest: {
        scores: Float32Array.from(entries, ([, score]) => score as number),
        addSpacePrefix: true,
        removeExtraSpaces: true,
        characterMap: typeof map === "string" && map !== "" ? new Uint8Array(Buffer.from(map, "base64")) : null,
      },
    };
  },
  WordPiece: (tokenizer, model) => {
    // GGUF's form, which ours is: a word's first piece bears the mark of a space, the others none.
    const tokens = byId(model["vocab"]).map((text) =>
      text === undefined || /^\[.+\]$/.test(text) ? text : text.startsWith("##") ? text.slice(2) : `▁${text}`,
    );
    const normalizer = steps(tokenizer["normalizer"], "normalizers").find(({ type }) => type === "BertNormalizer");
    const unknown = typeof model["unk_token"] === "string" ? tokens.indexOf(model["unk_token"]) : -1;
    return { model: "wordPiece", tokens, unknown: unknown < 0 ? null : unknown, rest: { lowerCase: normalizer?.["lowercase"] === true } };
  },
};

/** BOS and EOS: what the post-processor puts around a single text, else what tokenizer_config.json says. */
function framing(tokenizer: Json, settings: Json, special: SpecialIds): Pick<TokenizerSource, "addBos" | "addEos"> {
  const template = steps(tokenizer["post_processor"], "processors").find(({ type }) => type === "TemplateProcessing");
  const single = list(template?.["single"]).map((part) => Object.keys(object(part))[0]);
  const around =
    template !== undefined ||
    steps(tokenizer["post_processor"], "processors").some(({ type }) => type === "RobertaProcessing" || type === "BertProcessing");
  const flag = (key: string, found: boolean): boolean => (typeof settings[key] === "boolean" && !around ? settings[key] : found);
  const fixed = around && template === undefined;
  return {
    addBos: special.bos !== null && (fixed || flag("add_bos_token", single[0] === "SpecialToken")),
    addEos: special.eos !== null && (fixed || flag("add_eos_token", single.length > 1 && single.at(-1) === "SpecialToken")),
  };
}
