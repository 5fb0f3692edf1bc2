/** @file How each family cuts text into words before byte pairs are merged. Each pattern cuts what the one before it left; gaps between matches are words, too. */
import { StarboxError } from "#base";

/** White space as the families mean it (Unicode's White_Space); JavaScript's \s has U+FEFF and lacks U+0085. */
const space = "\\t-\\r \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const pattern = (text: string): RegExp => new RegExp(text.replaceAll("\\s", `[${space}]`).replaceAll("\\S", `[^${space}]`), "gu");

const contraction = "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])";
const other = `[^${space}\\p{L}\\p{N}]+`;
const spaces = "\\s+(?!\\S)|\\s+";
const gpt2 = pattern(`'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?${other}|${spaces}`);
const digit = pattern("\\p{N}");
const digits = pattern("\\p{N}+");
const threeDigits = pattern("[0-9][0-9][0-9]");
/** Letters with an optional mark before them; numbers in groups; marks with the line ends after them. */
const modern = (number: string, letter = "\\p{L}"): RegExp =>
  pattern(
    `${contraction}|[^\\r\\n\\p{L}\\p{N}]?${letter === "\\p{L}" ? letter : `[${letter}]`}+|${number}| ?[^${space}${letter}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|${spaces}`,
  );
const llama3 = modern("\\p{N}{1,3}");
const qwen2 = modern("\\p{N}");
const deepseek3 = pattern(
  `[!"#$%&'()*+,\\-.\\/:;<=>?@\\[\\\\\\]^_\`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|${spaces}`,
);

type PreTokenizer = {
  readonly patterns: readonly RegExp[] /** A word that is a token as a whole is not merged up from bytes. */;
  readonly wholeWords?: boolean;
};

const groups: readonly (readonly [names: string, PreTokenizer])[] = [
  ["gpt-2 phi-2 jina-es jina-de gigachat jina-v2-es jina-v2-de a.x-4.0 mellum modern-bert jina-v1-en jina-v2-code roberta-bpe", { patterns: [gpt2] }],
  ["mpt olmo jais trillion exaone4 granite-docling", { patterns: [gpt2] }],
  ["smollm starcoder refact command-r codeshell exaone minerva-7b mellum2", { patterns: [digit, gpt2] }],
  ["qwen2 deepseek-r1-qwen kormo f2llmv2 megrez stablelm2 hunyuan solar-open", { patterns: [qwen2] }],
  ["qwen35", { patterns: [modern("\\p{N}", "\\p{L}\\p{M}")] }],
  ["llama3 llama-v3 llama-bpe falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano", { patterns: [llama3], wholeWords: true }],
  ["dbrx smaug-bpe glm4 chatglm-bpe", { patterns: [llama3] }],
  ["falcon", { patterns: [pattern("[\\p{P}\\$\\+<=>\\^~\\|`]+"), gpt2, threeDigits] }],
  ["default", { patterns: [pattern("[\\p{P}\\$\\+<=>\\^~\\|]+"), gpt2, digits, threeDigits] }],
  ["deepseek-coder", { patterns: [pattern("[\\r\\n]"), pattern("\\s?\\p{L}+"), pattern("\\s?\\p{P}+"), pattern("[一-龥ࠀ-一가-퟿]+"), digit] }],
  ["deepseek-v3 hunyuan-dense joyai-llm hy_v4", { patterns: [pattern("\\p{N}{1,3}"), pattern("[一-龥぀-ゟ゠-ヿ]+"), deepseek3] }],
];
const byName = new Map(groups.flatMap(([names, preTokenizer]) => names.split(" ").map((name) => [name, preTokenizer] as const)));

/** Throws `unsupported` for one that is not known: guessing would tokenise almost right. */
export function findPreTokenizer(name: string): PreTokenizer {
  const found = byName.get(name);
  if (found !== undefined) return found;
  throw new StarboxError("unsupported", `Our own engine does not know the pre-tokenizer "${name}".`, {
    hint: `It knows: ${[...byName.keys()].join(", ")}. llama.cpp may run this model.`,
    zh: { message: `自有引擎不支持预分词器 "${name}"。`, hint: "可改用 llama.cpp 引擎。" },
  });
}

/** The patterns of a tokenizer.json, "gpt2" standing for ByteLevel's own -> our name. */
const folderPatterns = new Map([
  ["gpt2", "gpt-2"],
  ["\\p{N} gpt2", "smollm"],
  [folderModern("\\p{L}", "\\p{N}"), "qwen2"],
  [folderModern("\\p{L}", "\\p{N}{1,3}"), "dbrx"],
  [folderModern("[\\p{L}\\p{M}]", "\\p{N}"), "qwen35"],
]);
function folderModern(letter: string, number: string): string {
  const inner = letter.replace(/[[\]]/g, "");
  return `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?${letter}+|${number}| ?[^\\s${inner}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`;
}

/** Null for patterns that are not known. */
export function findPreTokenizerFor(patterns: readonly string[], wholeWords: boolean): string | null {
  const name = folderPatterns.get(patterns.join(" ")) ?? null;
  if (!wholeWords) return name;
  return name === "dbrx" ? "llama-bpe" : null; // the only family in use that takes whole words first
}

export function splitWords(text: string, patterns: readonly RegExp[]): readonly string[] {
  let words: readonly string[] = [text];
  for (const expression of patterns) words = words.length === 1 ? cut(words[0]!, expression) : words.flatMap((word) => cut(word, expression));
  return words;
}

function cut(text: string, expression: RegExp): string[] {
  const pieces: string[] = [];
  let at = 0;
  expression.lastIndex = 0;
  for (let match = expression.exec(text); match !== null; match = expression.exec(text)) {
    if (match.index > at) pieces.push(text.slice(at, match.index));
    pieces.push(match[0]);
    at = match.index + match[0].length;
  }
  if (at < text.length) pieces.push(text.slice(at));
  return pieces;
}
