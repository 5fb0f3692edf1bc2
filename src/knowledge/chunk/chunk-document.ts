/** @file A parsed document to chunks that follow its structure: articles, sections, numbered items, questions, rows, sentences. Offsets only. */
import type { Block, Chunk, ParsedDocument } from "#contracts";
import { numerals, parseNumeral } from "../parse/text-shape.ts";
import { splitSentences } from "./sentences.ts";

/** Characters a chunk aims at, and how long one paragraph or article may be and still stay whole. */
const target = 600;
const whole = 700;
/** Rows of a table share a chunk up to this size: each is a fact of its own. */
const rowTarget = 400;
/** Numbered items shorter than this share a chunk. */
const smallItem = 200;

const articleStart = new RegExp(`^第([${numerals}]{1,9})条(之[${numerals}]{1,3})?(.?)`);
const headingStart = new RegExp(`^第[${numerals}]{1,5}(編|编|分编|部分|篇|卷|章|节|節|目)(?=[\\s　]|.{0,30}$)`);
const itemStart = /^([一二三四五六七八九十]{1,3})[、．.]/;
const questionStart = /^(?:\d{1,3}[、.．]\s*)?(?:问|問|Q|Question|提问|问题)\s*\d{0,3}\s*[:：]/;
const annexStart = /^附\s*(?:件|录|錄|表|图|圖|注)?\s*[一二三四五六七八九十\d]{0,3}\s*(?:[:：]|$)/;

type Piece = { readonly block: Block; readonly text: string };
type Heading = { readonly level: number; readonly text: string };
/** What belongs together: one article, one section's text, one numbered item. Splits happen inside units, never across. */
type Unit = {
  pieces: Piece[];
  readonly context: readonly string[];
  readonly label: string | null;
  readonly kind: "article" | "item" | "question" | "record" | "rows" | "text" | "heading";
};

const chapterRank: Record<string, number> = { 編: 11, 编: 11, 卷: 11, 部分: 11, 篇: 11, 分编: 12, 章: 13, 节: 14, 節: 14, 目: 15 };

/** A line that names a chapter, whatever the parser thought it was. */
function chapterOf(text: string): number | null {
  if (/^(?:附\s*则|附\s*則|序\s*言|前\s*言|目\s*录)$/.test(text)) return chapterRank.编 ?? 11;
  if (text.length > 45 || /[。；;，,：:]$/.test(text)) return null;
  const mark = headingStart.exec(text)?.[1];
  return mark === undefined ? null : (chapterRank[mark] ?? null);
}

/** Which blocks start an article, and what it is called; references to articles at a line's start are seen through. */
function findArticles(pieces: readonly Piece[]): Map<Piece, string> {
  const found = new Map<Piece, string>();
  let last = 0;
  for (const piece of pieces) {
    if (piece.block.kind !== "paragraph" && piece.block.kind !== "list" && piece.block.kind !== "heading") continue;
    const match = articleStart.exec(piece.text);
    if (match === null) continue;
    const [, numeral = "", sub = "", next = ""] = match;
    const number = parseNumeral(numeral);
    if (Number.isNaN(number)) continue;
    const spaced = next === "" || /[\s　【〔]/.test(next);
    const follows = number === last + 1 || (number === last && sub !== "") || (last === 0 && number === 1);
    const reference = /[第的规和、，,及至与或之]/.test(next) || /^第[^条]{1,9}条(?:之.)?(?:规定|所列|所称|第|至|以及)/.test(piece.text);
    if (!(spaced || (follows && !reference))) continue;
    found.set(piece, `第${numeral}条${sub}`);
    last = number;
  }
  const plain = [...found.keys()].filter((piece) => piece.block.kind !== "heading").length;
  return found.size >= 2 || plain >= 1 ? found : new Map();
}

/** Numbered items 一、二、三、 in order; empty unless they really count. */
function findItems(pieces: readonly Piece[]): Map<Piece, string> {
  const found = new Map<Piece, string>();
  let last = 0;
  for (const piece of pieces) {
    if (piece.block.kind !== "paragraph" && piece.block.kind !== "list") continue;
    const numeral = itemStart.exec(piece.text)?.[1];
    if (numeral === undefined) continue;
    const number = parseNumeral(numeral);
    if (number !== last + 1 && number !== 1) continue;
    found.set(piece, `${numeral}、`);
    last = number;
  }
  return found.size >= 2 ? found : new Map();
}

class UnitBuilder {
  readonly units: Unit[] = [];
  readonly #headings: Heading[] = [];
  readonly #title: string | null;
  #open: Unit | null = null;
  /** Headings seen since the last text: kept as text of their own when nothing follows them. */
  #bare: Piece[] = [];

  constructor(title: string | null) {
    this.#title = title;
  }

  #context(): readonly string[] {
    const titles = this.#headings.map((heading) => heading.text);
    return this.#title === null || titles[0] === this.#title ? titles : [this.#title, ...titles];
  }

  heading(piece: Piece, level: number): void {
    this.#open = null;
    while (this.#headings.length > 0 && (this.#headings.at(-1)?.level ?? 0) >= level) this.#headings.pop();
    // "总 则" is "总则" set wide.
    const text = piece.text
      .replace(/\s+/g, " ")
      .replace(/(?<=^|\s)([\u4e00-\u9fff]) ([\u4e00-\u9fff])$/, "$1$2")
      .slice(0, 120);
    this.#headings.push({ level, text });
    this.#bare.push(piece);
  }

  start(piece: Piece, kind: Unit["kind"], label: string | null): void {
    this.#open = { pieces: [piece], context: this.#context(), label, kind };
    this.units.push(this.#open);
    this.#bare = [];
  }

  add(piece: Piece, kind: Unit["kind"]): void {
    const open = this.#open;
    const rows = kind === "rows";
    if (open === null || (open.kind === "rows") !== rows || open.kind === "record") this.start(piece, kind, null);
    else open.pieces.push(piece);
  }

  /** An annex stands outside every chapter. */
  annex(piece: Piece): void {
    while ((this.#headings.at(-1)?.level ?? 0) > 10) this.#headings.pop();
    this.start(piece, "text", null);
  }

  /** A document of headings alone (slides, contents) is still found. */
  finish(): Unit[] {
    if (this.units.length === 0 && this.#bare.length > 0) this.units.push({ pieces: this.#bare, context: [], label: null, kind: "heading" });
    return this.units;
  }
}

function isLoneHeading(pieces: readonly Piece[], at: number, isHeading: (piece: Piece) => boolean, level: number): boolean {
  const next = pieces[at + 1];
  if (next === undefined) return true;
  return isHeading(next) && (next.block.level ?? 1) <= level && next.block.kind === "heading" && pieces[at]?.block.page !== next.block.page;
}

function collectUnits(pieces: readonly Piece[], title: string | null): Unit[] {
  const articles = findArticles(pieces);
  const statute = articles.size > 0;
  const items: Map<Piece, string> = statute ? new Map() : findItems(pieces);
  const questions = statute ? 0 : pieces.filter((piece) => questionStart.test(piece.text)).length;
  const builder = new UnitBuilder(title);
  const isHeading = (piece: Piece): boolean => (piece.block.kind === "heading" || piece.block.kind === "title") && !articles.has(piece);
  pieces.forEach((piece, at) => {
    const { block, text } = piece;
    const article = articles.get(piece);
    const chapter = article === undefined && block.kind !== "table-row" && block.kind !== "record" && block.kind !== "code" ? chapterOf(text) : null;
    if (chapter !== null && (statute || block.kind === "heading" || text.length < 25)) return builder.heading(piece, chapter);
    if (isHeading(piece)) {
      if (isLoneHeading(pieces, at, isHeading, block.level ?? 1)) builder.add(piece, "text");
      else builder.heading(piece, block.level ?? 1);
      return;
    }
    if (article !== undefined) return builder.start(piece, "article", article);
    const item = items.get(piece);
    if (item !== undefined) {
      // "一、工作目标" heads a section; "一、将第三条修改为……" is the content itself.
      if (text.length <= 30 && !/[。；;：:]$/.test(text)) return builder.heading(piece, 16);
      return builder.start(piece, "item", item);
    }
    if (statute && annexStart.test(text)) return builder.annex(piece);
    if (questions >= 2 && questionStart.test(text)) return builder.start(piece, "question", null);
    if (block.kind === "record") return builder.start(piece, "record", block.label ?? null);
    builder.add(piece, block.kind === "table-row" ? "rows" : "text");
  });
  return builder.finish();
}

type Draft = { start: number; end: number; page: number | null; context: readonly string[]; label: string | null };

/** A long paragraph at sentence ends, each part beginning with the last sentence of the one before. */
function splitLong(text: string, base: number, page: number | null, unit: Unit): Draft[] {
  const drafts: Draft[] = [];
  const sentences = splitSentences(text).flatMap((span) => hardSplit(text, span.start, span.end));
  let from = 0;
  while (from < sentences.length) {
    const first = sentences[from] as { start: number; end: number };
    let to = from;
    while (to + 1 < sentences.length && (sentences[to + 1]?.end ?? 0) - first.start <= target) to++;
    drafts.push({ start: base + first.start, end: base + (sentences[to]?.end ?? first.end), page, context: unit.context, label: unit.label });
    if (to + 1 >= sentences.length) break;
    const last = sentences[to] as { start: number; end: number };
    const next = sentences[to + 1] as { start: number; end: number };
    // One sentence of overlap, unless it would leave no room for something new.
    from = to > from && next.end - last.start <= target && last.end - last.start <= 200 ? to : to + 1;
  }
  return drafts;
}

/** Text without sentence ends is cut at clause marks, spaces, or anywhere that is not inside a character. */
function hardSplit(text: string, start: number, end: number): { start: number; end: number }[] {
  const parts: { start: number; end: number }[] = [];
  let from = start;
  while (end - from > target) {
    const window = text.slice(from + target / 2, from + target);
    const cut = Math.max(
      window.lastIndexOf("；"),
      window.lastIndexOf(";"),
      window.lastIndexOf("，"),
      window.lastIndexOf("、"),
      window.lastIndexOf(","),
      window.lastIndexOf(" "),
    );
    let at = cut < 0 ? from + target : from + target / 2 + cut + 1;
    const code = text.charCodeAt(at);
    if (code >= 0xdc00 && code <= 0xdfff) at--;
    parts.push({ start: from, end: at });
    from = at;
  }
  parts.push({ start: from, end });
  return parts;
}

/** Blocks of a unit that are one paragraph over a page break, taken together. */
function paragraphsOf(unit: Unit, text: string): { start: number; end: number; page: number | null; label: string | null }[] {
  const paragraphs: { start: number; end: number; page: number | null; label: string | null }[] = [];
  for (const { block } of unit.pieces) {
    const last = paragraphs.at(-1);
    if (last !== undefined && !text.slice(last.end, block.start).includes("\n")) last.end = block.end;
    else paragraphs.push({ start: block.start, end: block.end, page: block.page, label: block.label ?? null });
  }
  return paragraphs;
}

function packUnit(unit: Unit, text: string): Draft[] {
  const paragraphs = paragraphsOf(unit, text);
  const first = paragraphs[0];
  const last = paragraphs.at(-1);
  if (first === undefined || last === undefined) return [];
  const draftOf = (p: { start: number; end: number; page: number | null; label: string | null }): Draft => ({
    start: p.start,
    end: p.end,
    page: p.page,
    context: unit.context,
    label: unit.label ?? p.label,
  });
  const together = unit.kind === "article" || unit.kind === "item" || unit.kind === "question" || unit.kind === "record";
  if (together && last.end - first.start <= whole) return [{ ...draftOf(first), end: last.end }];
  const drafts: Draft[] = [];
  const limit = unit.kind === "rows" ? rowTarget : target;
  let open: Draft | null = null;
  for (const paragraph of paragraphs) {
    const length = paragraph.end - paragraph.start;
    if (open !== null && paragraph.end - open.start <= limit) {
      open.end = paragraph.end;
      continue;
    }
    if (length > whole) {
      drafts.push(...splitLong(text.slice(paragraph.start, paragraph.end), paragraph.start, paragraph.page, unit));
      open = null;
      continue;
    }
    open = draftOf(paragraph);
    drafts.push(open);
  }
  return mergeTail(drafts, text);
}

/** A last scrap of a unit joins the chunk before it where both fit. */
function mergeTail(drafts: Draft[], text: string): Draft[] {
  const tail = drafts.at(-1);
  const before = drafts.at(-2);
  if (
    tail === undefined ||
    before === undefined ||
    tail.end - tail.start > 60 ||
    tail.end - before.start > whole ||
    text.slice(before.end, tail.start).trim() !== ""
  )
    return drafts;
  before.end = tail.end;
  drafts.pop();
  return drafts;
}

const sameContext = (a: readonly string[], b: readonly string[]): boolean => a.length === b.length && a.every((text, i) => text === b[i]);

/** Very short numbered items and records next to each other share a chunk. */
function mergeSmall(units: readonly Unit[]): Unit[] {
  const merged: Unit[] = [];
  const length = (unit: Unit): number => (unit.pieces.at(-1)?.block.end ?? 0) - (unit.pieces[0]?.block.start ?? 0);
  for (const unit of units) {
    const last = merged.at(-1);
    const fits =
      last !== undefined &&
      last.kind === unit.kind &&
      unit.kind === "item" &&
      sameContext(last.context, unit.context) &&
      length(last) + length(unit) <= smallItem;
    if (fits) last.pieces.push(...unit.pieces);
    else merged.push({ ...unit, pieces: [...unit.pieces] });
  }
  return merged;
}

function pageAt(blocks: readonly Block[], offset: number): number | null {
  let low = 0;
  let high = blocks.length - 1;
  while (low < high) {
    const mid = (low + high + 1) >> 1;
    if ((blocks[mid]?.start ?? 0) <= offset) low = mid;
    else high = mid - 1;
  }
  return blocks[low]?.page ?? null;
}

export function chunkDocument(parsed: ParsedDocument): Chunk[] {
  const { text, blocks } = parsed;
  const pieces = blocks.map((block) => ({ block, text: text.slice(block.start, block.end) }));
  const title = parsed.meta.title ?? null;
  const chunks: Chunk[] = [];
  for (const unit of mergeSmall(collectUnits(pieces, title))) {
    for (const draft of packUnit(unit, text)) {
      chunks.push({
        ordinal: chunks.length,
        start: draft.start,
        end: draft.end,
        page: pageAt(blocks, draft.start),
        context: draft.context,
        label: draft.label,
      });
    }
  }
  return chunks;
}
