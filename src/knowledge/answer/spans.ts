/** @file Pieces of a sentence that could be the short answer, each with the signs that speak for it. Works on normalised text; scoring is elsewhere. */
import { tagWords } from "../text/index.ts";
import { askKinds, type Question } from "./question.ts";

export type Span = { readonly start: number; readonly end: number };

/** A sentence as evidence, normalised, with what the ranking already knows about it. */
export type SpanSentence = { readonly text: string; readonly rank: number; readonly coverage: number; readonly score: number };

type Word = { readonly start: number; readonly end: number; readonly word: string; readonly tag: string };

const breaks = /[,，;；:：。!！?？…\n]/;
const opens = "「『《〈(（【[“‘";
const closes = "」』》〉)）】]”’";
const edgeBad = /^[的了着也都就又而且并与和或及以所其之将被把、·\-—,.，。;；:：!！?？\s]+$/u;
const maxWords = 10;

/** Every run of words inside a clause that could stand alone, and whole clauses. */
export function candidateSpans(sentence: string): {
  readonly words: readonly Word[];
  readonly spans: readonly (Span & { readonly from: number; readonly to: number })[];
} {
  const words: Word[] = [];
  let at = 0;
  for (const { word, tag } of tagWords(sentence)) {
    words.push({ start: at, end: at + word.length, word, tag });
    at += word.length;
  }
  const spans: (Span & { from: number; to: number })[] = [];
  for (let i = 0; i < words.length; i++) {
    const first = words[i] as Word;
    if (edgeBad.test(first.word) || closes.includes(first.word) || cutsNumber(sentence, first.start)) continue;
    for (let j = i; j < words.length; j++) {
      const last = words[j] as Word;
      if (breaks.test(last.word) && !/\d$/.test(words[j - 1]?.word ?? "")) break;
      const isClauseEnd = j + 1 === words.length || breaks.test(words[j + 1]?.word ?? "");
      const isClauseStart = i === 0 || breaks.test(words[i - 1]?.word ?? "");
      if (j - i >= maxWords && !(isClauseStart && isClauseEnd) && !isClauseEnd) continue;
      if (j - i >= 2 * maxWords && !isClauseStart) continue;
      if (edgeBad.test(last.word) || opens.includes(last.word) || cutsNumber(sentence, last.end)) continue;
      if (!balanced(sentence.slice(first.start, last.end))) continue;
      spans.push({ start: first.start, end: last.end, from: i, to: j });
    }
  }
  return { words, spans };
}

/** "2,525" and "3.14" are one number. */
function cutsNumber(text: string, at: number): boolean {
  return /\d[,.]?$/.test(text.slice(Math.max(0, at - 2), at)) && /^[,.]?\d/.test(text.slice(at, at + 2));
}

function balanced(text: string): boolean {
  let depth = 0;
  for (const c of text) {
    if (opens.includes(c)) depth++;
    else if (closes.includes(c) && --depth < 0) return false;
  }
  return depth === 0;
}

const digit = "[\\d〇零一二三四五六七八九十百千万亿两半几数]";
const looks: readonly RegExp[] = [
  new RegExp(`(?:公元|西元|民国)?前?\\d{1,4}年|${digit}+(?:世纪|年代)|${digit}+月|${digit}年|时期|时代|朝$|\\b(?:1\\d|20)\\d\\d\\b`),
  new RegExp(`\\d|${digit}+[个人次种倍年天日元米里%度岁位]`),
  /%|百分|(?:公里|公尺|公斤|平方|人|元|倍|次|米|岁|度)$/,
  /^[「『《〈“].*[」』》〉”]$/u,
  /[a-z]/,
  /·|•/,
  /(?:国|国家|省|市|县|州|洲|区|岛|城|镇|村|河|江|湖|海|山|地区|半岛|平原|高原)$/,
  /(?:公司|大学|学院|政府|党|会|局|部|委员会|集团|银行|法院|组织|协会|军|队)$/,
  /^(?:因|由于|为了|以便|使|导致|缺乏|避免|防止)/,
  /、|和|与|及/,
  /的/,
];
const tagClasses: readonly RegExp[] = [
  /^nr/,
  /^ns/,
  /^nt/,
  /^nz/,
  /^n(?![rstz])/,
  /^(?:vn|an)/,
  /^v(?!n)/,
  /^a(?!n)/,
  /^m/,
  /^(?:t|tg)/,
  /^(?:d|p|c|u|f|r|zg)/,
  /^(?:q|j|l|i|eng|b|s|x)/,
];
const before = /(?:是|为|在|于|由|被|叫|称|名|到|从|以|了|把|向|对|即|有|与|和|至|自|给|因|的|成|作)$/;
const betterAfter = /^(?:的|所|在|是|,|，|。|、|等|于|和|与|则|就|也|为|来|而|;|；|时|后|之|人|上|中|开始)/;

export const featureCount = askKinds.length + 12 + looks.length + 2 * tagClasses.length + 47 + 16;

const isDate = /^(?:公元|西元|民国)?前?[\d〇零一二三四五六七八九十]{1,4}(?:年|世纪|月|日)|年代|时期$|朝$|初期$|末期?$/;
const isNumber = /[\d〇零一二三四五六七八九十百千万亿]/;
const isName = /^n(?:r|rt|rfg)|^nz/;

/** Does the piece look like what is asked for? Said outright, since few examples teach it. */
function agreements(question: Question, text: string, firstTag: string, lastTag: string, post: string): boolean[] {
  const { kind, head } = question;
  const date = isDate.test(text);
  const counts = isNumber.test(text) && !date;
  const person = isName.test(firstTag) || isName.test(lastTag) || text.includes("·");
  const place = /^ns/.test(lastTag) || /^ns/.test(firstTag) || looks[6]?.test(text) === true;
  const yearAsked = /年$|几年/.test(question.text.slice(question.holeStart, question.holeEnd));
  const unit = kind === "number" ? head || (/[^\d]{1,3}$/.exec(question.text.slice(0, question.holeStart))?.[0] ?? "") : "";
  return [
    kind === "time" && date,
    kind === "time" && !date,
    kind === "time" && yearAsked && /\d年/.test(text),
    kind === "number" && counts,
    kind === "number" && !counts,
    kind === "number" && date,
    kind === "number" && unit !== "" && (text.endsWith(unit) || post.startsWith(unit)),
    kind === "person" && person,
    kind === "person" && !person,
    kind === "person" && (date || counts),
    kind === "place" && place,
    kind === "place" && !place,
    kind === "thing" && (date || counts),
    kind === "thing" && head !== "" && text.length > head.length && text.endsWith(head.slice(-1)),
    (kind === "reason" || kind === "manner") && /^v|^p|^d/.test(firstTag),
    (kind === "reason" || kind === "manner") && text.length < 4,
  ];
}

/** Question units found in the sentence: where, how heavy and on which side of the gap they stand in the question. */
type Found = { readonly at: number; readonly length: number; readonly weight: number; readonly side: 0 | 1; readonly gap: number };

/** One row of numbers a candidate. `weigh` says how telling a piece of the question is (rare among the evidence = heavy). */
export function spanFeatures(
  question: Question,
  sentence: SpanSentence,
  weigh: (unit: string) => number,
): { readonly spans: readonly Span[]; readonly rows: readonly Float32Array[] } {
  const { words, spans } = candidateSpans(sentence.text);
  const { found, total } = findUnits(question, sentence.text, weigh);
  const near = nearness(found, sentence.text.length, total);
  const covered = new Uint8Array(sentence.text.length);
  for (const f of found) covered.fill(1, f.at, f.at + f.length);
  const clauses = clauseCoverage(sentence.text, found, total);
  const headTags = question.head === "" ? "" : (tagWords(question.head).at(-1)?.tag ?? "");
  const left = question.text.slice(0, question.holeStart);
  const right = question.text.slice(question.holeEnd);
  const rows = spans.map((span) => {
    const row = new Float32Array(featureCount);
    let k = 0;
    const put = (value: number | boolean): void => {
      row[k++] = Number(value);
    };
    const text = sentence.text.slice(span.start, span.end);
    for (const kind of askKinds) put(question.kind === kind);
    const count = span.to - span.from + 1;
    for (let n = 1; n <= 6; n++) put(count === n);
    put(Math.log(text.length) / 3);
    put(text.length / 20);
    put(count > 6);
    put(count > 10);
    put(text.length === 1);
    put(text.length === 2);
    for (const look of looks) put(look.test(text));
    const first = words[span.from] as Word;
    const last = words[span.to] as Word;
    for (const tag of tagClasses) put(tag.test(first.tag));
    for (const tag of tagClasses) put(tag.test(last.tag));
    let inside = 0;
    for (let i = span.start; i < span.end; i++) inside += covered[i] as number;
    put(inside / text.length);
    put(inside === text.length);
    put(covered[span.start - 1] ?? 0);
    put(covered[span.end] ?? 0);
    for (const scale of near) {
      put(scale.leftOf[0]?.[span.start] as number);
      put(scale.leftOf[1]?.[span.start] as number);
      put(scale.rightOf[0]?.[span.end] as number);
      put(scale.rightOf[1]?.[span.end] as number);
    }
    const pre = sentence.text.slice(Math.max(0, span.start - 8), span.start);
    const post = sentence.text.slice(span.end, span.end + 8);
    put(commonEnd(left, pre) / 4);
    put(commonStart(right, post) / 4);
    put(near2(left.slice(-2), pre));
    put(near2(right.slice(0, 2), post));
    put(before.test(pre));
    put(betterAfter.test(post));
    put(pre === "" || breaks.test(pre.at(-1) as string));
    put(post === "" || breaks.test(post[0] as string));
    put(opens.includes(pre.at(-1) ?? "?"));
    put(closes.includes(post[0] ?? "?"));
    put(pre.endsWith("、") || post.startsWith("、"));
    const head = question.head;
    put(head !== "");
    put(head !== "" && text.endsWith(head));
    put(head !== "" && text.at(-1) === head.at(-1));
    put(head !== "" && text.includes(head));
    put(head !== "" && (post.startsWith(head) || post.startsWith(`的${head}`)));
    put(head !== "" && post[0] === head[0]);
    put(head !== "" && pre.endsWith(head));
    put(head !== "" && pre.includes(head));
    put(headTags !== "" && headTags.slice(0, 2) === last.tag.slice(0, 2));
    put(/^n/.test(last.tag) || /^vn/.test(last.tag));
    const clause = clauses[clauseOf(clauses, span.start)];
    put(clause?.coverage ?? 0);
    put((clauses[clauseOf(clauses, span.start) - 1]?.coverage ?? 0) + (clauses[clauseOf(clauses, span.start) + 1]?.coverage ?? 0));
    put(clause !== undefined && clause.coverage === Math.max(...clauses.map((c) => c.coverage)));
    put(span.start / sentence.text.length);
    put(question.holeStart === 0);
    put(question.holeEnd >= question.text.length - 1);
    put(sentence.rank === 0);
    put(sentence.coverage);
    put(sentence.score);
    put(text.length / (clause === undefined ? text.length : clause.end - clause.start));
    for (const fits of agreements(question, text, first.tag, last.tag, post)) put(fits);
    if (k !== featureCount) throw new RangeError(`span features: ${featureCount} planned, ${k} made`);
    return row;
  });
  return { spans, rows };
}

function findUnits(question: Question, sentence: string, weigh: (unit: string) => number): { found: Found[]; total: number } {
  const found: Found[] = [];
  let total = 0;
  for (let i = 0; i + 1 < question.text.length; i++) {
    if (i + 2 > question.holeStart && i < question.holeEnd) continue;
    const unit = question.text.slice(i, i + 2);
    if (!/^[\p{L}\p{N}]{2}$/u.test(unit)) continue;
    const weight = weigh(unit);
    total += weight;
    const side = i < question.holeStart ? 0 : 1;
    const gap = side === 0 ? question.holeStart - i - 2 : i - question.holeEnd;
    for (let at = sentence.indexOf(unit); at >= 0; at = sentence.indexOf(unit, at + 1)) found.push({ at, length: 2, weight, side, gap });
  }
  return { found, total: Math.max(total, 1e-6) };
}

/** For every place in the sentence: how much of the question stands near it, by side of the question and side of the place, at three ranges. */
function nearness(found: readonly Found[], length: number, total: number): { leftOf: Float32Array[]; rightOf: Float32Array[] }[] {
  return [3, 8, 24].map((reach) => {
    const fade = Math.exp(-1 / reach);
    const leftOf = [0, 1].map((side) => {
      const sum = new Float32Array(length + 1);
      const add = new Float32Array(length + 1);
      for (const f of found)
        if (f.side === side) add[f.at + f.length] = (add[f.at + f.length] as number) + (f.weight / total) * Math.exp(-f.gap / 16);
      for (let p = 0; p <= length; p++) sum[p] = (p > 0 ? (sum[p - 1] as number) * fade : 0) + (add[p] as number);
      return sum;
    });
    const rightOf = [0, 1].map((side) => {
      const sum = new Float32Array(length + 1);
      const add = new Float32Array(length + 1);
      for (const f of found) if (f.side === side) add[f.at] = (add[f.at] as number) + (f.weight / total) * Math.exp(-f.gap / 16);
      for (let p = length; p >= 0; p--) sum[p] = (p < length ? (sum[p + 1] as number) * fade : 0) + (add[p] as number);
      return sum;
    });
    return { leftOf, rightOf };
  });
}

type Clause = { readonly start: number; readonly end: number; readonly coverage: number };

function clauseCoverage(sentence: string, found: readonly Found[], total: number): Clause[] {
  const out: Clause[] = [];
  let start = 0;
  for (let i = 0; i <= sentence.length; i++) {
    if (i < sentence.length && !breaks.test(sentence[i] as string)) continue;
    if (i > start) out.push({ start, end: i, coverage: found.reduce((sum, f) => (f.at >= start && f.at < i ? sum + f.weight : sum), 0) / total });
    start = i + 1;
  }
  return out;
}

function clauseOf(clauses: readonly Clause[], at: number): number {
  return clauses.findIndex((clause) => at >= clause.start && at < clause.end);
}

function commonEnd(a: string, b: string): number {
  let n = 0;
  while (n < 4 && n < a.length && n < b.length && a[a.length - 1 - n] === b[b.length - 1 - n]) n++;
  return n;
}

function commonStart(a: string, b: string): number {
  let n = 0;
  while (n < 4 && n < a.length && n < b.length && a[n] === b[n]) n++;
  return n;
}

function near2(piece: string, text: string): boolean {
  return piece.length === 2 && text.includes(piece);
}
