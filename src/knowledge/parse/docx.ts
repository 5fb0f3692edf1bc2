/** @file Word documents to blocks: headings, automatic numbers, tables row by row, notes. Deleted and field-code text is left out. */
import type { ParsedDocument } from "#contracts";
import { DocumentBuilder } from "./builder.ts";
import { DocxNumbering } from "./docx-numbering.ts";
import { presentTable } from "./html.ts";
import { corruptError, type ParseLimits } from "./limits.ts";
import { readCoreMeta, readPart } from "./office.ts";
import type { ZipReader } from "./safe-zip.ts";
import { readRelations, readXml } from "./xml.ts";

type Style = { name: string; basedOn: string; outline: number; numId: string; depth: number };
type Paragraph = { text: string; style: string; outline: number; numId: string; depth: number };
type Table = { rows: string[][]; row: string[]; cell: string | null; span: number; mergedDown: boolean };

function readStyles(xml: string | null): Map<string, Style> {
  const styles = new Map<string, Style>();
  let style: Style | null = null;
  if (xml === null) return styles;
  readXml(xml, {
    open(name, a) {
      const value = a["w:val"] ?? "";
      if (name === "w:style" && (a["w:type"] ?? "paragraph") === "paragraph")
        styles.set(a["w:styleId"] ?? "", (style = { name: "", basedOn: "", outline: -1, numId: "", depth: 0 }));
      else if (style === null) return;
      else if (name === "w:name") style.name = value.toLowerCase();
      else if (name === "w:basedOn") style.basedOn = value;
      else if (name === "w:outlineLvl") style.outline = Number(value);
      else if (name === "w:numId") style.numId = value;
      else if (name === "w:ilvl") style.depth = Number(value);
    },
    close(name) {
      if (name === "w:style") style = null;
    },
  });
  return styles;
}

/** Heading depth 1..6, 0 for a document title, -1 for body text. */
function headingLevel(paragraph: Paragraph, styles: Map<string, Style>): number {
  if (paragraph.outline >= 0 && paragraph.outline < 9) return paragraph.outline + 1;
  let id = paragraph.style;
  for (let hops = 0; hops < 10 && id !== ""; hops++) {
    const style = styles.get(id);
    if (style === undefined) break;
    const named = /^(?:heading|标题|標題)\s*([1-9])/.exec(style.name);
    if (named !== null) return Number(named[1]);
    if (style.name === "title" || style.name === "标题" || style.name === "標題") return 0;
    if (style.outline >= 0 && style.outline < 9) return style.outline + 1;
    id = style.basedOn;
  }
  return -1;
}

class DocxReader {
  readonly #builder: DocumentBuilder;
  readonly #styles: Map<string, Style>;
  readonly #numbering: DocxNumbering;
  readonly #paragraphs: Paragraph[] = [];
  readonly #tables: Table[] = [];
  #skip = 0;
  #inText = false;
  title: string | null = null;

  constructor(builder: DocumentBuilder, styles: Map<string, Style>, numbering: DocxNumbering) {
    this.#builder = builder;
    this.#styles = styles;
    this.#numbering = numbering;
  }

  read(xml: string): void {
    readXml(xml, { open: (name, a) => this.#open(name, a), close: (name) => this.#close(name), text: (text) => this.#text(text) });
  }

  #text(text: string): void {
    const paragraph = this.#paragraphs.at(-1);
    if (this.#inText && this.#skip === 0 && paragraph !== undefined) paragraph.text += text;
  }

  #open(name: string, a: Record<string, string>): void {
    // Deleted text, the old-program twin of a drawing, field codes.
    if (
      name === "w:del" ||
      name === "w:moveFrom" ||
      name === "mc:Fallback" ||
      name === "w:instrText" ||
      name === "w:rPrChange" ||
      name === "w:pPrChange"
    )
      this.#skip++;
    if (this.#skip > 0) return;
    const paragraph = this.#paragraphs.at(-1);
    const table = this.#tables.at(-1);
    const value = a["w:val"] ?? "";
    switch (name) {
      case "w:p":
        this.#paragraphs.push({ text: "", style: "", outline: -1, numId: "", depth: 0 });
        break;
      case "w:t":
        this.#inText = true;
        break;
      case "w:tab":
        if (paragraph !== undefined && paragraph.text !== "") paragraph.text += " ";
        break;
      case "w:br":
      case "w:cr":
        if (paragraph !== undefined) paragraph.text += "\n";
        break;
      case "w:noBreakHyphen":
        if (paragraph !== undefined) paragraph.text += "-";
        break;
      case "w:pStyle":
        if (paragraph !== undefined) paragraph.style = value;
        break;
      case "w:outlineLvl":
        if (paragraph !== undefined) paragraph.outline = Number(value);
        break;
      case "w:numId":
        if (paragraph !== undefined) paragraph.numId = value;
        break;
      case "w:ilvl":
        if (paragraph !== undefined) paragraph.depth = Math.min(8, Number(value) || 0);
        break;
      case "w:tbl":
        this.#tables.push({ rows: [], row: [], cell: null, span: 1, mergedDown: false });
        break;
      case "w:tr":
        if (table !== undefined) table.row = [];
        break;
      case "w:tc":
        if (table !== undefined) Object.assign(table, { cell: "", span: 1, mergedDown: false });
        break;
      case "w:gridSpan":
        if (table !== undefined) table.span = Math.min(64, Math.max(1, Number(value) || 1));
        break;
      case "w:vMerge":
        if (table !== undefined && value !== "restart") table.mergedDown = true;
        break;
    }
  }

  #close(name: string): void {
    if (
      name === "w:del" ||
      name === "w:moveFrom" ||
      name === "mc:Fallback" ||
      name === "w:instrText" ||
      name === "w:rPrChange" ||
      name === "w:pPrChange"
    )
      this.#skip = Math.max(0, this.#skip - 1);
    if (this.#skip > 0) return;
    const table = this.#tables.at(-1);
    if (name === "w:t") this.#inText = false;
    else if (name === "w:p") this.#endParagraph();
    else if (name === "w:tc" && table !== undefined) {
      // A cell merged downwards holds the value above it: each row must be readable alone.
      const text = table.mergedDown && table.cell === "" ? (table.rows.at(-1)?.[table.row.length] ?? "") : (table.cell ?? "");
      table.row.push(text, ...Array.from({ length: table.span - 1 }, () => ""));
      table.cell = null;
    } else if (name === "w:tr" && table !== undefined) {
      if (table.row.some((cell) => cell !== "")) table.rows.push(table.row);
    } else if (name === "w:tbl") this.#endTable();
  }

  #endParagraph(): void {
    const paragraph = this.#paragraphs.pop();
    if (paragraph === undefined) return;
    let body = paragraph.text.trim();
    if (body === "") return;
    const level = headingLevel(paragraph, this.#styles);
    const style = this.#styles.get(paragraph.style);
    const numId = paragraph.numId !== "" ? paragraph.numId : (style?.numId ?? "");
    const number = numId === "" || numId === "0" ? "" : this.#numbering.next(numId, paragraph.numId !== "" ? paragraph.depth : (style?.depth ?? 0));
    body = number + body;
    const table = this.#tables.at(-1);
    if (table?.cell !== null && table?.cell !== undefined) table.cell += (table.cell === "" ? "" : "\n") + body;
    else if (level === 0 || (level > 0 && body.length < 200)) {
      const isTitle = level === 0 && this.title === null;
      this.#builder.add(isTitle ? "title" : "heading", body.replaceAll("\n", " "), { level: Math.max(1, level) });
      if (isTitle) this.title = body;
    } else if (number === "• ") this.#builder.add("list", body);
    else for (const line of body.split("\n")) this.#builder.add("paragraph", line);
  }

  #endTable(): void {
    const table = this.#tables.pop();
    if (table === undefined) return;
    const outer = this.#tables.at(-1);
    const lines = presentTable(table.rows);
    if (outer?.cell !== null && outer?.cell !== undefined) outer.cell += (outer.cell === "" ? "" : "\n") + lines.map((line) => line.text).join("\n");
    else for (const line of lines) this.#builder.add(line.kind, line.text);
  }
}

export function parseDocx(zip: ZipReader, limits: ParseLimits): ParsedDocument {
  const main = [...readRelations(readPart(zip, "_rels/.rels"), "").values()].find((r) => r.type === "officeDocument")?.target ?? "word/document.xml";
  const xml = readPart(zip, main) ?? readPart(zip, "word/document.xml");
  if (xml === null) throw corruptError("the Word file has no main text", "Word 文件缺少正文");
  if (!/<w:body[\s>]/.test(xml)) throw corruptError("the Word file's text is not WordprocessingML", "Word 正文格式无效");
  const builder = new DocumentBuilder(limits);
  const reader = new DocxReader(builder, readStyles(readPart(zip, "word/styles.xml")), new DocxNumbering(readPart(zip, "word/numbering.xml")));
  reader.read(xml);
  for (const notes of ["word/footnotes.xml", "word/endnotes.xml"]) {
    const text = readPart(zip, notes);
    if (text !== null) reader.read(text);
  }
  const meta = readCoreMeta(zip);
  return builder.finish({ ...meta, ...(reader.title === null ? {} : { title: reader.title }) });
}
