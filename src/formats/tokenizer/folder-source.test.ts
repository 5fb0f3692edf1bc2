import { expect, test } from "vitest";
import { readFolderTokenizer } from "./folder-source.ts";
import { Tokenizer } from "./tokenizer.ts";

const qwen = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const split = (regex: string) => ({ type: "Split", pattern: { Regex: regex }, behavior: "Isolated" });
const vocab = Object.fromEntries(["a", "b", "ab", "Ġ", "Ġa", "1"].map((text, id) => [text, id]));
const base = {
  model: { type: "BPE", vocab, merges: ["a b", ["Ġ", "a"]] },
  pre_tokenizer: { type: "Sequence", pretokenizers: [split(qwen), { type: "ByteLevel", use_regex: false }] },
  added_tokens: [
    { id: 6, content: "<|end|>", special: true },
    { id: 7, content: "<think>", special: false },
  ],
};
const read = (tokenizer: object, settings: object = {}, vocabulary = 10) =>
  readFolderTokenizer({ tokenizer: tokenizer as never, settings: settings as never, template: null, vocabulary });

test("byte-level pairs: merges in both spellings, added tokens, padding rows, the template", () => {
  const source = read(base, { eos_token: { content: "<|end|>" }, chat_template: "{{ x }}", add_bos_token: false });
  expect([source.model, source.preTokenizer, source.tokens.length, source.kinds[6], source.kinds[7], source.kinds[9]]).toEqual([
    "bytePairs",
    "qwen2",
    10,
    "control",
    "user",
    "unused",
  ]);
  expect([source.special.eos, source.chatTemplate, source.addBos]).toEqual([6, "{{ x }}", false]);
  const tokenizer = new Tokenizer(source);
  expect(tokenizer.encode("ab a11<think><|end|>")).not.toContain(6);
  expect(tokenizer.encode("ab a11<think>", { special: true })).toEqual([2, 4, 5, 5, 7]);
});

test("SentencePiece: merges' order as scores; unigram with its map; BERT's pieces as words", () => {
  const pieces = Object.fromEntries(["<unk>", "▁", "a", "b", "ab", "▁ab", "<0x0A>"].map((text, id) => [text, id]));
  const gemma = new Tokenizer(read({ model: { type: "BPE", vocab: pieces, merges: ["a b", "▁ ab"], byte_fallback: true, unk_token: "<unk>" } }));
  expect(gemma.encode(" ab\nb")).toEqual([5, 6, 3]);
  const unigram = read({
    model: {
      type: "Unigram",
      unk_id: 0,
      vocab: [
        ["<unk>", 0],
        ["▁a", -1],
        ["b", -2],
      ],
    },
    normalizer: { type: "Precompiled", precompiled_charsmap: "" },
  });
  expect(new Tokenizer(unigram).encode("ab  a?")).toEqual([1, 2, 1, 0]);
  const words = Object.fromEntries(["[UNK]", "[CLS]", "[SEP]", "un", "##do", "好"].map((text, id) => [text, id]));
  const bert = read(
    { model: { type: "WordPiece", vocab: words, unk_token: "[UNK]" }, normalizer: { type: "BertNormalizer", lowercase: true } },
    { cls_token: "[CLS]", sep_token: "[SEP]", bos_token: "[CLS]" },
  );
  expect(new Tokenizer(bert).encode("Undo 好x", { frame: true })).toEqual([1, 3, 4, 5, 0, 2]);
});

test("what is not known is refused, what is broken named", () => {
  const cut = (pretokenizers: readonly object[]) => ({ ...base, pre_tokenizer: { type: "Sequence", pretokenizers } });
  expect(() => read(cut([split("\\w+"), { type: "ByteLevel", use_regex: false }]))).toThrowError(/the pre-tokenizer/);
  expect(() => read(cut([{ type: "Metaspace" }, { type: "ByteLevel" }]))).toThrowError(/"Metaspace"/);
  expect(() => read({ model: { type: "Words" } })).toThrowError(/model "Words"/);
  expect(() => read({ model: { type: "BPE", vocab: { a: -1 } } })).toThrowError(/has the id -1/);
  expect(() => read({ ...base, added_tokens: [{ id: 2 }] })).toThrowError(/no id or no text/);
  expect(() => read({ ...base, added_tokens: [{ id: 1e9, content: "x" }] })).toThrowError(/claims/);
  expect(read(cut([{ type: "Digits", individual_digits: true }, { type: "ByteLevel" }])).preTokenizer).toBe("smollm");
});
