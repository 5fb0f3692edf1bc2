/** @file HTML to blocks with a streaming reader: no tree, no scripts, no requests; what a reader cannot see is dropped. */

import { Parser } from "htmlparser2";
import type { DocumentMeta, ParsedDocument } from "#contracts";
import { DocumentBuilder } from "./builder.ts";
import { corruptError, type ParseLimits } from "./limits.ts";
import { isHeaderRow, presentRow } from "./table.ts";

const dropped = new Set([
  "script",
  "style",
  "noscript",
  "template",
  "svg",
  "math",
  "iframe",
  "object",
  "embed",
  "canvas",
  "audio",
  "video",
  "select",
  "textarea",
  "button",
  "nav",
  "frame",
  "frameset",
  "map",
]);
const blocks = new Set([
  "p",
  "div",
  "section",
  "article",
  "header",
  "footer",
  "main",
  "aside",
  "ul",
  "ol",
  "li",
  "dl",
  "dt",
  "dd",
  "blockquote",
  "figure",
  "figcaption",
  "address",
  "form",
  "fieldset",
  "table",
  "thead",
  "tbody",
  "tfoot",
  "tr",
  "h1",
  "h2",
  "h3",
  "h4",
  "h5",
  "h6",
  "pre",
  "hr",
  "body",
  "center",
  "details",
  "summary",
  "caption",
]);
const voids = new Set(["br", "img", "hr", "input", "meta", "link", "area", "base", "col", "embed", "source", "track", "wbr", "param"]);

const maxDepth = 10_000;

function isHidden(attributes: Record<string, string>): boolean {
  if ("hidden" in attributes || attributes["aria-hidden"] === "true" || attributes.type === "hidden") return true;
  const style = attributes.style;
  return (
    style !== undefined &&
    /(?:display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)|font-size\s*:\s*0(?![.\d])|opacity\s*:\s*0(?![.\d])|mso-hide\s*:\s*all)/i.test(style)
  );
}

type Table = { rows: string[][]; row: string[] | null; cell: string | null };

/** Where parsed HTML goes: a builder, or a plain list of lines. */
export type HtmlSink = (kind: "heading" | "paragraph" | "list" | "table-row" | "code", text: string, level?: number) => void;

export class HtmlReader {
  title = "";
  readonly meta: { author?: string; date?: string; language?: string } = {};
  readonly #sink: HtmlSink;
  readonly #parser: Parser;
  readonly #open: string[] = [];
  readonly #tables: Table[] = [];
  #text = "";
  #hiddenFrom = -1;
  #kind: "heading" | "paragraph" | "list" | "code" = "paragraph";
  #level = 1;
  #pre = 0;
  #inTitle = false;

  constructor(sink: HtmlSink, xmlMode = false) {
    this.#sink = sink;
    this.#parser = new Parser(
      {
        onopentag: (name, attributes) => this.#start(name, attributes),
        onclosetag: (name) => this.#end(name),
        ontext: (text) => this.#words(text),
      },
      { decodeEntities: true, lowerCaseTags: true, lowerCaseAttributeNames: true, recognizeSelfClosing: xmlMode },
    );
  }

  /** In pieces, so that a huge file never becomes one huge token. */
  read(html: string): void {
    for (let at = 0; at < html.length; at += 1 << 16) this.#parser.write(html.slice(at, at + (1 << 16)));
    this.#parser.end();
    this.#flush();
    while (this.#tables.length > 0) this.#endTable();
  }

  #words(text: string): void {
    if (this.#inTitle) {
      if (this.title.length < 500) this.title += text;
      return;
    }
    if (this.#hiddenFrom >= 0) return;
    this.#text += this.#pre > 0 ? text : text.replace(/\s+/g, " ");
  }

  #flush(): void {
    const table = this.#tables.at(-1);
    const text =
      this.#pre > 0 || this.#kind === "code"
        ? this.#text
        : this.#text
            .replace(/[ \t]*\n[ \t]*/g, "\n")
            .replace(/ {2,}/g, " ")
            .trim();
    this.#text = "";
    if (text.trim() === "") return;
    if (table?.cell !== null && table?.cell !== undefined) table.cell += (table.cell === "" ? "" : "\n") + text.trim();
    else this.#sink(this.#kind, this.#kind === "list" ? `• ${text}` : text, this.#kind === "heading" ? this.#level : undefined);
  }

  #start(name: string, attributes: Record<string, string>): void {
    if (name === "html" && attributes.lang !== undefined) this.meta.language = attributes.lang;
    if (name === "meta") this.#metaTag(attributes);
    if (name === "title" && this.title === "" && !this.#open.includes("svg")) this.#inTitle = true;
    if (!voids.has(name)) this.#open.push(name);
    if (this.#open.length > maxDepth) throw corruptError(`HTML nested deeper than ${maxDepth}`, `HTML 嵌套超过 ${maxDepth} 层`);
    if (this.#hiddenFrom >= 0) return;
    if (!voids.has(name) && (dropped.has(name) || (name !== "body" && name !== "html" && isHidden(attributes)))) {
      this.#hiddenFrom = this.#open.length - 1;
      return;
    }
    if (name === "br") this.#text += "\n";
    if (name === "img" && attributes.alt !== undefined && attributes.alt.length > 3) this.#text += ` ${attributes.alt.slice(0, 300)} `;
    if (blocks.has(name)) {
      this.#flush();
      this.#kind = /^h[1-6]$/.test(name)
        ? "heading"
        : name === "li" || name === "dd"
          ? "list"
          : name === "pre"
            ? "code"
            : this.#kind === "list" && name === "p"
              ? "list"
              : "paragraph";
      if (this.#kind === "heading") this.#level = Number(name[1]);
    }
    if (name === "pre") this.#pre++;
    this.#startTable(name);
  }

  #metaTag(attributes: Record<string, string>): void {
    const content = attributes.content ?? "";
    const name = (attributes.name ?? attributes.property ?? "").toLowerCase();
    if (name === "author" || name === "contentsource") this.meta.author ??= content.slice(0, 200);
    if ((name === "pubdate" || name === "article:published_time" || name === "date") && /^\d{4}-\d{2}-\d{2}/.test(content))
      this.meta.date ??= content.slice(0, 10);
    if (name === "articletitle" && this.title === "") this.title = content.slice(0, 500);
  }

  #startTable(name: string): void {
    const table = this.#tables.at(-1);
    if (name === "table" && this.#tables.length < 20) this.#tables.push({ rows: [], row: null, cell: null });
    else if (name === "tr" && table !== undefined) table.row = [];
    else if ((name === "td" || name === "th") && table !== undefined) {
      this.#closeCell(table);
      table.row ??= [];
      table.cell = "";
    }
  }

  #closeCell(table: Table): void {
    this.#flush();
    if (table.cell !== null) table.row?.push(table.cell);
    table.cell = null;
  }

  #end(name: string): void {
    if (name === "title") this.#inTitle = false;
    if (voids.has(name)) return;
    const at = this.#open.lastIndexOf(name);
    if (at < 0) return;
    this.#open.length = at;
    if (this.#hiddenFrom >= 0) {
      if (at <= this.#hiddenFrom) this.#hiddenFrom = -1;
      return;
    }
    const table = this.#tables.at(-1);
    if ((name === "td" || name === "th") && table !== undefined) this.#closeCell(table);
    else if (name === "tr" && table !== undefined) {
      this.#closeCell(table);
      if (table.row?.some((cell) => cell !== "")) table.rows.push(table.row);
      table.row = null;
    } else if (name === "table" && table !== undefined) this.#endTable();
    else if (blocks.has(name)) {
      this.#flush();
      this.#kind = "paragraph";
    }
    if (name === "pre") this.#pre = Math.max(0, this.#pre - 1);
  }

  #endTable(): void {
    const table = this.#tables.pop();
    if (table === undefined) return;
    this.#closeCell(table);
    if (table.row !== null && table.row.length > 0) table.rows.push(table.row);
    const outer = this.#tables.at(-1);
    const lines = presentTable(table.rows);
    if (outer?.cell !== null && outer?.cell !== undefined) outer.cell += (outer.cell === "" ? "" : "\n") + lines.map((line) => line.text).join("\n");
    else for (const line of lines) this.#sink(line.kind, line.text);
  }
}

/** A table with one column, or of long texts, is layout: its cells are paragraphs. */
export function presentTable(rows: readonly (readonly string[])[]): { kind: "paragraph" | "table-row"; text: string }[] {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  if (columns <= 1 || (rows.length <= 2 && rows.some((row) => row.some((cell) => cell.length > 600)))) {
    return rows.flatMap((row) => row.flatMap((cell) => cell.split("\n"))).map((text) => ({ kind: "paragraph" as const, text }));
  }
  const first = rows[0] ?? [];
  const header = isHeaderRow(first, rows[1]) ? first : null;
  return (header === null ? rows : rows.slice(1)).map((row) => ({ kind: "table-row" as const, text: presentRow(header, row) }));
}

export function plainFromHtml(html: string): string[] {
  const lines: string[] = [];
  new HtmlReader((_, text) => lines.push(text)).read(html);
  return lines;
}

export function parseHtml(html: string, limits: ParseLimits): ParsedDocument {
  const builder = new DocumentBuilder(limits);
  const reader = new HtmlReader((kind, text, level) => {
    if (kind === "paragraph" || kind === "list") for (const line of text.split("\n")) builder.add(kind, line);
    else builder.add(kind, text, level === undefined ? {} : { level });
  });
  reader.read(html);
  const title = reader.title.replace(/\s+/g, " ").trim();
  const meta: DocumentMeta = { ...(title === "" ? {} : { title }), ...reader.meta };
  return builder.finish(meta);
}
