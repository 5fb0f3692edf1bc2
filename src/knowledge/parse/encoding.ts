/** @file Bytes to text: byte order marks, UTF-8, UTF-16, GB18030, Big5, by looking at the content. Knows no format. */
import { corruptError, documentError } from "./limits.ts";

export type DecodedText = { readonly text: string; readonly encoding: string; readonly warning?: string };

// The commonest characters of simplified and traditional text: a wrong decoding has next to none of them.
const common = new Set(
  "的一是不了在人有我他这为之大来以个中上们到说国和地也子时道出而要于就下得可你年生自会那后能对着事其里所去行过家十用发天如然作方成者多日都三小军二无同么经法当起与好看学进种将还分此心前面又定见只主没公从第条本应当规定人民" +
    "這為來個們說國時於後對著裡過發經當與學進種將還條見從無會開關長門問間東車馬風電話語書點線員業產質與該應單實際據稱總統權義務勞動合同，。、；：！？“”（）《》「」『』",
);

function score(text: string): number {
  let good = 0;
  let bad = 0;
  let wide = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code >= 0x20 && code < 0x7f) continue;
    if (code === 9 || code === 10 || code === 13) continue;
    wide++;
    if (code < 0x20 || code === 0xfffd || (code >= 0x7f && code < 0xa0) || (code >= 0xe000 && code <= 0xf8ff) || (code >= 0xd800 && code <= 0xdfff))
      bad++;
    else if (common.has(text[i] ?? "")) good++;
  }
  return wide === 0 ? 0 : (good - 4 * bad) / wide;
}

function decode(bytes: Uint8Array, encoding: string): string {
  return new TextDecoder(encoding, { ignoreBOM: false }).decode(bytes);
}

function validUtf8(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}

function byMark(bytes: Uint8Array): string | null {
  const [a, b, c, d] = bytes;
  if (a === 0xef && b === 0xbb && c === 0xbf) return "utf-8";
  if (a === 0xff && b === 0xfe && !(c === 0 && d === 0)) return "utf-16le";
  if (a === 0xfe && b === 0xff) return "utf-16be";
  return null;
}

/** The share of zero bytes at even and at odd places: English in UTF-16 shows at once. */
function zeroShares(sample: Uint8Array): { readonly even: number; readonly odd: number } {
  let even = 0;
  let odd = 0;
  for (let i = 0; i < sample.length; i++) if (sample[i] === 0) i % 2 === 0 ? even++ : odd++;
  const half = Math.max(1, sample.length / 2);
  return { even: even / half, odd: odd / half };
}

/** A declared charset (HTML meta, mail header) is believed only where the bytes leave the question open. */
export function decodeText(bytes: Uint8Array, declared?: string): DecodedText {
  const mark = byMark(bytes);
  if (mark !== null) {
    const text = decode(bytes, mark);
    return { text, encoding: mark, ...(text.includes("\ufffd") ? { warning: `Some bytes are not valid ${mark}.` } : {}) };
  }
  const sample = bytes.subarray(0, Math.min(bytes.length, 1 << 16) & ~1);
  const zeros = zeroShares(sample);
  if (zeros.odd > 0.3 && zeros.even < 0.05) return { text: decode(bytes, "utf-16le"), encoding: "utf-16le" };
  if (zeros.even > 0.3 && zeros.odd < 0.05) return { text: decode(bytes, "utf-16be"), encoding: "utf-16be" };
  // A stray zero byte does not make a text binary.
  if (zeros.even + zeros.odd < 0.1) {
    const utf8 = validUtf8(bytes);
    if (utf8 !== null) return { text: utf8, encoding: "utf-8" };
  }
  return guess(bytes, sample, declared, zeros.even + zeros.odd);
}

function guess(bytes: Uint8Array, sample: Uint8Array, declared: string | undefined, zeros: number): DecodedText {
  const names = zeros < 0.01 ? ["utf-8", "gb18030", "big5", "utf-16le", "utf-16be"] : ["utf-16le", "utf-16be"];
  const ranked = names.map((name) => ({ name, score: score(decode(sample, name)) })).sort((a, b) => b.score - a.score);
  const best = ranked[0] as { name: string; score: number };
  const known = declared === undefined ? null : supported(declared);
  if (best.score > 0.08)
    return { text: decode(bytes, best.name), encoding: best.name, ...(best.name === "utf-8" ? { warning: "Some bytes are not valid UTF-8." } : {}) };
  if (known !== null && zeros < 0.01) {
    const text = decode(bytes, known);
    if (score(text.slice(0, 1 << 16)) > -0.5) return { text, encoding: known };
  }
  const high = sample.reduce((n, byte) => n + (byte >= 0x80 ? 1 : 0), 0) / Math.max(1, sample.length);
  if (high < 0.15 && zeros === 0)
    return { text: decode(bytes, "windows-1252"), encoding: "windows-1252", warning: "Encoding guessed as Western (windows-1252)." };
  if (best.score > -0.02 && best.name !== "utf-16le" && best.name !== "utf-16be" && zeros === 0)
    return { text: decode(bytes, best.name), encoding: best.name, warning: `Encoding guessed as ${best.name}.` };
  throw documentError(
    "encoding_unknown",
    {
      message: "The text's encoding could not be recognised: expected UTF-8, UTF-16, GB18030 or Big5.",
      hint: "Open it in an editor and save it as UTF-8.",
    },
    { message: "无法识别文本编码：支持 UTF-8、UTF-16、GB18030、Big5。", hint: "请在编辑器中另存为 UTF-8 编码。" },
  );
}

function supported(name: string): string | null {
  try {
    return new TextDecoder(name.trim().toLowerCase() === "gb2312" ? "gb18030" : name.trim()).encoding;
  } catch {
    return null;
  }
}

/** Parts of Office files say UTF-8 or UTF-16 and are corrupt otherwise. */
export function decodeXml(bytes: Uint8Array): string {
  const mark = byMark(bytes);
  if (mark !== null) return decode(bytes, mark);
  const utf8 = validUtf8(bytes);
  if (utf8 !== null) return utf8;
  const declared = /encoding=["']([\w-]+)["']/.exec(new TextDecoder("latin1").decode(bytes.subarray(0, 200)))?.[1];
  const known = declared === undefined ? null : supported(declared);
  if (known === null || known === "utf-8") throw corruptError("a part is not valid UTF-8", "内部内容不是有效的 UTF-8");
  return decode(bytes, known);
}
