/** @file The audit log: read, verified, taken out. */
import { z } from "@hono/zod-openapi";
import type { AuditEntry } from "#contracts";
import { defined } from "../../body.ts";
import type { ServerParts } from "../../context.ts";
import { type Api, define, list } from "../define.ts";

const tag = "audit";
const access = "administrator" as const;
const role = z.enum(["operator", "administrator", "knowledge-owner", "editor", "member", "api-only", "nobody"]);
const who = z.object({ personId: z.string().nullable(), name: z.string() });
const detail = z.union([z.string(), z.number(), z.boolean(), z.null()]);
const entry: z.ZodType<AuditEntry, AuditEntry> = z
  .object({
    seq: z.number(),
    at: z.string(),
    action: z.string(),
    outcome: z.enum(["ok", "refused", "failed"]),
    subject: z.object({ kind: z.string(), id: z.string(), kbId: z.string().optional() }).nullable(),
    details: z.record(z.string(), detail),
    actor: who
      .extend({ role, keyId: z.string().optional(), teamId: z.string().optional(), viewedBy: who.optional(), address: z.string().optional() })
      .nullable()
      .openapi({ description: "null: erased on request." }),
    hash: z.string().openapi({ description: "SHA-256 over this row and the hash of the row before." }),
    prev: z.string(),
  })
  .openapi("AuditEntry") as unknown as z.ZodType<AuditEntry, AuditEntry>;
const verdict = z
  .object({
    ok: z.boolean(),
    rows: z.number(),
    from: z.number(),
    to: z.number(),
    problemCount: z.number(),
    problems: list(
      z.object({
        kind: z.enum(["changed", "missing", "added", "head", "personal-part-missing", "personal-part-changed"]),
        from: z.number(),
        to: z.number(),
      }),
    ),
    fingerprint: z.string(),
    checkedAt: z.string(),
  })
  .openapi("AuditVerdict");
const moment = z.iso.datetime({ offset: true }).transform((text) => new Date(text).toISOString());
const filter = {
  action: z.string().max(100).optional().openapi({ description: "The action, or its beginning: key." }),
  outcome: z.enum(["ok", "refused", "failed"]).optional(),
  personId: z.string().max(100).optional(),
  subject: z.string().max(200).optional(),
  from: moment.optional().openapi({ type: "string", format: "date-time" }),
  to: moment.optional().openapi({ type: "string", format: "date-time" }),
};

export function auditRoutes(api: Api, parts: ServerParts): void {
  const { audit } = parts.services;
  define(
    api,
    parts,
    {
      method: "get",
      path: "/audit",
      id: "listAudit",
      tag,
      summary: "The audit log, newest first",
      zh: "审计日志，最新在前",
      access,
      query: z.object({ ...filter, before: z.coerce.number().int().min(1).optional(), limit: z.coerce.number().int().min(1).max(1000).optional() }),
      output: z.object({ items: list(entry), nextBefore: z.number().nullable() }),
    },
    async ({ actor, query }) => await audit.list(actor, defined(query)),
  );
  define(
    api,
    parts,
    {
      method: "post",
      path: "/audit/verify",
      id: "verifyAudit",
      tag,
      summary: "Whether every row is there and unchanged; what is not is named",
      zh: "校验审计日志是否完整，指出被改动或缺失的行",
      access,
      output: verdict,
    },
    async ({ actor }) => await audit.verify(actor),
  );
  define(
    api,
    parts,
    {
      method: "get",
      path: "/audit/status",
      id: "readAuditStatus",
      tag,
      summary: "Rows, the signing key's fingerprint, and how far the syslog host has been served",
      zh: "行数、签名密钥指纹，以及 syslog 转发进度",
      access,
      output: z.object({
        rows: z.number(),
        fingerprint: z.string(),
        syslog: z.object({ target: z.string(), sentTo: z.number(), waiting: z.number(), error: z.string().nullable() }).nullable(),
      }),
    },
    async ({ actor }) => await audit.status(actor),
  );
  define(
    api,
    parts,
    {
      method: "get",
      path: "/audit/export",
      id: "exportAudit",
      tag,
      summary: "The whole log, oldest first: JSON Lines or RFC 5424 syslog lines",
      zh: "导出审计日志：JSON Lines 或 RFC 5424 syslog 行",
      access,
      query: z.object({ ...filter, format: z.enum(["jsonl", "syslog"]).default("jsonl") }),
      media: { type: "application/jsonl", description: "One entry a line." },
    },
    async ({ actor, query: { format, ...rest } }) =>
      new Response(lines(audit.export(actor, format, defined(rest))), {
        headers: {
          "content-type": format === "jsonl" ? "application/jsonl; charset=utf-8" : "text/plain; charset=utf-8",
          "content-disposition": `attachment; filename="starbox-audit.${format === "jsonl" ? "jsonl" : "log"}"`,
        },
      }),
  );
}

const bytesAtOnce = 64 << 10;

/** Sent in pieces as it is read: the log may be longer than memory. */
export function lines(source: AsyncIterable<string>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  const iterator = source[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      let text = "";
      while (text.length < bytesAtOnce) {
        const { done, value } = await iterator.next();
        if (done === true) {
          if (text !== "") controller.enqueue(encoder.encode(text));
          return controller.close();
        }
        text += `${value}\n`;
      }
      controller.enqueue(encoder.encode(text));
    },
    async cancel() {
      await iterator.return?.();
    },
  });
}
