/** @file Excel workbooks to rows that can be read alone ("列：值；列：值"), sheet by sheet; hidden sheets are left out. Computes no formula. */
import type { ParsedDocument } from "#contracts";
import { DocumentBuilder } from "./builder.ts";
import { corruptError, type ParseLimits } from "./limits.ts";
import { readCoreMeta, readPart } from "./office.ts";
import type { ZipReader } from "./safe-zip.ts";
import { isHeaderRow, presentRow } from "./table.ts";
import { readRelations, readXml } from "./xml.ts";

type Row = { readonly number: number; readonly cells: string[] };
type Merge = { readonly fromRow: number; readonly toRow: number; readonly fromColumn: number; readonly toColumn: number };
const maxColumns = 1024;

function readSharedStrings(xml: string | null): string[] {
  const strings: string[] = [];
  if (xml === null) return strings;
  let text = "";
  let inText = false;
  let phonetic = 0;
  readXml(xml, {
    open(name) {
      if (name === "si") text = "";
      else if (name === "t") inText = phonetic === 0;
      else if (name === "rPh") phonetic++;
    },
    text(part) {
      if (inText) text += part;
    },
    close(name) {
      if (name === "t") inText = false;
      else if (name === "rPh") phonetic--;
      else if (name === "si") strings.push(text);
    },
  });
  return strings;
}

/** Which cell styles show a date, a time, or a percentage. */
function readStyleKinds(xml: string | null): ("date" | "time" | "percent" | null)[] {
  const kinds: ("date" | "time" | "percent" | null)[] = [];
  if (xml === null) return kinds;
  const formats = new Map<number, string>();
  let inCells = false;
  readXml(xml, {
    open(name, a) {
      if (name === "numFmt") formats.set(Number(a.numFmtId), a.formatCode ?? "");
      else if (name === "cellXfs") inCells = true;
      else if (name === "xf" && inCells) kinds.push(kindOf(Number(a.numFmtId ?? 0), formats));
    },
    close(name) {
      if (name === "cellXfs") inCells = false;
    },
  });
  return kinds;
}

function kindOf(id: number, formats: Map<number, string>): "date" | "time" | "percent" | null {
  if (id === 9 || id === 10) return "percent";
  if ((id >= 18 && id <= 21) || (id >= 45 && id <= 47)) return "time";
  if ((id >= 14 && id <= 22) || (id >= 27 && id <= 36) || (id >= 50 && id <= 58)) return "date";
  const code = (formats.get(id) ?? "").replace(/"[^"]*"|\[[^\]]*\]|\\./g, "");
  if (/[yd]|m{1,4}月/i.test(code)) return "date";
  if (/h|s/i.test(code)) return "time";
  return code.includes("%") ? "percent" : null;
}

function presentNumber(raw: string, kind: "date" | "time" | "percent" | null, epoch1904: boolean): string {
  const value = Number(raw);
  if (raw === "" || Number.isNaN(value)) return raw;
  if (kind === "percent") return `${Number((value * 100).toFixed(4))}%`;
  if ((kind === "date" || kind === "time") && value >= 0 && value < 2_958_466) {
    const ms = Math.round((value + (epoch1904 ? 1462 : 0) - 25_569) * 86_400_000);
    const stamp = new Date(ms).toISOString();
    const time = stamp.slice(11, stamp.slice(17, 19) === "00" ? 16 : 19);
    return kind === "time" && value < 1 ? time : value % 1 === 0 ? stamp.slice(0, 10) : `${stamp.slice(0, 10)} ${time}`;
  }
  // 0.1 + 0.2 must not become 0.30000000000000004 in a citation.
  return Number.isInteger(value) ? raw.replace(/\.0+$/, "") : String(Number(value.toPrecision(15)));
}

export function columnOf(reference: string): number {
  let column = 0;
  for (let i = 0; i < reference.length; i++) {
    const code = reference.charCodeAt(i) & 0xdf;
    if (code < 65 || code > 90) break;
    column = column * 26 + code - 64;
  }
  return column - 1;
}

type Shared = { readonly strings: readonly string[]; readonly kinds: readonly ("date" | "time" | "percent" | null)[]; readonly epoch1904: boolean };

function readSheet(xml: string, shared: Shared): { rows: Row[]; merges: Merge[] } {
  const rows: Row[] = [];
  const merges: Merge[] = [];
  let row: Row | null = null;
  let [column, type, style, value, inValue, hidden] = [0, "", 0, "", false, false];
  readXml(xml, {
    open(name, a) {
      if (name === "row") {
        row = { number: Number(a.r ?? (rows.at(-1)?.number ?? 0) + 1), cells: [] };
        hidden = a.hidden === "1" || a.hidden === "true";
        column = -1;
      } else if (name === "c") {
        column = a.r === undefined ? column + 1 : columnOf(a.r);
        [type, style, value] = [a.t ?? "n", Number(a.s ?? 0), ""];
      } else if (name === "v" || name === "t") inValue = true;
      else if (name === "mergeCell") {
        const [, from = "", fromRow, to = "", toRow] = /^([A-Z]+)(\d+):([A-Z]+)(\d+)$/.exec(a.ref ?? "") ?? [];
        if (toRow !== undefined && merges.length < 20_000)
          merges.push({ fromRow: Number(fromRow), toRow: Number(toRow), fromColumn: columnOf(from), toColumn: columnOf(to) });
      }
    },
    text(part) {
      if (inValue) value += part;
    },
    close(name) {
      if (name === "v" || name === "t") inValue = false;
      else if (name === "c" && row !== null && value !== "" && column >= 0 && column < maxColumns) {
        while (row.cells.length < column) row.cells.push("");
        row.cells[column] = (
          type === "s"
            ? (shared.strings[Number(value)] ?? "")
            : type === "b"
              ? value === "1"
                ? "TRUE"
                : "FALSE"
              : type === "n"
                ? presentNumber(value, shared.kinds[style] ?? null, shared.epoch1904)
                : value
        ).trim();
      } else if (name === "row" && row !== null) {
        if (!hidden && row.cells.some((cell) => cell !== "")) rows.push(row);
        row = null;
      }
    },
  });
  return { rows, merges };
}

/** A value merged over several rows belongs to each of them. */
function fillMerges(rows: readonly Row[], merges: readonly Merge[]): void {
  const byNumber = new Map(rows.map((row) => [row.number, row]));
  for (const merge of merges) {
    if (merge.toRow === merge.fromRow || merge.toRow - merge.fromRow > 10_000) continue;
    const value = byNumber.get(merge.fromRow)?.cells[merge.fromColumn] ?? "";
    if (value === "") continue;
    for (let number = merge.fromRow + 1; number <= merge.toRow; number++) {
      const row = byNumber.get(number);
      if (row === undefined) continue;
      while (row.cells.length <= merge.fromColumn) row.cells.push("");
      if (row.cells[merge.fromColumn] === "") row.cells[merge.fromColumn] = value;
    }
  }
}

function findHeader(rows: readonly Row[]): number {
  const widest = Math.max(0, ...rows.slice(0, 50).map((row) => row.cells.filter((cell) => cell !== "").length));
  for (let i = 0; i < Math.min(8, rows.length - 1); i++) {
    const cells = rows[i]?.cells ?? [];
    if (cells.filter((cell) => cell !== "").length >= Math.max(2, widest * 0.6) && isHeaderRow(cells, rows[i + 1]?.cells)) return i;
  }
  return -1;
}

const questionColumn = /^(?:问题|问|提问|question|instruction|prompt|q)$/i;

function writeSheet(name: string, index: number, rows: readonly Row[], builder: DocumentBuilder): void {
  // Below the title, which is the file's.
  builder.add("heading", name, { page: index, level: 2 });
  const headerAt = findHeader(rows);
  const header = headerAt < 0 ? null : (rows[headerAt]?.cells ?? null);
  const kind = header?.some((cell) => questionColumn.test(cell.trim())) === true ? "record" : "table-row";
  rows.forEach((row, at) => {
    if (at === headerAt) return;
    const before = at < headerAt;
    builder.add(before ? "paragraph" : kind, presentRow(before ? null : header, row.cells), { page: index, label: `${name} 第${row.number}行` });
  });
}

export function parseXlsx(zip: ZipReader, limits: ParseLimits): ParsedDocument {
  const workbook = readPart(zip, "xl/workbook.xml");
  if (workbook === null) throw corruptError("the workbook has no list of sheets", "工作簿缺少工作表目录");
  const relations = readRelations(readPart(zip, "xl/_rels/workbook.xml.rels"), "xl");
  const sheets: { name: string; part: string; hidden: boolean }[] = [];
  let epoch1904 = false;
  readXml(workbook, {
    open(name, a) {
      if (name === "workbookPr") epoch1904 = a.date1904 === "1" || a.date1904 === "true";
      if (name === "sheet")
        sheets.push({
          name: a.name ?? `Sheet${sheets.length + 1}`,
          part: relations.get(a["r:id"] ?? "")?.target ?? `xl/worksheets/sheet${sheets.length + 1}.xml`,
          hidden: (a.state ?? "visible") !== "visible",
        });
    },
  });
  const shared: Shared = {
    strings: readSharedStrings(readPart(zip, "xl/sharedStrings.xml")),
    kinds: readStyleKinds(readPart(zip, "xl/styles.xml")),
    epoch1904,
  };
  const builder = new DocumentBuilder(limits);
  sheets.forEach((sheet, at) => {
    if (sheet.hidden) return builder.warn("sheet_hidden", `Hidden sheet left out 已跳过隐藏工作表: ${sheet.name}`);
    const xml = readPart(zip, sheet.part);
    if (xml === null) return;
    const { rows, merges } = readSheet(xml, shared);
    fillMerges(rows, merges);
    if (rows.length > 0) writeSheet(sheet.name, at + 1, rows, builder);
  });
  return builder.finish(readCoreMeta(zip), sheets.length);
}
