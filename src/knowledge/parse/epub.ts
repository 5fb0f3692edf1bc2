/** @file EPUB books to blocks, chapter by chapter in reading order. Protected books are a named error. */
import type { DocumentMeta, ParsedDocument } from "#contracts";
import { DocumentBuilder } from "./builder.ts";
import { HtmlReader } from "./html.ts";
import { corruptError, documentError, type ParseLimits } from "./limits.ts";
import { readPart } from "./office.ts";
import type { ZipReader } from "./safe-zip.ts";
import { readXml, resolvePart } from "./xml.ts";

type Package = { readonly meta: DocumentMeta; readonly chapters: readonly string[] };

function readPackage(xml: string, folder: string): Package {
  const items = new Map<string, string>();
  const chapters: string[] = [];
  const values: Record<string, string> = {};
  let open = "";
  readXml(xml, {
    open(name, a) {
      const local = name.replace(/^.*:/, "");
      open = local;
      if (local === "item" && a.id !== undefined && a.href !== undefined && /html|xml/.test(a["media-type"] ?? "html") && a.properties !== "nav")
        items.set(a.id, resolvePart(folder, decode(a.href)));
      else if (local === "itemref") {
        const href = items.get(a.idref ?? "");
        if (href !== undefined) chapters.push(href);
      }
    },
    close: () => (open = ""),
    text: (text) => {
      if (open === "title" || open === "creator" || open === "language" || open === "date") values[open] ??= text.trim().slice(0, 300);
    },
  });
  const { title, creator, language, date } = values;
  const meta: DocumentMeta = {
    ...(title ? { title } : {}),
    ...(creator ? { author: creator } : {}),
    ...(language ? { language } : {}),
    ...(date !== undefined && /^\d{4}-\d{2}-\d{2}/.test(date) ? { date: date.slice(0, 10) } : {}),
  };
  return { meta, chapters };
}

function decode(href: string): string {
  try {
    return decodeURIComponent(href.replace(/#.*$/, ""));
  } catch {
    return href;
  }
}

export function parseEpub(zip: ZipReader, limits: ParseLimits): ParsedDocument {
  const encryption = readPart(zip, "META-INF/encryption.xml");
  if (
    zip.has("META-INF/rights.xml") ||
    (encryption !== null && /EncryptedData/.test(encryption) && !/idpf\.org\/2008\/embedding|ns\.adobe\.com\/pdf\/enc#RC/.test(encryption))
  ) {
    throw documentError(
      "document_password",
      { message: "This EPUB is copy-protected (DRM).", hint: "Add a copy without protection." },
      { message: "该 EPUB 有版权保护（DRM）。", hint: "请添加未加密的版本。" },
    );
  }
  const container = readPart(zip, "META-INF/container.xml") ?? "";
  const path = /full-path\s*=\s*["']([^"']{1,500})["']/.exec(container)?.[1];
  const xml = path === undefined ? null : readPart(zip, path);
  if (path === undefined || xml === null) throw corruptError("the EPUB has no table of contents", "EPUB 缺少目录文件");
  const { meta, chapters } = readPackage(xml, path.split("/").slice(0, -1).join("/"));
  const builder = new DocumentBuilder(limits);
  for (const chapter of chapters) {
    const html = readPart(zip, chapter);
    if (html === null) {
      builder.warn("chapter_missing", `A chapter is missing 缺少章节: ${chapter}`);
      continue;
    }
    new HtmlReader((kind, text, level) => {
      if (kind === "paragraph") for (const line of text.split("\n")) builder.add(kind, line);
      else builder.add(kind, text, level === undefined ? {} : { level });
    }, true).read(html);
  }
  return builder.finish(meta);
}
