/** @file PDF to blocks: headers and footers out, lines joined to paragraphs over columns and pages, headings by size. Scanned pages are counted, not read. */
import type { Box, DocumentMeta, ParsedDocument } from "#contracts";
import { type BlockOptions, DocumentBuilder } from "./builder.ts";
import { corruptError, type ParseLimits, tooLargeError } from "./limits.ts";
import { PdfSource } from "./pdf-engine.ts";
import { collectFragments, type Fragment, type Line, orderLines } from "./pdf-layout.ts";
import { endsSentence, isCjk, joinLines, startsStructure } from "./text-shape.ts";

type Page = { readonly number: number; readonly height: number; readonly lines: Line[] };
type RawPage = { readonly number: number; readonly height: number; readonly fragments: readonly Fragment[] };

const pageNumber = /^[-—–－·•\s/|]*(?:第\s*)?[0-9０-９ivxIVX]{1,5}(?:\s*页)?(?:\s*[/／共of]+\s*[0-9０-９]{1,5}\s*页?)?[-—–－·•\s/|]*$/;

/** Running headers with a page number in them are short; longer lines that differ in a number are what the page says. */
const longestNumbered = 60;

/**
 * How a line may come back on other pages: word for word, or with one number (or all) that counts along with the pages.
 * Other numbers are content: "Room 7: code 4471" at the top of a page is no running header.
 */
function fingerprints(line: Fragment, page: number): string[] {
  const text = line.text
    .replace(/[０-９]/g, (digit) => String.fromCharCode(digit.charCodeAt(0) - 0xfee0))
    .replace(/第[一二三四五六七八九十百]+页/g, "第#页")
    .replace(/\s+/g, "");
  const at = `@${Math.round(line.y0 / 3)}`;
  const numbers = text.length > longestNumbered ? 0 : Math.min(4, text.match(/[0-9]+/g)?.length ?? 0);
  const relative = (only: number | null): string => {
    let index = -1;
    return text.replace(/[0-9]+/g, (digits) => (++index === only || only === null ? `#${Number(digits) - page}#` : digits)) + at;
  };
  return [text + at, ...(numbers > 1 ? [relative(null)] : []), ...Array.from({ length: numbers }, (_, only) => relative(only))];
}

/**
 * What comes back at the top or bottom of page after page, and page numbers, goes. Before lines are ordered: a page number
 * in the middle would widen the column above it.
 */
function dropHeadersAndFooters(pages: readonly RawPage[]): Page[] {
  const seen = new Map<string, number>();
  const atEdge = (fragment: Fragment, page: RawPage): boolean => fragment.y1 < page.height * 0.13 || fragment.y0 > page.height * 0.87;
  for (const page of pages) {
    for (const key of new Set(page.fragments.filter((f) => atEdge(f, page)).flatMap((f) => fingerprints(f, page.number))))
      seen.set(key, (seen.get(key) ?? 0) + 1);
  }
  const often = Math.max(2, Math.min(5, pages.length * 0.3));
  return pages.map((page) => {
    const kept = page.fragments.filter((fragment) => {
      if (!atEdge(fragment, page)) return true;
      if (fingerprints(fragment, page.number).some((key) => (seen.get(key) ?? 0) >= often)) return false;
      return !(pageNumber.test(fragment.text) && (fragment.y0 > page.height * 0.87 || pages.length > 1));
    });
    return { number: page.number, height: page.height, lines: orderLines(kept) };
  });
}

type Shape = { readonly bodySize: number; readonly pitch: number; readonly headingSizes: readonly number[] };

const roundSize = (size: number): number => Math.round(size * 2) / 2;

/** The commonest size and line distance, and the larger sizes that headings use. */
function measure(pages: readonly Page[]): Shape {
  const sizes = new Map<number, number>();
  const pitches = new Map<number, number>();
  for (const page of pages) {
    page.lines.forEach((line, i) => {
      sizes.set(roundSize(line.size), (sizes.get(roundSize(line.size)) ?? 0) + line.text.length);
      const above = page.lines[i - 1];
      if (above === undefined || above.columnX0 !== line.columnX0) return;
      const pitch = Math.round((line.y1 - above.y1) * 2) / 2 / line.size;
      if (pitch > 0.8 && pitch < 3) pitches.set(Math.round(pitch * 20) / 20, (pitches.get(Math.round(pitch * 20) / 20) ?? 0) + 1);
    });
  }
  const commonest = (counts: Map<number, number>, fallback: number): number => [...counts].sort((a, b) => b[1] - a[1])[0]?.[0] ?? fallback;
  const bodySize = commonest(sizes, 10);
  const headingSizes = [...sizes.keys()].filter((size) => size > bodySize * 1.12).sort((a, b) => b - a);
  return { bodySize, pitch: commonest(pitches, 1.4), headingSizes };
}

/** Room the first word of a line would have needed on the line above. */
function firstWordWidth(line: Line): number {
  const word = isCjk(line.text[0] ?? "") ? "" : (/^[!-~]+/.exec(line.text)?.[0] ?? "");
  return word === "" ? line.size * 1.8 : (word.length * 0.55 + 0.6) * line.size;
}

function isHeadingLine(line: Line, shape: Shape): boolean {
  return roundSize(line.size) > shape.bodySize * 1.12 && line.text.length < 90;
}

function continues(above: Line, line: Line, shape: Shape, newPage: boolean): boolean {
  if (Math.abs(above.size - line.size) > 0.12 * Math.max(above.size, line.size)) return false;
  const newColumn = newPage || above.columnX0 !== line.columnX0 || line.y0 < above.y0;
  const heading = isHeadingLine(line, shape);
  if (heading)
    return !newColumn && line.y1 - above.y1 < line.size * Math.max(2, shape.pitch * 1.3) && !startsStructure(line.text) && !endsSentence(above.text);
  if (!newColumn && (line.y1 - above.y1) / line.size > shape.pitch * 1.4) return false;
  const indent = line.x0 - line.columnX0 > 0.8 * line.size;
  const aboveIndent = above.x0 - above.columnX0;
  // A line may end early so that no comma begins the next one.
  const room = above.columnX1 - above.x1;
  const short = room > firstWordWidth(line) + (endsSentence(above.text) ? 0.4 : 1.7) * line.size;
  if (startsStructure(line.text) && (indent || short || endsSentence(above.text))) return false;
  if (newColumn) return !indent && !short && !endsSentence(above.text);
  if (short) return false;
  return !(
    indent &&
    line.x0 - line.columnX0 > aboveIndent - 0.4 * line.size &&
    (Math.abs(line.x0 - line.columnX0 - aboveIndent) > 0.8 * line.size || endsSentence(above.text))
  );
}

type Draft = { text: string; page: number; box: Box; last: Line; readonly first: Line; readonly continues: boolean };

function grow(box: Box, line: Line): Box {
  const x = Math.min(box.x, line.x0);
  const y = Math.min(box.y, line.y0);
  return { x, y, width: Math.max(box.x + box.width, line.x1) - x, height: Math.max(box.y + box.height, line.y1) - y };
}

const boxOf = (line: Line): Box => ({ x: line.x0, y: line.y0, width: line.x1 - line.x0, height: line.y1 - line.y0 });

function draftParagraphs(pages: readonly Page[], shape: Shape): Draft[] {
  const drafts: Draft[] = [];
  let open: Draft | undefined;
  for (const page of pages) {
    for (const line of page.lines) {
      const newPage = open !== undefined && open.page !== page.number;
      const goesOn: boolean = open !== undefined && continues(open.last, line, shape, newPage);
      if (open !== undefined && goesOn && !newPage) {
        open.text = joinLines(open.text, line.text);
        open.box = grow(open.box, line);
        open.last = line;
      } else {
        open = { text: line.text, page: page.number, box: boxOf(line), first: line, last: line, continues: goesOn };
        drafts.push(open);
      }
    }
  }
  return drafts;
}

function rounded(box: Box): Box {
  const tenth = (value: number): number => Math.round(value * 10) / 10;
  return { x: tenth(box.x), y: tenth(box.y), width: tenth(box.width), height: tenth(box.height) };
}

function writeBlocks(drafts: readonly Draft[], shape: Shape, builder: DocumentBuilder): string | null {
  let title: string | null = null;
  let above = "";
  for (const draft of drafts) {
    const options: BlockOptions = { page: draft.page, box: rounded(draft.box) };
    const rank = shape.headingSizes.indexOf(roundSize(draft.first.size));
    if (rank >= 0 && draft.text.length < 120 && isHeadingLine(draft.first, shape)) {
      const isTitle = title === null && draft.page <= 2 && rank === 0;
      builder.add(isTitle ? "title" : "heading", draft.text, { ...options, level: Math.min(rank + 1, 5) });
      if (isTitle) title = draft.text;
    } else if (draft.continues) {
      // The words over the break must read as one, or a sentence on two pages is never found whole.
      const joined = joinLines(above, draft.text);
      builder.add("paragraph", draft.text, { ...options, continues: joined.length > above.length + draft.text.length ? " " : "" });
    } else builder.add("paragraph", draft.text, options);
    above = draft.text;
  }
  return title;
}

function readMeta(source: PdfSource, title: string | null): DocumentMeta {
  const stated = source.metaText("Title");
  const usable =
    stated.length > 3 &&
    !/^(microsoft|untitled|无标题|未命名|文档|幻灯片|powerpoint)|\.(docx?|pptx?|xlsx?|wps|indd|pdf|tmp)$|^[\x20-\x7e]{0,4}\d*$/i.test(stated);
  const author = source.metaText("Author");
  const found = title ?? (usable ? stated : null);
  return {
    ...(found === null ? {} : { title: found }),
    ...(author === "" || /^\(?(?:anonymous|unspecified|unknown)\)?$/i.test(author) ? {} : { author: author.slice(0, 200) }),
  };
}

export async function parsePdf(bytes: Uint8Array, limits: ParseLimits): Promise<ParsedDocument> {
  using source = await PdfSource.open(bytes);
  if (source.pageCount === 0) throw corruptError("the PDF has no pages", "PDF 没有页面");
  if (source.pageCount > limits.maxPages)
    throw tooLargeError(`${source.pageCount} pages, at most ${limits.maxPages}`, `${source.pageCount} 页，最多 ${limits.maxPages} 页`);
  const builder = new DocumentBuilder(limits);
  const raw: RawPage[] = [];
  const scanned: number[] = [];
  const unreadable: number[] = [];
  for (let index = 0; index < source.pageCount; index++) {
    const page = source.readPage(index);
    if (page === null) {
      unreadable.push(index + 1);
      continue;
    }
    if (page.picture) scanned.push(index + 1);
    raw.push({ number: index + 1, height: page.height, fragments: collectFragments(page) });
  }
  if (unreadable.length === source.pageCount) throw corruptError("none of its pages can be read", "所有页面都无法读取");
  if (unreadable.length > 0) builder.warn("pages_unreadable", `Pages that cannot be read 无法读取的页: ${unreadable.slice(0, 20).join(", ")}`);
  if (scanned.length > 0)
    builder.warn(
      "needs_ocr",
      `${scanned.length} of ${source.pageCount} pages hold pictures of text and need OCR. ${source.pageCount} 页中有 ${scanned.length} 页是图片，需要文字识别（OCR）。`,
    );
  const pages = dropHeadersAndFooters(raw);
  const shape = measure(pages);
  const title = writeBlocks(draftParagraphs(pages, shape), shape, builder);
  return builder.finish(readMeta(source, title), source.pageCount, scanned);
}
