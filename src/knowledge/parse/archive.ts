/** @file ZIP archives: which kind of file they are, and their members as children (archives inside archives included). Writes nothing to disk. */

import { StarboxError } from "#base";
import type { ParsedDocument } from "#contracts";
import { DocumentBuilder } from "./builder.ts";
import { type BinaryFormat, extensionOf, unsupportedError } from "./detect.ts";
import { bombError, documentError, type ParseLimits } from "./limits.ts";
import { safeName, type UnpackBudget, ZipReader } from "./safe-zip.ts";

export function archiveKind(zip: ZipReader, path: string): Exclude<BinaryFormat, "pdf"> {
  if (zip.has("[Content_Types].xml")) {
    if (zip.has("word/document.xml") || zip.entries.some((e) => /^word\/document\d*\.xml$/.test(e.name))) return "docx";
    if (zip.has("xl/workbook.xml")) return "xlsx";
    if (zip.has("xl/workbook.bin")) throw unsupportedError("xlsb");
    if (zip.has("ppt/presentation.xml")) return "pptx";
  }
  if (zip.has("META-INF/container.xml") && !zip.has("META-INF/manifest.xml")) return "epub";
  if (zip.has("OFD.xml")) throw unsupportedError("ofd");
  if (zip.has("mimetype") && zip.has("content.xml")) {
    const type = new TextDecoder().decode(zip.read("mimetype") ?? new Uint8Array());
    throw unsupportedError(type.includes("spreadsheet") ? "ods" : type.includes("presentation") ? "odp" : "odt");
  }
  if (zip.entries.some((e) => /(^|\/)Index\.zip$|\.iwa$/.test(e.name)))
    throw unsupportedError(extensionOf(path) === "numbers" ? "numbers" : extensionOf(path) === "key" ? "key" : "pages");
  const extension = extensionOf(path);
  if (["docx", "xlsx", "pptx", "epub"].includes(extension)) {
    throw documentError(
      "document_corrupt",
      {
        message: `The file is named .${extension} but holds no ${extension.toUpperCase()} document.`,
        hint: "Open it in the program that made it and save it again.",
      },
      { message: `文件扩展名为 .${extension}，但内容不是 ${extension.toUpperCase()} 文档。`, hint: "请用原来的软件打开并重新保存。" },
    );
  }
  return "zip";
}

const junk = /(^|\/)(?:__MACOSX|\.DS_Store|Thumbs\.db|desktop\.ini)(\/|$)|(^|\/)\._/i;

function isPlainArchive(bytes: Uint8Array, name: string): boolean {
  return (
    bytes[0] === 0x50 &&
    bytes[1] === 0x4b &&
    !["docx", "xlsx", "pptx", "epub", "docm", "xlsm", "pptm", "ofd", "odt", "ods", "odp", "jar", "apk"].includes(extensionOf(name))
  );
}

export function parseArchive(zip: ZipReader, limits: ParseLimits, budget: UnpackBudget): ParsedDocument {
  const builder = new DocumentBuilder(limits);
  collect(zip, "", limits.depth, limits, budget, builder);
  return builder.finish();
}

function collect(zip: ZipReader, prefix: string, depth: number, limits: ParseLimits, budget: UnpackBudget, builder: DocumentBuilder): void {
  if (depth > limits.maxDepth) throw bombError(`archives nested deeper than ${limits.maxDepth}`, `压缩包嵌套超过 ${limits.maxDepth} 层`);
  for (const entry of zip.entries) {
    const name = safeName(entry.name);
    if (name === null) {
      throw documentError(
        "path_unsafe",
        {
          message: `The ZIP holds a member that tries to leave its folder: "${entry.name.slice(0, 100)}".`,
          hint: "Do not use this archive; ask where it came from. Nothing was written.",
        },
        { message: `ZIP 中有企图越出目录的成员：“${entry.name.slice(0, 100)}”。`, hint: "请勿使用该压缩包并核实来源。未写入任何内容。" },
      );
    }
    if (entry.name.endsWith("/") || junk.test(name)) continue;
    if (entry.symlink) {
      builder.warn("link_skipped", `A link was skipped 已跳过链接: ${name}`);
      continue;
    }
    member(zip, entry, `${prefix}${name}`, depth, limits, budget, builder);
  }
}

function member(
  zip: ZipReader,
  entry: ZipReader["entries"][number],
  path: string,
  depth: number,
  limits: ParseLimits,
  budget: UnpackBudget,
  builder: DocumentBuilder,
): void {
  try {
    const bytes = zip.readEntry(entry);
    if (isPlainArchive(bytes, path)) collect(new ZipReader(bytes, limits, budget), `${path}/`, depth + 1, limits, budget, builder);
    else builder.children.push({ path, bytes });
  } catch (error) {
    // One damaged member is set aside; a bomb, a password or a path trick condemns the archive.
    if (!StarboxError.is(error, "document_corrupt") && !StarboxError.is(error, "unsupported_format")) throw error;
    builder.warn(error.code, `${path}: ${error.message}`);
  }
}
