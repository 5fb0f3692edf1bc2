/** @file PDFs made by a real writer, and PDFs made by hand to be awkward. */
import { readFileSync } from "node:fs";
import path from "node:path";
import iconv from "iconv-lite";
import { expect, test } from "vitest";
import { StarboxError } from "#base";
import type { SampleBlock } from "../../../scripts/samples/office-writer.ts";
import { writePdf } from "../../../scripts/samples/pdf-writer.ts";
import { cmapPdf, rawPdf, scannedPdf } from "../../../test/fixtures/documents/raw-pdf.ts";
import { chunkDocument } from "../chunk/index.ts";
import { parseDocument } from "./parse-document.ts";

const samples = path.join(import.meta.dirname, "../../../samples");

async function codeOf(work: Promise<unknown>): Promise<string> {
  return await work.then(
    () => "parsed",
    (error: unknown) => (StarboxError.is(error) && error.hint !== undefined && error.zh?.hint !== undefined ? error.code : String(error)),
  );
}

function statuteBlocks(): SampleBlock[] {
  return readFileSync(path.join(samples, "劳动合同法(2012-12-28).md"), "utf8")
    .split("\n")
    .filter((line) => line.trim() !== "" && !line.startsWith("<!--"))
    .map((line) => {
      const heading = /^(#+)\s+(.*)$/.exec(line);
      return heading === null ? { kind: "paragraph", text: line } : { kind: heading[1] === "#" ? "title" : "heading", text: heading[2] ?? "" };
    });
}

const bare = (text: string): string => text.replace(/\s+/g, "");

test("every character of a statute comes out in order, without running headers and page numbers", async () => {
  const blocks = statuteBlocks();
  const parsed = await parseDocument(await writePdf(blocks, { running: "法律汇编 第三辑" }), "a.pdf");
  expect(bare(parsed.text)).toBe(bare(blocks.map((block) => block.text).join("")));
  expect(parsed.meta).toMatchObject({ title: "中华人民共和国劳动合同法", date: "2012-12-28" });
  expect(parsed.pages).toBeGreaterThan(8);
  const articles = chunkDocument(parsed).filter((chunk) => chunk.label?.startsWith("第"));
  expect(new Set(articles.map((chunk) => chunk.label)).size).toBe(98);
  for (const chunk of articles) expect(chunk.page).toBeGreaterThan(0);
});

test("two columns are read one after the other, and articles stay whole", async () => {
  const blocks = statuteBlocks();
  const parsed = await parseDocument(await writePdf(blocks, { columns: 2, running: "法律汇编" }), "b.pdf");
  expect(bare(parsed.text)).toBe(bare(blocks.map((block) => block.text).join("")));
  const wanted = blocks.filter((block) => block.kind === "paragraph").map((block) => block.text);
  const lines = new Set(parsed.text.split("\n"));
  expect(wanted.filter((text) => lines.has(text)).length / wanted.length).toBeGreaterThan(0.97);
});

test("a block says where it stands on its page", async () => {
  const parsed = await parseDocument(readFileSync(path.join(samples, "职工带薪年休假条例(2007-12-14).pdf")), "x.pdf");
  const box = parsed.blocks[0]?.box;
  expect(box?.x).toBeGreaterThan(180);
  expect(box?.y).toBeGreaterThan(50);
  expect(box?.y).toBeLessThan(110);
});

test.each([
  ["GBK-EUC-H", "GB1", "gbk"],
  ["GBKp-EUC-H", "GB1", "gbk"],
  ["UniGB-UCS2-H", "GB1", "utf16-be"],
  ["UniGB-UTF16-H", "GB1", "utf16-be"],
  ["GB-EUC-H", "GB1", "gb2312"],
  ["ETen-B5-H", "CNS1", "big5"],
])("a font with the predefined map %s and nothing embedded is readable", async (encoding, ordering, charset) => {
  const text = ordering === "CNS1" ? "勞動者享有平等就業的權利" : "劳动者享有平等就业的权利";
  const parsed = await parseDocument(cmapPdf(encoding, ordering, iconv.encode(text, charset)), "old.pdf");
  expect(parsed.text).toBe(text);
});

test("scanned pages are counted and named, not failed", async () => {
  const parsed = await parseDocument(scannedPdf(3), "scan.pdf");
  expect(parsed.scannedPages).toEqual([1, 2, 3]);
  expect(parsed.warnings[0]?.code).toBe("needs_ocr");
  expect(parsed.text).toBe("");
});

test("a turned page reads like a straight one", async () => {
  const font = "/Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >>";
  const content =
    "BT /F1 12 Tf 0 1 -1 0 100 100 Tm (First line of a turned page) Tj ET BT /F1 12 Tf 0 1 -1 0 120 100 Tm (and its second line.) Tj ET";
  const parsed = await parseDocument(rawPdf([{ content, resources: font, extra: "/Rotate 90" }]), "turned.pdf");
  expect(parsed.text.replaceAll("\n", " ")).toBe("First line of a turned page and its second line.");
});

test("English lines join with spaces and lose the hyphen of a break", async () => {
  const font = "/Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >>";
  const lines = [
    "The quick brown fox jumps over the lazy dog and keeps run-",
    "ning through the forest until the evening falls and the stars",
    "come out.",
  ];
  const content = lines.map((line, at) => `BT /F1 12 Tf 72 ${700 - at * 15} Td (${line}) Tj ET`).join("\n");
  const parsed = await parseDocument(rawPdf([{ content, resources: font }]), "en.pdf");
  expect(parsed.text).toBe(
    "The quick brown fox jumps over the lazy dog and keeps running through the forest until the evening falls and the stars come out.",
  );
});

test("passwords, damage and emptiness are named", async () => {
  const locked = await writePdf(statuteBlocks().slice(0, 5), { userPassword: "secret" });
  expect(await codeOf(parseDocument(locked, "locked.pdf"))).toBe("document_password");
  expect(await codeOf(parseDocument(new TextEncoder().encode("%PDF-1.7\nnothing here"), "broken.pdf"))).toBe("document_corrupt");
  expect(await codeOf(parseDocument(new TextEncoder().encode("plain words"), "notreally.pdf"))).toBe("document_corrupt");
  expect(await codeOf(parseDocument(rawPdf([{ content: "" }]), "blank.pdf"))).toBe("document_empty");
});

test("a PDF cut off anywhere gives text or a named error, never anything else", async () => {
  const whole = readFileSync(path.join(samples, "工伤保险条例(2010-12-20).pdf"));
  for (const share of [0.02, 0.3, 0.6, 0.9, 0.99]) {
    expect(["parsed", "document_corrupt", "document_empty"]).toContain(
      await codeOf(parseDocument(whole.subarray(0, Math.floor(whole.length * share)), "cut.pdf")),
    );
  }
});

test("a top line that differs by more than the page number is content; running heads with a page number go", async () => {
  const pages = Array.from({ length: 8 }, (_, i) => ({
    content: `BT /F1 11 Tf 1 0 0 1 60 800 Tm (Handbook of laboratories, edition 2024 - ${i + 5} / 40) Tj 1 0 0 1 60 770 Tm (Room ${i + 1}: the door code is ${(i * 7919) % 9973}.) Tj 1 0 0 1 60 500 Tm (Nothing else is known about it.) Tj ET`,
    resources: "/Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >>",
  }));
  const { text } = await parseDocument(rawPdf(pages), "codes.pdf");
  expect(text).toContain("Room 2: the door code is 7919.");
  expect(text.match(/door code/g)).toHaveLength(8);
  expect(text).not.toContain("Handbook");
});
