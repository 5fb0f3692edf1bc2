/** @file What a file is, by its content first and its name second; what cannot be read says what to convert it to. Parses nothing. */
import { documentError, passwordError } from "./limits.ts";

export type TextFormat = "markdown" | "html" | "csv" | "json" | "jsonl" | "eml" | "xml" | "plain";
export type BinaryFormat = "pdf" | "docx" | "xlsx" | "pptx" | "epub" | "zip";

export function extensionOf(path: string): string {
  return /\.([A-Za-z0-9]{1,10})$/.exec(path)?.[1]?.toLowerCase() ?? "";
}

function startsWith(bytes: Uint8Array, signature: readonly number[], at = 0): boolean {
  return signature.every((byte, i) => bytes[at + i] === byte);
}

const legacy: Record<string, { readonly en: string; readonly to: string }> = {
  doc: { en: "Word 97-2003 (.doc)", to: "DOCX" },
  xls: { en: "Excel 97-2003 (.xls)", to: "XLSX" },
  ppt: { en: "PowerPoint 97-2003 (.ppt)", to: "PPTX" },
  dot: { en: "Word 97-2003 (.dot)", to: "DOCX" },
  wps: { en: "WPS Writer (.wps)", to: "DOCX" },
  wpt: { en: "WPS Writer (.wpt)", to: "DOCX" },
  et: { en: "WPS Spreadsheets (.et)", to: "XLSX" },
  ett: { en: "WPS Spreadsheets (.ett)", to: "XLSX" },
  dps: { en: "WPS Presentation (.dps)", to: "PPTX" },
  ofd: { en: "OFD", to: "PDF" },
  rtf: { en: "Rich Text (.rtf)", to: "DOCX" },
  msg: { en: "Outlook message (.msg)", to: "EML" },
  odt: { en: "OpenDocument text (.odt)", to: "DOCX" },
  ods: { en: "OpenDocument spreadsheet (.ods)", to: "XLSX" },
  odp: { en: "OpenDocument presentation (.odp)", to: "PPTX" },
  xlsb: { en: "Excel binary workbook (.xlsb)", to: "XLSX" },
  caj: { en: "CAJ", to: "PDF" },
  mobi: { en: "Kindle (.mobi)", to: "EPUB" },
  azw3: { en: "Kindle (.azw3)", to: "EPUB" },
  pages: { en: "Apple Pages", to: "DOCX" },
  numbers: { en: "Apple Numbers", to: "XLSX" },
  key: { en: "Apple Keynote", to: "PPTX" },
  rar: { en: "RAR archive", to: "ZIP" },
  "7z": { en: "7-Zip archive", to: "ZIP" },
  gz: { en: "gzip archive", to: "ZIP" },
  tar: { en: "tar archive", to: "ZIP" },
};

/** The named error for a format that is known but not read. */
export function unsupportedError(extension: string, found?: string): Error {
  const known = legacy[extension];
  if (known === undefined) {
    const what = found ?? (extension === "" ? "this file" : `.${extension}`);
    return documentError(
      "unsupported_format",
      {
        message: `Files of this kind cannot be read: ${what}.`,
        hint: "Convert it to PDF, DOCX, XLSX, PPTX, Markdown, HTML, TXT, CSV, JSON, EML or EPUB and add it again.",
      },
      { message: `不支持这种文件：${what}。`, hint: "请转换为 PDF、DOCX、XLSX、PPTX、Markdown、HTML、TXT、CSV、JSON、EML 或 EPUB 后重新添加。" },
    );
  }
  return documentError(
    "unsupported_format",
    { message: `${known.en} files cannot be read.`, hint: `Open it in the program that made it, save it as ${known.to}, and add that file.` },
    { message: `不支持 ${known.en} 格式。`, hint: `请用原来的软件打开，另存为 ${known.to} 后重新添加。` },
  );
}

function contains(bytes: Uint8Array, text: string, wide: boolean): boolean {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).includes(Buffer.from(text, wide ? "utf16le" : "latin1"));
}

/** Old Office containers; a modern Office file with a password is one of them too. */
function oleError(bytes: Uint8Array, extension: string): Error {
  if (contains(bytes, "EncryptedPackage", true)) return passwordError("Office");
  if (["wps", "wpt", "et", "ett", "dps"].includes(extension)) return unsupportedError(extension);
  if (contains(bytes, "__substg1.0_", true)) return unsupportedError("msg");
  if (contains(bytes, "WordDocument", true)) return unsupportedError("doc");
  if (contains(bytes, "PowerPoint Document", true)) return unsupportedError("ppt");
  if (contains(bytes, "Workbook", true) || contains(bytes, "Book", true)) return unsupportedError("xls");
  return unsupportedError(extension in legacy ? extension : "doc");
}

const signatures: readonly { readonly bytes: readonly number[]; readonly as: string; readonly found?: string }[] = [
  { bytes: [0x52, 0x61, 0x72, 0x21], as: "rar" },
  { bytes: [0x37, 0x7a, 0xbc, 0xaf], as: "7z" },
  { bytes: [0x1f, 0x8b], as: "gz" },
  { bytes: [0x89, 0x50, 0x4e, 0x47], as: "", found: "PNG picture 图片" },
  { bytes: [0xff, 0xd8, 0xff], as: "", found: "JPEG picture 图片" },
  { bytes: [0x47, 0x49, 0x46, 0x38], as: "", found: "GIF picture 图片" },
  { bytes: [0x49, 0x49, 0x2a, 0], as: "", found: "TIFF picture 图片" },
  { bytes: [0x4d, 0x4d, 0, 0x2a], as: "", found: "TIFF picture 图片" },
  { bytes: [0x42, 0x4d], as: "", found: "" },
  { bytes: [0x7f, 0x45, 0x4c, 0x46], as: "", found: "program 程序" },
  { bytes: [0x7b, 0x5c, 0x72, 0x74, 0x66], as: "rtf" },
  { bytes: [0x43, 0x41, 0x4a, 0], as: "caj" },
];

/** `office` is a ZIP whose members decide; `text` still has to be decoded. */
export function detectContainer(bytes: Uint8Array, path: string): "pdf" | "zip" | "text" {
  const extension = extensionOf(path);
  if (startsWith(bytes, [0x50, 0x4b, 3, 4]) || startsWith(bytes, [0x50, 0x4b, 5, 6])) return "zip";
  if (startsWith(bytes, [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1])) throw oleError(bytes, extension);
  const head = new TextDecoder("latin1").decode(bytes.subarray(0, 1024));
  if (head.includes("%PDF-")) return "pdf";
  for (const { bytes: signature, as, found } of signatures) if (found !== "" && startsWith(bytes, signature)) throw unsupportedError(as, found);
  if (["docx", "xlsx", "pptx", "epub", "zip"].includes(extension) && bytes.byteLength > 0) return "zip";
  if (extension === "pdf") return "pdf";
  if (extension in legacy) throw unsupportedError(extension);
  const wide = startsWith(bytes, [0xff, 0xfe]) || startsWith(bytes, [0xfe, 0xff]);
  if (!wide && looksBinary(bytes)) throw unsupportedError(extension, extension === "" ? "binary data 二进制数据" : undefined);
  return "text";
}

/** Zero bytes in no regular pattern, or many control characters: no text in any encoding. */
function looksBinary(bytes: Uint8Array): boolean {
  const sample = bytes.subarray(0, 1 << 15);
  let zeros = 0;
  let evenZeros = 0;
  let controls = 0;
  for (let i = 0; i < sample.length; i++) {
    const byte = sample[i] ?? 0;
    if (byte === 0) {
      zeros++;
      if (i % 2 === 0) evenZeros++;
    } else if (byte < 9 || (byte > 13 && byte < 32 && byte !== 27)) controls++;
  }
  if (sample.length === 0) return false;
  const share = zeros / sample.length;
  const regular = evenZeros < zeros * 0.1 || evenZeros > zeros * 0.9;
  return (share > 0.01 && !regular) || (zeros === 0 && controls > sample.length * 0.05);
}

/** By name where the name is specific, else by how the text begins. */
export function detectText(text: string, path: string): TextFormat {
  const head = text
    .slice(0, 4096)
    .replace(/^\ufeff/, "")
    .trimStart();
  const byContent: TextFormat | null = /^<!doctype html|^<html[\s>]|^<(?:head|body)[\s>]/i.test(head)
    ? "html"
    : /^<\?xml/.test(head)
      ? /<html[\s>]/i.test(head)
        ? "html"
        : "xml"
      : looksLikeMail(head)
        ? "eml"
        : null;
  switch (extensionOf(path)) {
    case "md":
    case "markdown":
    case "mdx":
    case "mkd":
      return "markdown";
    case "html":
    case "htm":
    case "xhtml":
    case "shtml":
      return "html";
    case "csv":
    case "tsv":
      return "csv";
    case "jsonl":
    case "ndjson":
      return "jsonl";
    case "json":
      return "json";
    case "eml":
    case "mht":
    case "mhtml":
      return "eml";
    case "xml":
      return byContent ?? "xml";
    case "txt":
    case "text":
    case "log":
      return byContent === "html" || byContent === "eml" ? byContent : "plain";
    default:
      return byContent ?? (/^#{1,6} \S/m.test(head) ? "markdown" : /^[[{]/.test(head) ? "json" : "plain");
  }
}

function looksLikeMail(head: string): boolean {
  const names = head.split(/\r?\n\r?\n/)[0]?.match(/^(?:From|To|Subject|Date|Received|MIME-Version|Message-ID|Return-Path|Content-Type):/gim) ?? [];
  return new Set(names.map((name) => name.toLowerCase())).size >= 3 && /^[A-Za-z-]+:/.test(head);
}
