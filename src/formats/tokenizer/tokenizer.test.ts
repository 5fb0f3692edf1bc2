import { expect, test } from "vitest";
import { CharacterMap } from "./character-map.ts";
import { readGgufTokenizer, type TokenizerSource } from "./source.ts";
import { Tokenizer } from "./tokenizer.ts";
import { readLenient } from "./utf8.ts";

const source = (more: Partial<TokenizerSource> & { readonly tokens: readonly string[] }): TokenizerSource => ({
  model: "bytePairs",
  preTokenizer: "gpt-2",
  kinds: more.tokens.map(() => "normal"),
  scores: null,
  merges: [],
  special: { bos: null, eos: null, unknown: null, separator: null, padding: null, mask: null },
  addBos: false,
  addEos: false,
  addSpacePrefix: false,
  removeExtraSpaces: false,
  characterMap: null,
  lowerCase: false,
  chatTemplate: null,
  ...more,
});

test("pairs merge by rank, the leftmost of equals first", () => {
  const tokens = ["a", "b", "c", "ab", "bc", "aa", "aab"];
  const of = (merges: readonly string[], text: string): string[] => {
    const tokenizer = new Tokenizer(source({ tokens, merges }));
    return tokenizer.encode(text).map((id) => tokens[id]!);
  };
  expect(of(["a b", "b c"], "abc")).toEqual(["ab", "c"]);
  expect(of(["b c", "a b"], "abc")).toEqual(["a", "bc"]);
  expect(of(["a a"], "aaa")).toEqual(["aa", "a"]);
  expect(of(["a b", "a a", "aa b"], "aab")).toEqual(["a", "ab"]);
});

test("long words merge as short ones do", () => {
  const tokens = ["a", "b", "ab", "ba", "abab", "aba", "bb", "aa"];
  const tokenizer = new Tokenizer(source({ tokens, merges: ["a b", "ab ab", "b b", "ab a", "a a", "b a"] }));
  const unit = "abbaabab"; // merges do not cross the marks between units
  const short = tokenizer.encode(unit);
  const marked = new Tokenizer(source({ tokens: [...tokens, "c"], merges: ["a b", "ab ab", "b b", "ab a", "a a", "b a"] }));
  const long = marked.encode(Array.from({ length: 40 }, () => unit).join("c"));
  expect(long).toEqual(Array.from({ length: 40 }, (_, i) => (i === 0 ? short : [8, ...short])).flat());
});

test("characters arrive whole from tokens that cut them, and what never becomes whole is U+FFFD", () => {
  const bytes = [...Buffer.from("好🚀")].map((byte) => `<0x${byte.toString(16).toUpperCase()}>`);
  const tokens = [...new Set(bytes), "x"];
  const tokenizer = new Tokenizer(source({ model: "scorePairs", tokens, kinds: tokens.map((text) => (text === "x" ? "normal" : "byte")) }));
  const ids = tokenizer.encode("好🚀x");
  expect(ids).toHaveLength(8);
  const stream = tokenizer.stream();
  expect(ids.map((id) => stream.push(id))).toEqual(["", "", "好", "", "", "", "🚀", "x"]);
  const half = tokenizer.stream();
  expect([half.push(ids[0]!), half.push(ids.at(-1)!), half.finish()]).toEqual(["", "\ufffdx", ""]);
  expect(tokenizer.decode(ids.slice(0, 2))).toBe("\ufffd");
  expect(tokenizer.decode(ids)).toBe("好🚀x");
});

test("control tokens are read from a text only when asked, the longest first, and not shown", () => {
  const tokens = ["<", "s", ">", "<s>", "<s>>", "a"];
  const tokenizer = new Tokenizer(source({ tokens, kinds: ["normal", "normal", "normal", "control", "control", "normal"] }));
  expect(tokenizer.encode("a<s>>")).toEqual([5, 0, 1, 2, 2]);
  expect(tokenizer.encode("a<s>><s>", { special: true })).toEqual([5, 4, 3]);
  expect(tokenizer.decode([5, 4, 3])).toBe("a");
  expect(tokenizer.decode([5, 4, 3], true)).toBe("a<s>><s>");
});

test("BOS and EOS frame a text once", () => {
  const special = { bos: 1, eos: 2, unknown: null, separator: null, padding: null, mask: null };
  const tokenizer = new Tokenizer(
    source({ tokens: ["a", "<b>", "<e>"], kinds: ["normal", "control", "control"], special, addBos: true, addEos: true }),
  );
  expect(tokenizer.encode("a", { frame: true })).toEqual([1, 0, 2]);
  expect(tokenizer.encode("<b>a<e>", { frame: true, special: true })).toEqual([1, 0, 2]);
  expect(tokenizer.encode("", { frame: true })).toEqual([1, 2]);
  expect(tokenizer.endings.has(2)).toBe(true);
});

test("bytes that are not UTF-8: one U+FFFD for each that begins no character", () => {
  expect(readLenient("a\xe5\xa5")).toBe("a\ufffd\ufffd");
  expect(readLenient("\xe5\xa5\xbd\x80\xff")).toBe("好\ufffd\ufffd");
  expect(readLenient("\xed\xa0\x80")).toBe("\ufffd"); // half a pair
  expect(readLenient("\xf5\xbf\xbf\xbf")).toBe("\ufffd"); // beyond Unicode
});

/** A map of single bytes: a node for each at base XOR byte, then the value at that node's base. */
function compiledMap(entries: readonly (readonly [string, string])[]): Uint8Array {
  const units = new Uint32Array(1024);
  let replacements = "";
  units[0] = 512 << 10; // the root's children from 512
  entries.forEach(([from, to], i) => {
    const node = 512 ^ from.charCodeAt(0);
    const value = 1 + i; // a free cell
    units[node] = ((node ^ value) << 10) | 0x100 | from.charCodeAt(0);
    units[value] = replacements.length;
    replacements += `${to}\0`;
  });
  const bytes = new Uint8Array(4 + units.byteLength + replacements.length);
  new DataView(bytes.buffer).setUint32(0, units.byteLength, true);
  bytes.set(new Uint8Array(units.buffer), 4);
  bytes.set(Buffer.from(replacements, "latin1"), 4 + units.byteLength);
  return bytes;
}

test("unigram: the likeliest cut, normalised by the file's map, unknown runs as one", () => {
  const tokens = ["<unk>", "▁a", "▁", "a", "b", "ab", "▁ab", "c"];
  const tokenizer = new Tokenizer(
    source({
      model: "unigram",
      tokens,
      kinds: tokens.map((_, i) => (i === 0 ? "unknown" : "normal")),
      scores: Float32Array.of(0, -1, -2, -3, -3, -2.5, -9, -4),
      special: { bos: null, eos: null, unknown: 0, separator: null, padding: null, mask: null },
      addSpacePrefix: true,
      removeExtraSpaces: true,
      characterMap: compiledMap([
        ["A", "a"],
        ["\t", " "],
        ["Z", "cc"],
      ]),
    }),
  );
  const pieces = (text: string): string[] => tokenizer.encode(text).map((id) => tokens[id]!);
  expect(pieces("ab")).toEqual(["▁a", "b"]); // −4 beats ▁·ab at −4.5 and ▁ab at −9
  expect(pieces("  Ab\t\tb ")).toEqual(["▁a", "b", "▁", "b"]);
  expect(pieces("aZ")).toEqual(["▁a", "c", "c"]);
  expect(pieces("a好的b")).toEqual(["▁a", "<unk>", "b"]);
});

test("maps and metadata from outside are checked", () => {
  expect(() => new CharacterMap(Uint8Array.of(255, 255, 255, 255, 0))).toThrowError(/claims/);
  const wild = compiledMap([["A", "a"]]);
  new DataView(wild.buffer).setUint32(4, 0x1fffff << 10, true);
  expect(() => new CharacterMap(wild).replace("A", 0)).toThrowError(/points to/);
  const read = (entries: Record<string, unknown>) =>
    readGgufTokenizer({
      path: "x.gguf",
      metadata: new Map(Object.entries({ "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "qwen2", ...entries })),
    });
  expect(() => read({ "tokenizer.ggml.tokens": 7 })).toThrowError(/"tokens" should be a list of texts/);
  expect(() => read({ "tokenizer.ggml.tokens": ["a"], "tokenizer.ggml.token_type": [] })).toThrowError(/list of 1 numbers/);
  expect(() => read({ "tokenizer.ggml.model": "rwkv" })).toThrowError(/does not know the tokenizer "rwkv"/);
  const odd = read({
    "tokenizer.ggml.tokens": ["a"],
    "tokenizer.ggml.merges": [],
    "tokenizer.ggml.bos_token_id": 5,
    "tokenizer.ggml.pre": "unheard-of",
  });
  expect(odd.special.bos).toBeNull();
  expect(() => new Tokenizer(odd)).toThrowError(/pre-tokenizer "unheard-of"/);
});
