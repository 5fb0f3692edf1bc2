/** @file The one way in: bytes and a name to text with blocks. Chooses the parser; opens no file, follows no link, fetches nothing. */

import { StarboxError } from "#base";
import type { ParsedDocument } from "#contracts";
import { detectContainer, detectText, extensionOf, unsupportedError } from "./detect.ts";
import { completeMeta } from "./document-meta.ts";
import { bombError, corruptError, defaultLimits, documentError, type ParseLimits, tooLargeError } from "./limits.ts";
import type { UnpackBudget } from "./safe-zip.ts";

/**
 * Text, blocks and positions of one document. `path` is only a name. Members of archives and attachments come back as
 * `children`: parse them with `depth` one higher.
 */
export async function parseDocument(bytes: Uint8Array, path: string, limits: Partial<ParseLimits> = {}): Promise<ParsedDocument> {
  const all = { ...defaultLimits, ...limits };
  if (bytes.byteLength > all.maxBytes)
    throw tooLargeError(`${bytes.byteLength} bytes, at most ${all.maxBytes}`, `${bytes.byteLength} 字节，最多 ${all.maxBytes} 字节`);
  if (all.depth > all.maxDepth) throw bombError(`nested ${all.depth} levels deep`, `嵌套 ${all.depth} 层`);
  const parsed = await parseAny(bytes, path, all).catch((error: unknown) => {
    if (StarboxError.is(error)) throw error;
    throw corruptError(error instanceof Error ? error.message.slice(0, 200) : "it cannot be read", "无法读取", error);
  });
  if (parsed.text.trim() === "" && parsed.children.length === 0 && parsed.scannedPages.length === 0) {
    throw documentError(
      "document_empty",
      { message: "There is no text in this file.", hint: "Check that it is the right file; pictures of text need OCR first." },
      { message: "文件中没有文字。", hint: "请确认文件是否正确；图片中的文字需要先做文字识别（OCR）。" },
    );
  }
  return { ...parsed, meta: completeMeta(parsed, path) };
}

// Parsers are loaded when first needed: most workers never see most formats.
async function parseAny(bytes: Uint8Array, path: string, limits: ParseLimits): Promise<ParsedDocument> {
  const container = detectContainer(bytes, path);
  if (container === "pdf") return await (await import("./pdf.ts")).parsePdf(bytes, limits);
  if (container === "zip") return await parseZipFamily(bytes, path, limits);
  return await parseTextFamily(bytes, path, limits);
}

async function parseZipFamily(bytes: Uint8Array, path: string, limits: ParseLimits): Promise<ParsedDocument> {
  const { createBudget, ZipReader } = await import("./safe-zip.ts");
  const budget: UnpackBudget = createBudget(limits);
  const zip = new ZipReader(bytes, limits, budget);
  const { archiveKind, parseArchive } = await import("./archive.ts");
  switch (archiveKind(zip, path)) {
    case "docx":
      return (await import("./docx.ts")).parseDocx(zip, limits);
    case "xlsx":
      return (await import("./xlsx.ts")).parseXlsx(zip, limits);
    case "pptx":
      return (await import("./pptx.ts")).parsePptx(zip, limits);
    case "epub":
      return (await import("./epub.ts")).parseEpub(zip, limits);
    default:
      return parseArchive(zip, limits, budget);
  }
}

async function parseTextFamily(bytes: Uint8Array, path: string, limits: ParseLimits): Promise<ParsedDocument> {
  const { decodeText } = await import("./encoding.ts");
  const extension = extensionOf(path);
  const ascii = new TextDecoder("latin1").decode(bytes.subarray(0, 2048));
  // Mail names the encoding of each part inside; its bytes must stay as they are.
  if (["eml", "mht", "mhtml"].includes(extension) || detectText(ascii, path) === "eml")
    return await (await import("./eml.ts")).parseMail(bytes, limits);
  const declared = /(?:charset|encoding)\s*=\s*["']?([\w-]+)/i.exec(ascii)?.[1];
  const { text, warning } = decodeNamed(() => decodeText(bytes, declared), extension);
  if (text.length > limits.maxTextChars)
    throw tooLargeError(`more than ${limits.maxTextChars} characters of text`, `文本超过 ${limits.maxTextChars} 字`);
  const parsed = await parseText(text, path, limits);
  return warning === undefined ? parsed : { ...parsed, warnings: [...parsed.warnings, { code: "encoding", message: warning }] };
}

const textExtensions = new Set([
  "",
  "txt",
  "text",
  "log",
  "md",
  "markdown",
  "mdx",
  "html",
  "htm",
  "xhtml",
  "csv",
  "tsv",
  "json",
  "jsonl",
  "ndjson",
  "xml",
]);

/** Bytes in no encoding are a strange text when the name says text, and an unknown kind of file when it says something else. */
function decodeNamed<T>(decode: () => T, extension: string): T {
  try {
    return decode();
  } catch (error) {
    throw textExtensions.has(extension) ? error : unsupportedError(extension);
  }
}

async function parseText(text: string, path: string, limits: ParseLimits): Promise<ParsedDocument> {
  const format = detectText(text, path);
  switch (format) {
    case "markdown":
      return (await import("./markdown.ts")).parseMarkdown(text, limits);
    case "html":
      return (await import("./html.ts")).parseHtml(text, limits);
    case "csv":
      return (await import("./records.ts")).parseCsv(text, extensionOf(path), limits);
    case "json":
    case "jsonl":
      return (await import("./records.ts")).parseJson(text, format, limits);
    case "xml":
      return (await import("./records.ts")).parseXmlText(text, limits);
    default:
      return (await import("./plain.ts")).parsePlain(text, limits);
  }
}
