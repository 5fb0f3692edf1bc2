/** @file PowerPoint slides to blocks: title, text, tables, notes; page = slide. Hidden slides are left out. Draws nothing. */
import type { ParsedDocument } from "#contracts";
import { DocumentBuilder } from "./builder.ts";
import { presentTable } from "./html.ts";
import { corruptError, type ParseLimits } from "./limits.ts";
import { readCoreMeta, readPart } from "./office.ts";
import type { ZipReader } from "./safe-zip.ts";
import { readRelations, readXml } from "./xml.ts";

type Shape = { isTitle: boolean; ignored: boolean; lines: string[]; y: number; x: number };
type Slide = { shapes: Shape[]; tables: string[][][]; hidden: boolean };

function readSlide(xml: string): Slide {
  const slide: Slide = { shapes: [], tables: [], hidden: false };
  let shape: Shape | null = null;
  let table: string[][] | null = null;
  let cell: string | null = null;
  let line: string | null = null;
  let inText = false;
  let fallback = 0;
  readXml(xml, {
    open(name, a) {
      if (name === "mc:Fallback") fallback++;
      if (fallback > 0) return;
      if (name === "p:sld") slide.hidden = a.show === "0";
      else if (name === "p:sp") slide.shapes.push((shape = { isTitle: false, ignored: false, lines: [], y: 0, x: 0 }));
      else if (name === "p:ph" && shape !== null) {
        shape.isTitle = a.type === "title" || a.type === "ctrTitle";
        shape.ignored = a.type === "sldNum" || a.type === "dt" || a.type === "ftr" || a.type === "hdr" || a.type === "sldImg";
      } else if (name === "a:off" && shape !== null) [shape.x, shape.y] = [Number(a.x), Number(a.y)];
      else if (name === "a:tbl") slide.tables.push((table = []));
      else if (name === "a:tr") table?.push([]);
      else if (name === "a:tc") cell = "";
      else if (name === "a:p") line = "";
      else if (name === "a:t") inText = true;
      else if (name === "a:br" && line !== null) line += " ";
    },
    text(text) {
      if (inText && line !== null && fallback === 0) line += text;
    },
    close(name) {
      if (name === "mc:Fallback") fallback--;
      if (fallback > 0) return;
      if (name === "a:t") inText = false;
      else if (name === "a:p" && line !== null) {
        if (cell !== null) cell += (cell === "" ? "" : "\n") + line.trim();
        else if (line.trim() !== "") shape?.lines.push(line.trim());
        line = null;
      } else if (name === "a:tc") {
        table?.at(-1)?.push(cell ?? "");
        cell = null;
      } else if (name === "a:tbl") table = null;
      else if (name === "p:sp") shape = null;
    },
  });
  return slide;
}

function writeSlide(slide: Slide, page: number, builder: DocumentBuilder): void {
  const shown = slide.shapes.filter((shape) => !shape.ignored && shape.lines.length > 0);
  for (const shape of shown.filter((s) => s.isTitle)) builder.add("heading", shape.lines.join(" "), { page, level: page === 1 ? 1 : 2 });
  for (const shape of shown.filter((s) => !s.isTitle)) for (const line of shape.lines) builder.add("paragraph", line, { page });
  for (const table of slide.tables) for (const row of presentTable(table)) builder.add(row.kind, row.text, { page });
}

export function parsePptx(zip: ZipReader, limits: ParseLimits): ParsedDocument {
  const presentation = readPart(zip, "ppt/presentation.xml");
  if (presentation === null) throw corruptError("the presentation has no list of slides", "演示文稿缺少幻灯片目录");
  const relations = readRelations(readPart(zip, "ppt/_rels/presentation.xml.rels"), "ppt");
  const parts: string[] = [];
  readXml(presentation, {
    open(name, a) {
      const target = name === "p:sldId" ? relations.get(a["r:id"] ?? "")?.target : undefined;
      if (target !== undefined) parts.push(target);
    },
  });
  const builder = new DocumentBuilder(limits);
  parts.forEach((part, at) => {
    const xml = readPart(zip, part);
    if (xml === null) return;
    const slide = readSlide(xml);
    if (slide.hidden) return builder.warn("slide_hidden", `Hidden slide left out 已跳过隐藏幻灯片: ${at + 1}`);
    writeSlide(slide, at + 1, builder);
    const rels = readRelations(readPart(zip, part.replace(/([^/]+)$/, "_rels/$1.rels")), part.replace(/\/[^/]+$/, ""));
    const notes = [...rels.values()].find((relation) => relation.type === "notesSlide");
    const notesXml = notes === undefined ? null : readPart(zip, notes.target);
    if (notesXml !== null)
      for (const shape of readSlide(notesXml).shapes)
        if (!shape.ignored) for (const line of shape.lines) builder.add("paragraph", line, { page: at + 1 });
  });
  return builder.finish(readCoreMeta(zip), parts.length);
}
