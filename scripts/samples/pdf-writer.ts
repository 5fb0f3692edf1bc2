/** @file Writes text PDFs with an embedded Chinese font, page numbers and a running header, for samples and tests. Dev dependency only. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { inflateSync } from "node:zlib";
import type { SampleBlock } from "./office-writer.ts";

/** The few calls used here; the package brings no types of its own. */
type PdfKitDocument = {
  on(event: "data", listener: (bytes: Uint8Array) => void): void;
  on(event: "end", listener: () => void): void;
  registerFont(name: string, bytes: Uint8Array): PdfKitDocument;
  font(name: string): PdfKitDocument;
  fontSize(size: number): PdfKitDocument;
  text(text: string, options?: object): PdfKitDocument;
  text(text: string, x: number, y: number, options?: object): PdfKitDocument;
  moveDown(lines?: number): PdfKitDocument;
  bufferedPageRange(): { readonly count: number };
  switchToPage(page: number): void;
  readonly page: { margins: { bottom: number } };
  end(): void;
};

const require = createRequire(import.meta.url);

/** WOFF is a TrueType font with its tables deflated; unpacked once, subsetting takes a second instead of an hour. */
export function woffToTrueType(woff: Buffer): Buffer {
  const count = woff.readUInt16BE(12);
  const directory = Buffer.alloc(12 + 16 * count);
  woff.copy(directory, 0, 4, 8);
  const power = 2 ** Math.floor(Math.log2(count));
  directory.writeUInt16BE(count, 4);
  directory.writeUInt16BE(power * 16, 6);
  directory.writeUInt16BE(Math.log2(power), 8);
  directory.writeUInt16BE((count - power) * 16, 10);
  const parts: Buffer[] = [directory];
  let offset = directory.length;
  for (let i = 0; i < count; i++) {
    const entry = 44 + 20 * i;
    const [from, packed, size] = [woff.readUInt32BE(entry + 4), woff.readUInt32BE(entry + 8), woff.readUInt32BE(entry + 12)];
    const raw = woff.subarray(from, from + packed);
    const table = packed < size ? inflateSync(raw) : raw;
    woff.copy(directory, 12 + 16 * i, entry, entry + 4);
    directory.writeUInt32BE(woff.readUInt32BE(entry + 16), 12 + 16 * i + 4);
    directory.writeUInt32BE(offset, 12 + 16 * i + 8);
    directory.writeUInt32BE(table.length, 12 + 16 * i + 12);
    const padding = Buffer.alloc((4 - (table.length % 4)) % 4);
    parts.push(table, padding);
    offset += table.length + padding.length;
  }
  return Buffer.concat(parts);
}

function font(name: string): Buffer {
  return woffToTrueType(readFileSync(require.resolve(`@fontsource/noto-sans-sc/files/noto-sans-sc-${name}-400-normal.woff`)));
}

export type PdfSampleOptions = { readonly running?: string; readonly columns?: 1 | 2; readonly userPassword?: string };

export async function writePdf(blocks: readonly SampleBlock[], options: PdfSampleOptions = {}): Promise<Uint8Array> {
  const { default: Pdf } = (await import("pdfkit" as string)) as { default: new (options: object) => PdfKitDocument };
  const pdf = new Pdf({
    size: "A4",
    margins: { top: 72, bottom: 72, left: 72, right: 72 },
    bufferPages: true,
    info: { CreationDate: new Date("2026-01-01T00:00:00Z") },
    ...(options.userPassword === undefined ? {} : { userPassword: options.userPassword }),
  });
  const chunks: Uint8Array[] = [];
  pdf.on("data", (bytes) => chunks.push(bytes));
  const ended = new Promise<void>((resolve) => pdf.on("end", resolve));
  pdf.registerFont("han", font("chinese-simplified"));
  const write = (text: string, size: number, settings: object): void =>
    void pdf.font("han").fontSize(size).text(text.replaceAll("　", "  "), settings);
  const columns = options.columns === 2 ? { columns: 2, columnGap: 20 } : {};
  if (options.columns === 2) {
    const [first, ...rest] = blocks;
    write(first?.text ?? "", 20, { align: "center" });
    pdf.moveDown(0.5);
    write(rest.map((block) => block.text).join("\n"), 9, { ...columns, lineGap: 3, indent: 18 });
  } else {
    for (const block of blocks) {
      if (block.kind === "title") write(block.text, 20, { align: "center" });
      else if (block.kind === "heading") write(block.text, 14, { align: "center" });
      else write(block.text, 10.5, { indent: 21, lineGap: 4 });
      pdf.moveDown(block.kind === "paragraph" ? 0.2 : 0.5);
    }
  }
  const { count } = pdf.bufferedPageRange();
  for (let page = 0; page < count; page++) {
    pdf.switchToPage(page);
    pdf.page.margins.bottom = 0;
    if (options.running !== undefined) pdf.font("han").fontSize(9).text(options.running, 72, 30, { align: "center" });
    pdf
      .font("han")
      .fontSize(9)
      .text(`— ${page + 1} —`, 72, 800, { align: "center" });
  }
  pdf.end();
  await ended;
  return Buffer.concat(chunks);
}
