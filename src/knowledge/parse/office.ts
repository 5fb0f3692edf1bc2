/** @file What Word, Excel and PowerPoint files share: parts, properties. Each format is in its own file. */
import type { DocumentMeta } from "#contracts";
import { decodeXml } from "./encoding.ts";
import type { ZipReader } from "./safe-zip.ts";
import { readXml } from "./xml.ts";

export function readPart(zip: ZipReader, name: string): string | null {
  const bytes = zip.read(name);
  return bytes === null ? null : decodeXml(bytes);
}

export function readCoreMeta(zip: ZipReader): DocumentMeta {
  const xml = readPart(zip, "docProps/core.xml");
  if (xml === null) return {};
  const values: Record<string, string> = {};
  let open = "";
  readXml(xml, {
    open: (name) => (open = name),
    close: () => (open = ""),
    text: (text) => (values[open] = ((values[open] ?? "") + text).slice(0, 300)),
  });
  const title = values["dc:title"]?.trim() ?? "";
  const author = values["dc:creator"]?.trim() ?? "";
  const usable = title.length > 1 && !/^(microsoft|untitled|powerpoint|无标题|未命名|文档\d*|演示文稿)/i.test(title);
  return { ...(usable ? { title } : {}), ...(author === "" ? {} : { author }) };
}
