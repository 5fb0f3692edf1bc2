/** @file Text as the e5 family was trained to see it: normalised like SentencePiece's nmt_nfkc, with its prefix. No tokens here. */

/** What nmt_nfkc deletes: controls, zero-width marks, soft hyphen is kept. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this removes
const removed = /[\u0001-\u0008\u000b\u000e-\u001f\u007f\u008f\u009f\u200b-\u200f\ufeff\ufffd]/g;
const spaces = /[\s\u2028\u2029\u0085]+/g;

export function normaliseForEmbedding(text: string): string {
  return text.normalize("NFKC").replace(removed, "").replace(spaces, " ").trim();
}

export type EmbedKind = "query" | "passage";

export function embedderInput(text: string, kind: EmbedKind, prefixed: boolean): string {
  const normal = normaliseForEmbedding(text);
  return prefixed ? `${kind}: ${normal}` : normal;
}
