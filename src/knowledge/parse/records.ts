/** @file CSV, JSON, JSON Lines and XML to rows and records that can be read alone. Knows no schema. */
import type { ParsedDocument } from "#contracts";
import { DocumentBuilder } from "./builder.ts";
import { corruptError, type ParseLimits } from "./limits.ts";
import { isHeaderRow, presentRow } from "./table.ts";
import { readXml } from "./xml.ts";

const questionField = /^(?:问题|问|提问|question|instruction|prompt|q|query)$/i;

/** RFC 4180 with the separator that the first lines agree on; a quote that never closes ends with the file. */
export function readCsv(text: string, extension: string): string[][] {
  const separator = extension === "tsv" ? "\t" : guessSeparator(text);
  const rows: string[][] = [];
  let row: string[] = [];
  let at = 0;
  while (at < text.length) {
    let cell = "";
    if (text[at] === '"') {
      at++;
      for (;;) {
        const close = text.indexOf('"', at);
        if (close < 0) {
          cell += text.slice(at);
          at = text.length;
          break;
        }
        cell += text.slice(at, close);
        at = close + 1;
        if (text[at] !== '"') break;
        cell += '"';
        at++;
      }
    }
    const from = at;
    while (at < text.length && text[at] !== separator && text[at] !== "\n" && text[at] !== "\r") at++;
    row.push((cell + text.slice(from, at)).trim());
    if (text[at] === separator) {
      at++;
      if (at === text.length) row.push("");
      continue;
    }
    if (text[at] === "\r" && text[at + 1] === "\n") at++;
    at++;
    if (row.some((value) => value !== "")) rows.push(row);
    row = [];
  }
  if (row.some((value) => value !== "")) rows.push(row);
  return rows;
}

function guessSeparator(text: string): string {
  const lines = text
    .slice(0, 8000)
    .split(/\r?\n/)
    .slice(0, 10)
    .filter((line) => line !== "");
  const count = (separator: string): number => Math.min(...lines.map((line) => line.split(separator).length - 1));
  const ranked = [",", "\t", ";", "|"].map((separator) => ({ separator, n: lines.length === 0 ? 0 : count(separator) })).sort((a, b) => b.n - a.n);
  return ranked[0]?.n ? ranked[0].separator : ",";
}

export function parseCsv(text: string, extension: string, limits: ParseLimits): ParsedDocument {
  const builder = new DocumentBuilder(limits);
  const rows = readCsv(text, extension);
  const first = rows[0] ?? [];
  const header = isHeaderRow(first, rows[1]) ? first : null;
  const kind = header?.some((cell) => questionField.test(cell)) === true ? "record" : "table-row";
  rows.forEach((row, at) => {
    if (header === null || at > 0) builder.add(kind, presentRow(header, row), { label: `第${at + 1}行` });
  });
  return builder.finish();
}

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** "键：值" lines, nested keys joined by dots; depth is bounded because the data is not ours. */
function flatten(value: Json, key: string, out: string[], depth: number): void {
  if (value === null || value === "") return;
  if (typeof value !== "object") {
    out.push(key === "" ? String(value) : `${key}：${String(value)}`);
  } else if (depth > 30) out.push(`${key}：…`);
  else if (Array.isArray(value)) {
    if (value.every((item) => typeof item !== "object" || item === null)) {
      const joined = value.filter((item) => item !== null && item !== "").join("、");
      if (joined !== "") out.push(key === "" ? joined : `${key}：${joined}`);
    } else for (const item of value) flatten(item, key, out, depth + 1);
  } else for (const [name, item] of Object.entries(value)) flatten(item, key === "" ? name : `${key}.${name}`, out, depth + 1);
}

function addRecord(builder: DocumentBuilder, value: Json, number: number): void {
  const lines: string[] = [];
  flatten(value, "", lines, 0);
  if (lines.length === 0) return;
  const label = `第${number}条记录`;
  const long = lines.some((line) => line.length > 120 || line.includes("\n"));
  builder.add("record", lines.join(long ? "\n" : "；"), { label });
}

export function parseJson(text: string, format: "json" | "jsonl", limits: ParseLimits): ParsedDocument {
  const builder = new DocumentBuilder(limits);
  const whole = format === "json" ? tryParse(text) : undefined;
  if (whole !== undefined) {
    const records = recordsOf(whole);
    records.forEach((record, at) => addRecord(builder, record, at + 1));
    return builder.finish(titleOf(whole));
  }
  let bad = 0;
  let number = 0;
  for (const line of text.split("\n")) {
    if (line.trim() === "") continue;
    number++;
    const value = tryParse(line);
    if (value === undefined) bad++;
    else addRecord(builder, value, number);
  }
  if (number === 0 || bad > number / 2) throw corruptError("it is not valid JSON", "不是有效的 JSON");
  if (bad > 0) builder.warn("lines_skipped", `${bad} lines are not JSON 有 ${bad} 行不是 JSON`);
  return builder.finish();
}

function tryParse(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

/** The list inside a file like {"data": [...]}: each entry is a record; a single object is one record a key. */
function recordsOf(value: Json): readonly Json[] {
  if (Array.isArray(value)) return value;
  if (value === null || typeof value !== "object") return [value];
  const entries = Object.entries(value);
  const lists = entries.filter(([, item]) => Array.isArray(item) && item.some((x) => typeof x === "object" && x !== null));
  if (lists.length === 0) return JSON.stringify(value).length <= 600 ? [value] : entries.map(([key, item]) => ({ [key]: item }));
  const rest = Object.fromEntries(entries.filter(([key]) => !lists.some(([name]) => name === key)));
  return [...(Object.keys(rest).length > 0 ? [rest] : []), ...lists.flatMap(([, list]) => list as Json[])];
}

function titleOf(value: Json): { title?: string } {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return {};
  const title = value.title ?? value["标题"];
  return typeof title === "string" && title !== "" ? { title: title.slice(0, 300) } : {};
}

/** Any other XML: its words, one element a line. */
export function parseXmlText(text: string, limits: ParseLimits): ParsedDocument {
  const builder = new DocumentBuilder(limits);
  let words = "";
  const flush = (): void => {
    builder.add("paragraph", words.replace(/\s+/g, " "));
    words = "";
  };
  readXml(text, { open: flush, close: flush, text: (part) => (words += part) });
  flush();
  return builder.finish();
}
