/** @file Documents: state, text, original bytes, versions by hand. */
import { z } from "@hono/zod-openapi";
import { defined } from "../../body.ts";
import type { ServerParts } from "../../context.ts";
import { type Api, define, items, list } from "../define.ts";
import { sendFile } from "./original.ts";
import { chunk, documentInfo, documentPatch, documentText, dueReview } from "./schema.ts";

const tag = "documents";
const byId = z.object({ id: z.string() });
const version = z.object({ version: z.string().optional().openapi({ description: "A version's id; none: the current one." }) });
const page = z.object({ items: list(documentInfo), nextCursor: z.string().nullable() });

export function documentRoutes(api: Api, parts: ServerParts): void {
  const { knowledge } = parts.services;
  define(
    api,
    parts,
    {
      method: "get",
      path: "/bases/{id}/documents",
      id: "listDocuments",
      tag,
      summary: "Documents of a knowledge base, a page at a time",
      zh: "知识库中的文档，分页",
      params: byId,
      query: z.object({
        cursor: z.string().max(500).optional(),
        limit: z.coerce.number().int().min(1).max(1000).optional(),
        state: z.string().max(20).optional(),
        search: z.string().max(200).optional(),
        folder: z.string().max(1024).optional(),
      }),
      output: page,
    },
    async ({ actor, params, query }) => {
      const found = await knowledge.readBase(actor, params.id);
      return await knowledge.listDocuments(actor, found.id, defined(query));
    },
  );
  define(
    api,
    parts,
    {
      method: "get",
      path: "/documents/{id}",
      id: "readDocument",
      tag,
      summary: "A document with its state",
      zh: "一份文档及其状态",
      params: byId,
      output: documentInfo,
    },
    async ({ actor, params }) => await knowledge.readDocument(actor, params.id),
  );
  define(
    api,
    parts,
    {
      method: "patch",
      path: "/documents/{id}",
      id: "updateDocument",
      tag,
      summary: "Change title, tags or date",
      zh: "修改标题、标签或日期",
      params: byId,
      body: documentPatch,
      output: documentInfo,
    },
    async ({ actor, params, body }) => await knowledge.updateDocument(actor, params.id, defined(body)),
  );
  define(
    api,
    parts,
    {
      method: "delete",
      path: "/documents/{id}",
      id: "removeDocument",
      tag,
      summary: "Remove a document: text, vectors and bytes",
      zh: "删除文档：文本、向量和原始字节",
      params: byId,
    },
    async ({ actor, params }) => {
      await knowledge.removeDocument(actor, params.id);
    },
  );
  define(
    api,
    parts,
    {
      method: "post",
      path: "/documents/{id}/retry",
      id: "retryDocument",
      tag,
      summary: "Read a failed document again",
      zh: "重新读取失败的文档",
      params: byId,
    },
    async ({ actor, params }) => {
      await knowledge.retryDocument(actor, params.id);
    },
  );
  textRoutes(api, parts);
  careRoutes(api, parts);
}

function careRoutes(api: Api, parts: ServerParts): void {
  const { knowledge } = parts.services;
  define(
    api,
    parts,
    {
      method: "put",
      path: "/documents/{id}/approval",
      id: "approveDocument",
      tag,
      summary: "Let readers see a document, or take it out of their sight",
      zh: "批准文档供读者查看，或撤回批准",
      params: byId,
      body: z.object({ approved: z.boolean() }),
      output: documentInfo,
    },
    async ({ actor, params, body }) => await knowledge.approveDocument(actor, params.id, body.approved),
  );
  define(
    api,
    parts,
    {
      method: "get",
      path: "/reviews",
      id: "listReviews",
      tag,
      summary: "Documents whose review day has come: one's own, and those of bases one manages",
      zh: "到了复核日期的文档：自己负责的，以及自己管理的知识库中的",
      output: items(dueReview),
    },
    async ({ actor }) => ({ items: await knowledge.listReviews(actor) }),
  );
}

function textRoutes(api: Api, parts: ServerParts): void {
  const { knowledge } = parts.services;
  define(
    api,
    parts,
    {
      method: "get",
      path: "/documents/{id}/text",
      id: "readText",
      tag,
      summary: "Extracted text with its blocks; citations' offsets point into it",
      zh: "提取出的文本及其分块；引用的偏移指向它",
      params: byId,
      query: version,
      output: documentText,
    },
    async ({ actor, params, query }) => await knowledge.readText(actor, params.id, query.version),
  );
  define(
    api,
    parts,
    {
      method: "get",
      path: "/documents/{id}/original",
      id: "readOriginal",
      tag,
      summary: "The original bytes",
      zh: "原始文件",
      params: byId,
      query: version,
      media: { type: "application/octet-stream", description: "The file as it was added" },
    },
    async ({ actor, params, query, c }) => await sendFile(c, await knowledge.openOriginal(actor, params.id, query.version)),
  );
  define(
    api,
    parts,
    {
      method: "get",
      path: "/documents/{id}/chunks",
      id: "listChunks",
      tag,
      summary: "The pieces that are searched",
      zh: "用于检索的片段",
      params: byId,
      output: items(chunk),
    },
    async ({ actor, params }) => ({ items: await knowledge.listChunks(actor, params.id) }),
  );
}
