/** @file Where sentences begin and end, in Chinese and English. Offsets only; knows no documents. */

export type Span = { readonly start: number; readonly end: number };

const terminators = "。！？!?…";
const closers = "”’\"'）)】」』》〉］]}";
const openBrackets = "（(【［[{";
const closeBrackets = "）)】］]}";
const abbreviation =
  /(?:^|[\s(（])(?:[A-Za-z]|Mr|Mrs|Ms|Dr|Prof|St|No|Nos|Fig|Figs|Eq|vs|etc|al|e\.g|i\.e|cf|ca|approx|Jr|Sr|Inc|Ltd|Co|Corp|Art|Sec|Ch|Vol|pp|p|ed|eds|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept|Sep|Oct|Nov|Dec|U\.S|U\.K|Ph\.D|a\.m|p\.m)$/;
/** A bracket may hide sentence ends for this long; a lost closing bracket must not swallow the rest. */
const bracketReach = 200;

function isBlank(code: number): boolean {
  return code === 32 || code === 9 || code === 10 || code === 13 || code === 0x3000 || code === 0xa0;
}

/** A full stop that ends a sentence: not in 3.14, "e.g.", "J. Smith", "file.txt". */
function isStop(text: string, at: number, start: number): boolean {
  let next = at + 1;
  while (next < text.length && closers.includes(text[next] ?? "")) next++;
  if (next < text.length && !isBlank(text.charCodeAt(next)) && text.charCodeAt(next) < 0x2e80) return false;
  const before = text.slice(Math.max(0, at - 8), at);
  // "2. Second item": a number alone is not a sentence.
  if (at - start < 8 && /^\s*\d{1,3}$/.test(text.slice(start, at)) && text[at + 1] === " ") return false;
  if (!abbreviation.test(before)) return true;
  // An abbreviation may still end a sentence when nothing follows on the line.
  return next >= text.length || text[next] === "\n";
}

export function splitSentences(text: string): Span[] {
  const spans: Span[] = [];
  let start = 0;
  let depth = 0;
  let depthFrom = 0;
  const emit = (end: number): void => {
    let a = start;
    let b = end;
    while (a < b && isBlank(text.charCodeAt(a))) a++;
    while (b > a && isBlank(text.charCodeAt(b - 1))) b--;
    if (b > a) spans.push({ start: a, end: b });
    start = end;
  };
  for (let i = 0; i < text.length; i++) {
    const char = text[i] as string;
    if (char === "\n") {
      emit(i + 1);
      depth = 0;
      continue;
    }
    if (openBrackets.includes(char)) {
      if (depth++ === 0) depthFrom = i;
      continue;
    }
    if (closeBrackets.includes(char)) {
      depth = Math.max(0, depth - 1);
      continue;
    }
    if (!terminators.includes(char) && !(char === "." && isStop(text, i, start))) continue;
    if (depth > 0 && i - depthFrom < bracketReach && hasClosing(text, i)) continue;
    let end = i + 1;
    while (end < text.length && terminators.includes(text[end] ?? "")) end++;
    while (end < text.length && closers.includes(text[end] ?? "") && !opensHere(text, end)) end++;
    emit(end);
    depth = 0;
    i = end - 1;
  }
  emit(text.length);
  return spans;
}

/** A straight quote closes when a word does not follow it directly. */
function opensHere(text: string, at: number): boolean {
  const char = text[at];
  if (char !== '"' && char !== "'") return false;
  const next = text[at + 1];
  return next !== undefined && /[\p{L}\p{N}]/u.test(next) && text[at - 1] === " ";
}

function hasClosing(text: string, from: number): boolean {
  for (let i = from + 1; i < text.length && i < from + bracketReach && text[i] !== "\n"; i++) if (closeBrackets.includes(text[i] ?? "")) return true;
  return false;
}
