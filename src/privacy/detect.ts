/** @file Where personal data and listed words stand in a text: mobile and identity numbers, bank cards, e-mail. Checks sums, so that any long number is not taken for one. */
import type { MaskKind } from "#contracts";

export type Found = { readonly kind: MaskKind; readonly start: number; readonly end: number };

/** Digits people write: half and full width. */
const digit = "[0-9０-９]";
/** Between groups of digits: one blank or dash of any kind. */
const gap = "[ \\u00a0\\u3000\\-\\u2010-\\u2015\\uff0d]?";
const before = `(?<![0-9０-９])`;
const after = `(?![0-9０-９])`;

const patterns: readonly { readonly kind: Exclude<MaskKind, "word">; readonly pattern: RegExp; readonly isReal: (text: string) => boolean }[] = [
  {
    kind: "identity",
    // 17 digits and a check digit or X, perhaps grouped 6-8-4
    pattern: new RegExp(`${before}(?:${digit}${gap}){17}[0-9０-９XxＸｘ](?![0-9０-９A-Za-z])`, "gu"),
    isReal: (text) => isIdentityNumber(plain(text)),
  },
  {
    kind: "bankCard",
    pattern: new RegExp(`${before}${digit}(?:${gap}${digit}){12,18}${after}`, "gu"),
    isReal: (text) => isBankCard(plain(text)),
  },
  {
    kind: "mobile",
    pattern: new RegExp(`(?<![0-9０-９])(?:(?:\\+|＋|00)?[8８][6６]${gap})?[1１][3-9３-９]${digit}${gap}(?:${digit}${gap}){7}${digit}${after}`, "gu"),
    isReal: () => true,
  },
  {
    kind: "email",
    pattern:
      /(?<![A-Za-z0-9._%+-])[A-Za-z0-9](?:[A-Za-z0-9._%+-]{0,62}[A-Za-z0-9_%+-])?[@＠](?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9-])/gu,
    isReal: () => true,
  },
];

/** Half width, without what stands between groups. */
export function plain(text: string): string {
  return text.replace(/[０-９Ａ-Ｚａ-ｚ＋＠]/gu, (char) => String.fromCharCode(char.charCodeAt(0) - 0xfee0)).replace(/[^0-9A-Za-z+@]/gu, "");
}

const identityWeights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
const identityChecks = "10X98765432";

/** GB 11643: province, date of birth and the check digit must all be right. */
export function isIdentityNumber(text: string): boolean {
  if (!/^[1-8]\d{16}[\dXx]$/.test(text)) return false;
  const year = Number(text.slice(6, 10));
  const month = Number(text.slice(10, 12));
  const day = Number(text.slice(12, 14));
  const date = new Date(Date.UTC(year, month - 1, day));
  if (year < 1800 || year > 2200 || date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return false;
  const sum = identityWeights.reduce((total, weight, i) => total + weight * Number(text[i]), 0);
  return identityChecks[sum % 11] === text[17]?.toUpperCase();
}

/** Issuers' beginnings with their lengths: UnionPay and other Chinese debit cards, Visa, Mastercard, American Express, JCB, Diners. */
const issuers =
  /^(?:62\d{14,17}|60\d{14,17}|9\d{15,18}|4\d{12}(?:\d{3}){0,2}|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}|35\d{14}|3(?:0[0-5]|[68]\d)\d{11})$/;

export function isBankCard(text: string): boolean {
  if (!issuers.test(text)) return false;
  let sum = 0;
  for (let i = 0; i < text.length; i++) {
    const value = Number(text[text.length - 1 - i]);
    sum += i % 2 === 1 ? (value > 4 ? 2 * value - 9 : 2 * value) : value;
  }
  return sum % 10 === 0;
}

/** First found, first kept: what overlaps an earlier kind is not looked at again. In order of place. */
export function detect(text: string, kinds: ReadonlySet<MaskKind>, words: RegExp | null): readonly Found[] {
  const found: Found[] = [];
  const isFree = (start: number, end: number): boolean => found.every((item) => end <= item.start || start >= item.end);
  for (const { kind, pattern, isReal } of patterns) {
    if (!kinds.has(kind)) continue;
    for (const match of text.matchAll(pattern)) {
      const end = match.index + match[0].length;
      if (isReal(match[0]) && isFree(match.index, end)) found.push({ kind, start: match.index, end });
    }
  }
  if (words !== null && kinds.has("word")) {
    for (const match of text.matchAll(words)) {
      const end = match.index + match[0].length;
      if (isFree(match.index, end)) found.push({ kind: "word", start: match.index, end });
    }
  }
  return found.sort((a, b) => a.start - b.start);
}

/** One expression for a whole list, longest words first; letters in any case. null: no words. */
export function compileWords(words: readonly string[]): RegExp | null {
  const escaped = [...new Set(words.map((word) => word.trim()).filter((word) => word !== ""))]
    .sort((a, b) => b.length - a.length)
    .map((word) => word.replace(/[.*+?^${}()|[\]\\/-]/g, "\\$&").replace(/\s+/g, "\\s+"));
  return escaped.length === 0 ? null : new RegExp(escaped.join("|"), "giu");
}
