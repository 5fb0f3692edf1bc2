/** @file Masks, retention, holds, and one person's data exported or erased. */
import { z } from "@hono/zod-openapi";
import { defined } from "../../body.ts";
import type { ServerParts } from "../../context.ts";
import { lines } from "../audit/route.ts";
import { type Api, define, items } from "../define.ts";
import { erasure, hold, holdKind, masks, masksPatch, retention, retentionPatch, retentionReport } from "./schema.ts";

const tag = "privacy";
const access = "administrator" as const;

export function privacyRoutes(api: Api, parts: ServerParts): void {
  maskRoutes(api, parts);
  keepRoutes(api, parts);
  personRoutes(api, parts);
}

function maskRoutes(api: Api, parts: ServerParts): void {
  const { privacy } = parts.services;
  define(
    api,
    parts,
    { method: "get", path: "/privacy/masks", id: "readMasks", tag, summary: "What is masked where", zh: "查看脱敏策略", access, output: masks },
    async ({ actor }) => await privacy.readMasks(actor),
  );
  define(
    api,
    parts,
    {
      method: "patch",
      path: "/privacy/masks",
      id: "writeMasks",
      tag,
      summary: "Change what is masked in input, output and stored history",
      zh: "修改输入、输出与存储历史的脱敏策略",
      access,
      body: masksPatch,
      output: masks,
    },
    async ({ actor, body }) => await privacy.writeMasks(actor, defined(body)),
  );
  define(
    api,
    parts,
    {
      method: "post",
      path: "/privacy/try",
      id: "tryMasks",
      tag,
      summary: "What the masks make of a text; nothing is kept",
      zh: "试用脱敏策略，文本不会被保存",
      access,
      body: z.object({ text: z.string().max(100_000) }),
      output: z.object({ input: z.string(), output: z.string(), stored: z.string() }),
    },
    async ({ actor, body }) => await privacy.tryMasks(actor, body.text),
  );
  define(
    api,
    parts,
    {
      method: "post",
      path: "/privacy/mask-history",
      id: "maskHistory",
      tag,
      summary: "Mask what is stored already, by the present policy",
      zh: "按当前策略对已有历史脱敏",
      access,
      output: z.object({ turns: z.number(), answers: z.number(), gaps: z.number(), chats: z.number() }),
    },
    async ({ actor }) => await privacy.maskHistory(actor),
  );
}

function keepRoutes(api: Api, parts: ServerParts): void {
  const { privacy } = parts.services;
  define(
    api,
    parts,
    {
      method: "get",
      path: "/privacy/retention",
      id: "readRetention",
      tag,
      summary: "How long what is kept",
      zh: "查看保留期限",
      access,
      output: retention,
    },
    async ({ actor }) => await privacy.readRetention(actor),
  );
  define(
    api,
    parts,
    {
      method: "patch",
      path: "/privacy/retention",
      id: "writeRetention",
      tag,
      summary: "Change how long what is kept; null: for ever",
      zh: "修改保留期限，null 表示永久",
      access,
      body: retentionPatch,
      output: retention,
    },
    async ({ actor, body }) => await privacy.writeRetention(actor, defined(body)),
  );
  define(
    api,
    parts,
    {
      method: "post",
      path: "/privacy/retention/run",
      id: "runRetention",
      tag,
      summary: "Remove now what is due; held things stay",
      zh: "立即清理到期内容，处于法律保留的除外",
      access,
      output: retentionReport,
    },
    async ({ actor }) => await privacy.runRetention(actor),
  );
  define(
    api,
    parts,
    {
      method: "get",
      path: "/privacy/holds",
      id: "listHolds",
      tag,
      summary: "Legal holds, open ones first",
      zh: "列出法律保留",
      access,
      output: items(hold),
    },
    async ({ actor }) => ({ items: await privacy.listHolds(actor) }),
  );
  define(
    api,
    parts,
    {
      method: "post",
      path: "/privacy/holds",
      id: "addHold",
      tag,
      summary: "Keep a person's, base's, document's or chat's data whatever else says",
      zh: "对人员、知识库、文档或对话设置法律保留",
      access,
      body: z.object({ kind: holdKind, subject: z.string().max(100).default(""), reason: z.string().trim().min(1).max(500) }),
      output: hold,
      status: 201,
    },
    async ({ actor, body }) => await privacy.addHold(actor, body),
  );
  define(
    api,
    parts,
    {
      method: "delete",
      path: "/privacy/holds/{id}",
      id: "releaseHold",
      tag,
      summary: "Release a hold",
      zh: "解除法律保留",
      access,
      params: z.object({ id: z.string() }),
    },
    async ({ actor, params }) => {
      await privacy.releaseHold(actor, params.id);
    },
  );
}

function personRoutes(api: Api, parts: ServerParts): void {
  const { privacy } = parts.services;
  const byPerson = z.object({ person: z.string().max(254).openapi({ description: "Id or e-mail." }) });
  define(
    api,
    parts,
    {
      method: "get",
      path: "/privacy/people/{person}/export",
      id: "exportPerson",
      tag,
      summary: "A person's data as JSON Lines; everybody may have their own",
      zh: "导出某人的全部数据（JSON Lines）；每个人都可以导出自己的",
      params: byPerson,
      media: { type: "application/jsonl", description: "{table, row} a line." },
    },
    async ({ actor, params }) => {
      const source = privacy.exportPerson(actor, params.person)[Symbol.asyncIterator]();
      // What is not there or not allowed is a status, not a broken file.
      const first = await source.next();
      return new Response(lines(after(first, source)), {
        headers: { "content-type": "application/jsonl; charset=utf-8", "content-disposition": 'attachment; filename="starbox-person.jsonl"' },
      });
    },
  );
  define(
    api,
    parts,
    {
      method: "post",
      path: "/privacy/people/{person}/erase",
      id: "erasePerson",
      tag,
      summary: "Erase a person's data; answers with what was erased, what stays and why",
      zh: "删除某人的全部数据，返回删除报告",
      description: "Cannot be undone. A legal hold refuses it. Backups made before are named in the report.",
      access,
      params: byPerson,
      output: erasure,
    },
    async ({ actor, params }) => await privacy.erasePerson(actor, params.person),
  );
  define(
    api,
    parts,
    {
      method: "get",
      path: "/privacy/erasures",
      id: "listErasures",
      tag,
      summary: "Reports of erasures",
      zh: "删除报告列表",
      access,
      output: items(erasure),
    },
    async ({ actor }) => ({ items: await privacy.listErasures(actor) }),
  );
}

async function* after(first: IteratorResult<string>, rest: AsyncIterator<string>): AsyncGenerator<string> {
  for (let result = first; result.done !== true; result = await rest.next()) yield result.value;
}
