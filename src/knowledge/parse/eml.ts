/** @file Mail to blocks: who, when, what about, the words; attachments become children. Sends and fetches nothing. */

import PostalMime from "postal-mime";
import type { DocumentMeta, ParsedDocument } from "#contracts";
import { DocumentBuilder } from "./builder.ts";
import { HtmlReader } from "./html.ts";
import { bombError, type ParseLimits } from "./limits.ts";
import { parsePlain } from "./plain.ts";
import { safeName } from "./safe-zip.ts";

type Person = { readonly name?: string | undefined; readonly address?: string | undefined; readonly group?: readonly Person[] | undefined };

function present(people: readonly Person[] | undefined): string {
  return (people ?? [])
    .flatMap((p) => p.group ?? [p])
    .map((p) => (p.name ? (p.address ? `${p.name} <${p.address}>` : p.name) : (p.address ?? "")))
    .filter((text) => text !== "")
    .slice(0, 50)
    .join("、");
}

function addBody(
  mail: { readonly text?: string | undefined; readonly html?: string | undefined },
  limits: ParseLimits,
  builder: DocumentBuilder,
): void {
  const plain = mail.text?.trim() ?? "";
  if (plain !== "") {
    const parsed = parsePlain(plain.replace(/^(?:> ?)+/gm, ""), limits);
    for (const block of parsed.blocks) builder.add(block.kind, parsed.text.slice(block.start, block.end));
    return;
  }
  new HtmlReader((kind, text, level) => {
    if (kind === "paragraph") for (const line of text.split("\n")) builder.add(kind, line);
    else builder.add(kind, text, level === undefined ? {} : { level: level + 1 });
  }).read(mail.html ?? "");
}

export async function parseMail(bytes: Uint8Array, limits: ParseLimits): Promise<ParsedDocument> {
  const mail = await PostalMime.parse(bytes, { maxNestingDepth: 32, maxHeadersSize: 1 << 20 });
  const builder = new DocumentBuilder(limits);
  const subject = mail.subject?.trim() ?? "";
  if (subject !== "") builder.add("title", subject, { level: 1 });
  const date = mail.date !== undefined && !Number.isNaN(Date.parse(mail.date)) ? new Date(mail.date).toISOString() : null;
  const from = present(mail.from === undefined ? undefined : [mail.from]);
  const head = [
    from === "" ? "" : `发件人：${from}`,
    present(mail.to) === "" ? "" : `收件人：${present(mail.to)}`,
    present(mail.cc) === "" ? "" : `抄送：${present(mail.cc)}`,
    date === null ? "" : `日期：${date.slice(0, 16).replace("T", " ")}`,
  ];
  builder.add("paragraph", head.filter((line) => line !== "").join("；"));
  addBody(mail, limits, builder);
  let total = 0;
  mail.attachments.forEach((attachment, at) => {
    const content = typeof attachment.content === "string" ? new TextEncoder().encode(attachment.content) : new Uint8Array(attachment.content);
    total += content.byteLength;
    if (total > limits.maxUnpackedBytes || at > 1000) throw bombError("attachments", "附件过多过大");
    // Pictures placed in the text (logos, signatures) are not documents.
    if (attachment.disposition === "inline" && attachment.mimeType.startsWith("image/")) return;
    const named = attachment.filename ?? (attachment.mimeType === "message/rfc822" ? `message-${at + 1}.eml` : `attachment-${at + 1}`);
    const name = safeName(named.split(/[/\\]/).at(-1) ?? "") ?? `attachment-${at + 1}`;
    builder.children.push({ path: builder.children.some((child) => child.path === name) ? `${at + 1}-${name}` : name, bytes: content });
  });
  const meta: DocumentMeta = {
    ...(subject === "" ? {} : { title: subject }),
    ...(from === "" ? {} : { author: from }),
    ...(date === null ? {} : { date: date.slice(0, 10) }),
  };
  return builder.finish(meta);
}
