/** @file Writes small, valid Word and Excel files for samples and tests. No styling beyond headings; reads nothing. */
import { strToU8, zipSync } from "fflate";

export type SampleBlock = { readonly kind: "title" | "heading" | "paragraph"; readonly text: string; readonly level?: number };

const header = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n';
const office = "http://schemas.openxmlformats.org/officeDocument/2006";
const wordSpace = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"';
/** A fixed time makes the same bytes every run. */
const mtime = new Date("2026-01-01T00:00:00Z");

export function escapeXml(text: string): string {
  return text.replace(/[&<>"]/g, (char) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[char] ?? char);
}

export function zipParts(parts: Readonly<Record<string, string | Uint8Array>>): Uint8Array {
  const files = Object.fromEntries(Object.entries(parts).map(([name, value]) => [name, typeof value === "string" ? strToU8(value) : value]));
  return zipSync(files, { level: 9, mtime });
}

function packageParts(main: string, type: string): Record<string, string> {
  return {
    "[Content_Types].xml": `${header}<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/${main}" ContentType="application/vnd.openxmlformats-officedocument.${type}.main+xml"/></Types>`,
    "_rels/.rels": `${header}<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="${office}/relationships/officeDocument" Target="${main}"/></Relationships>`,
  };
}

/** `body` is WordprocessingML between the body tags. */
export function docxFromBody(body: string, more: Readonly<Record<string, string>> = {}): Uint8Array {
  const style = (id: string, name: string, size: number): string =>
    `<w:style w:type="paragraph" w:styleId="${id}"><w:name w:val="${name}"/><w:rPr><w:b/><w:sz w:val="${size}"/></w:rPr></w:style>`;
  const styles = [style("Title", "Title", 36), ...[1, 2, 3, 4].map((level) => style(`Heading${level}`, `heading ${level}`, 32 - level * 3))].join("");
  return zipParts({
    ...packageParts("word/document.xml", "wordprocessingml.document"),
    "word/_rels/document.xml.rels": `${header}<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="${office}/relationships/styles" Target="styles.xml"/></Relationships>`,
    "word/styles.xml": `${header}<w:styles ${wordSpace}>${styles}</w:styles>`,
    "word/document.xml": `${header}<w:document ${wordSpace}><w:body>${body}<w:sectPr><w:pgSz w:w="11906" w:h="16838"/></w:sectPr></w:body></w:document>`,
    ...more,
  });
}

export function wordParagraph(text: string, style?: string, properties = ""): string {
  const settings = `${style === undefined ? "" : `<w:pStyle w:val="${style}"/>`}${properties}`;
  return `<w:p>${settings === "" ? "" : `<w:pPr>${settings}</w:pPr>`}<w:r><w:t xml:space="preserve">${escapeXml(text)}</w:t></w:r></w:p>`;
}

export function writeDocx(blocks: readonly SampleBlock[]): Uint8Array {
  return docxFromBody(
    blocks
      .map((block) =>
        wordParagraph(
          block.text,
          block.kind === "title" ? "Title" : block.kind === "heading" ? `Heading${Math.max(1, (block.level ?? 2) - 1)}` : undefined,
        ),
      )
      .join(""),
  );
}

function columnName(index: number): string {
  return index < 26 ? String.fromCharCode(65 + index) : columnName(Math.floor(index / 26) - 1) + String.fromCharCode(65 + (index % 26));
}

/** Numbers become numbers, everything else a shared string; `extra` is XML after the rows (merged cells). */
export function writeXlsx(
  sheets: readonly { readonly name: string; readonly rows: readonly (readonly (string | number)[])[]; readonly extra?: string }[],
  more: Readonly<Record<string, string>> = {},
): Uint8Array {
  const strings: string[] = [];
  const known = new Map<string, number>();
  const indexOf = (text: string): number => {
    const found = known.get(text);
    if (found !== undefined) return found;
    known.set(text, strings.length);
    return strings.push(text) - 1;
  };
  const cell = (value: string | number, column: number, row: number): string => {
    const at = `${columnName(column)}${row}`;
    return value === "" ? "" : typeof value === "number" ? `<c r="${at}"><v>${value}</v></c>` : `<c r="${at}" t="s"><v>${indexOf(value)}</v></c>`;
  };
  const space = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"';
  const parts: Record<string, string> = { ...packageParts("xl/workbook.xml", "spreadsheetml.sheet") };
  sheets.forEach((sheet, at) => {
    const rows = sheet.rows.map((row, r) => `<row r="${r + 1}">${row.map((value, c) => cell(value, c, r + 1)).join("")}</row>`).join("");
    parts[`xl/worksheets/sheet${at + 1}.xml`] = `${header}<worksheet ${space}><sheetData>${rows}</sheetData>${sheet.extra ?? ""}</worksheet>`;
  });
  const relation = (id: string, type: string, target: string): string =>
    `<Relationship Id="${id}" Type="${office}/relationships/${type}" Target="${target}"/>`;
  parts["xl/_rels/workbook.xml.rels"] =
    `${header}<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">${sheets.map((_, at) => relation(`rId${at + 1}`, "worksheet", `worksheets/sheet${at + 1}.xml`)).join("")}${relation("rIdS", "sharedStrings", "sharedStrings.xml")}</Relationships>`;
  parts["xl/workbook.xml"] =
    `${header}<workbook ${space} xmlns:r="${office}/relationships"><sheets>${sheets.map((sheet, at) => `<sheet name="${escapeXml(sheet.name)}" sheetId="${at + 1}" r:id="rId${at + 1}"/>`).join("")}</sheets></workbook>`;
  parts["xl/sharedStrings.xml"] =
    `${header}<sst ${space}>${strings.map((text) => `<si><t xml:space="preserve">${escapeXml(text)}</t></si>`).join("")}</sst>`;
  parts["[Content_Types].xml"] = (parts["[Content_Types].xml"] ?? "").replace(
    "</Types>",
    `${sheets.map((_, at) => `<Override PartName="/xl/worksheets/sheet${at + 1}.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>`).join("")}<Override PartName="/xl/sharedStrings.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"/></Types>`,
  );
  return zipParts({ ...parts, ...more });
}
