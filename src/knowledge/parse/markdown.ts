/** @file Markdown to blocks: headings, lists, tables row by row, code; markup goes, the words stay. Renders nothing. */
import type { DocumentMeta, ParsedDocument } from "#contracts";
import { DocumentBuilder } from "./builder.ts";
import { plainFromHtml } from "./html.ts";
import type { ParseLimits } from "./limits.ts";
import { isHeaderRow, presentRow } from "./table.ts";
import { displayWidth, endsSentence, Paragraph, startsStructure } from "./text-shape.ts";

const marked = /[*_`[\]!<&~\\]/;

/** Inline markup out; a link keeps its words, a picture its description. */
export function stripInline(text: string): string {
  if (!marked.test(text)) return text;
  let out = text;
  if (out.includes("](") || out.includes("]["))
    out = out.replace(/!?\[([^\]]{0,1000})\](?:\([^)\s]{0,2000}(?:\s+"[^"]{0,500}")?\)|\[[^\]]{0,200}\])/g, "$1");
  if (out.includes("<"))
    out = out.replace(/<(https?:\/\/[^>\s]{1,2000}|[^@\s<>]{1,100}@[^>\s]{1,200})>/g, "$1").replace(/<\/?[a-zA-Z][^<>]{0,2000}>/g, "");
  if (out.includes("`")) out = out.replace(/(`+)([^`]{1,5000})\1/g, "$2");
  if (out.includes("*")) out = out.replace(/(\*{1,3})(?=\S)([^*]{1,5000}?)(?<=\S)\1/g, "$2");
  if (out.includes("_")) out = out.replace(/(?<![\w])(_{1,3})(?=\S)([^_]{1,5000}?)(?<=\S)\1(?![\w])/g, "$2");
  if (out.includes("~~")) out = out.replace(/~~([^~]{1,5000})~~/g, "$1");
  if (out.includes("\\")) out = out.replace(/\\([\\`*_{}[\]()#+\-.!|~<>])/g, "$1");
  if (out.includes("&"))
    out = out.replace(
      /&(amp|lt|gt|quot|nbsp|#39);/g,
      (_, name: string) => ({ amp: "&", lt: "<", gt: ">", quot: '"', nbsp: " ", "#39": "'" })[name] ?? "",
    );
  return out;
}

function splitRow(line: string): string[] {
  const inner = line
    .trim()
    .replace(/^\|/, "")
    .replace(/(?<!\\)\|$/, "");
  return inner.split(/(?<!\\)\|/).map((cell) => stripInline(cell.replaceAll("\\|", "|")).trim());
}

const tableRule = /^\s*\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)+\|?\s*$/;

class MarkdownReader {
  readonly #lines: readonly string[];
  readonly #builder: DocumentBuilder;
  readonly meta: { title?: string; author?: string; date?: string } = {};
  readonly #paragraph = new Paragraph();
  #list = false;

  constructor(text: string, limits: ParseLimits) {
    this.#lines = text.split("\n");
    this.#builder = new DocumentBuilder(limits);
  }

  read(): DocumentBuilder {
    let at = this.#frontMatter();
    while (at < this.#lines.length) at = this.#line(at);
    this.#flush();
    return this.#builder;
  }

  #flush(): void {
    if (this.#paragraph.empty) return;
    this.#builder.add(this.#list ? "list" : "paragraph", stripInline(this.#paragraph.take()));
    this.#list = false;
  }

  #frontMatter(): number {
    if (this.#lines[0]?.trim() !== "---") return 0;
    const end = this.#lines.findIndex((line, i) => i > 0 && i < 200 && /^(---|\.\.\.)\s*$/.test(line));
    if (end < 1) return 0;
    for (const line of this.#lines.slice(1, end)) {
      const [, key, value] = /^(title|author|date)\s*:\s*["']?(.{1,300}?)["']?\s*$/.exec(line) ?? [];
      if (value === undefined) continue;
      if (key === "title") this.meta.title = value;
      else if (key === "author") this.meta.author = value;
      else if (/^\d{4}-\d{2}-\d{2}/.test(value)) this.meta.date = value.slice(0, 10);
    }
    return end + 1;
  }

  /** Reads the block or line at `at`; returns where the next begins. */
  #line(at: number): number {
    const line = this.#lines[at] as string;
    const first = line.charCodeAt(0);
    // Most lines of prose start with a letter: nothing below applies to them.
    if (first > 0x7f && first !== 0x3000) return this.#prose(line, at);
    const trimmed = line.trim();
    if (trimmed === "") {
      this.#flush();
      return at + 1;
    }
    const marks = /^#{1,6}(?=\s)/.exec(trimmed)?.[0];
    if (marks !== undefined) return this.#heading(trimmed.slice(marks.length), marks.length, at);
    if (/^\s{0,3}(```|~~~)/.test(line)) return this.#code(at);
    if (trimmed.startsWith("<")) return this.#html(trimmed, at);
    if (!this.#paragraph.empty && !this.#list && /^(=+|-{2,})$/.test(trimmed)) {
      const level = trimmed.startsWith("=") ? 1 : 2;
      this.#builder.add("heading", stripInline(this.#paragraph.take()), { level });
      return at + 1;
    }
    if (/^([-*_])(\s*\1){2,}$/.test(trimmed)) {
      this.#flush();
      return at + 1;
    }
    if (trimmed.includes("|") && tableRule.test(this.#lines[at + 1] ?? "")) return this.#table(at);
    return this.#prose(line, at);
  }

  #heading(raw: string, level: number, at: number): number {
    this.#flush();
    let end = raw.length;
    while (end > 0 && raw[end - 1] === "#") end--;
    // Closing marks count only after a space: "C#" keeps its own.
    const text = stripInline(end < raw.length && /\s/.test(raw[end - 1] ?? " ") ? raw.slice(0, end) : raw).trim();
    const title = level === 1 && this.#builder.blockCount === 0;
    this.#builder.add(title ? "title" : "heading", text, { level });
    if (title && text !== "") this.meta.title ??= text;
    return at + 1;
  }

  #prose(line: string, at: number): number {
    const text = line.replace(/^(?:\s*>)+\s?/, "").trim();
    const item = /^([-*+]|\d{1,9}[.)])\s+/.exec(text);
    const above = this.#paragraph.last;
    // A very long line, or a long one that ends its sentence, was not broken by hand: the next one is a paragraph of its own.
    const width = above.length > 60 ? displayWidth(above.slice(0, 300)) : 0;
    const closed = width > 240 || (width > 120 && endsSentence(above));
    if (item !== null || closed || (!this.#paragraph.empty && startsStructure(text))) this.#flush();
    if (item !== null) {
      this.#list = true;
      this.#paragraph.add(/^\d/.test(text) ? text : `• ${text.slice(item[0].length)}`);
    } else if (this.#paragraph.empty || endsSentence(this.#paragraph.last)) this.#paragraph.add(text);
    else this.#paragraph.join(text);
    return at + 1;
  }

  #code(at: number): number {
    this.#flush();
    const fence = (this.#lines[at] as string).trim().slice(0, 3);
    let end = at + 1;
    while (end < this.#lines.length && !(this.#lines[end] as string).trim().startsWith(fence)) end++;
    this.#builder.add("code", this.#lines.slice(at + 1, end).join("\n"));
    return end + 1;
  }

  #html(trimmed: string, at: number): number {
    if (trimmed.startsWith("<!--")) {
      let end = at;
      while (end < this.#lines.length && !(this.#lines[end] as string).includes("-->")) end++;
      if (end === this.#lines.length) return this.#prose(this.#lines[at] as string, at);
      this.#flush();
      return end + 1;
    }
    if (!/^<\/?[a-zA-Z]/.test(trimmed)) return this.#prose(this.#lines[at] as string, at);
    this.#flush();
    let end = at;
    while (end < this.#lines.length && (this.#lines[end] as string).trim() !== "") end++;
    for (const line of plainFromHtml(this.#lines.slice(at, end).join("\n"))) this.#builder.add("paragraph", line);
    return end;
  }

  #table(at: number): number {
    this.#flush();
    const header = splitRow(this.#lines[at] as string);
    let end = at + 2;
    while (end < this.#lines.length && (this.#lines[end] as string).includes("|")) {
      const row = splitRow(this.#lines[end] as string);
      const named = isHeaderRow(header, row) || header.some((cell) => cell !== "");
      this.#builder.add("table-row", presentRow(named ? header : null, row));
      end++;
    }
    if (end === at + 2) this.#builder.add("table-row", presentRow(null, header));
    return end;
  }
}

export function parseMarkdown(text: string, limits: ParseLimits): ParsedDocument {
  const reader = new MarkdownReader(text.replace(/\r\n?/g, "\n"), limits);
  const builder = reader.read();
  const meta: DocumentMeta = reader.meta;
  return builder.finish(meta);
}
