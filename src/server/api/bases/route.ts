/** @file Knowledge bases: what is in them, search, files, dictionary, curated answers, gaps. */
import { z } from "@hono/zod-openapi";
import { defined } from "../../body.ts";
import type { ServerParts } from "../../context.ts";
import { type Api, define, items } from "../define.ts";
import { base, basePatch, curated, dictionary, gap, newBase, newCurated, searchBody, searchResult } from "./schema.ts";
import { uploadRoutes } from "./upload.ts";

const tag = "knowledge";
const byId = z.object({ id: z.string().openapi({ description: "Id or name of the knowledge base." }) });
const bySubId = z.object({ id: z.string() });

export function baseRoutes(api: Api, parts: ServerParts): void {
  const { knowledge } = parts.services;
  define(
    api,
    parts,
    { method: "get", path: "/bases", id: "listBases", tag, summary: "List knowledge bases", zh: "列出知识库", output: items(base) },
    async ({ actor }) => ({ items: await knowledge.listBases(actor) }),
  );
  define(
    api,
    parts,
    {
      method: "post",
      path: "/bases",
      id: "createBase",
      tag,
      summary: "Make a knowledge base",
      zh: "新建知识库",
      body: newBase,
      output: base,
      status: 201,
    },
    async ({ actor, body }) => await knowledge.createBase(actor, defined(body)),
  );
  define(
    api,
    parts,
    {
      method: "get",
      path: "/bases/{id}",
      id: "readBase",
      tag,
      summary: "A knowledge base, with how far reading has come",
      zh: "一个知识库及其读取进度",
      params: byId,
      output: base,
    },
    async ({ actor, params }) => await knowledge.readBase(actor, params.id),
  );
  define(
    api,
    parts,
    {
      method: "patch",
      path: "/bases/{id}",
      id: "updateBase",
      tag,
      summary: "Rename, describe, or embed with another model",
      zh: "改名、改描述，或换用别的向量模型",
      params: byId,
      body: basePatch,
      output: base,
    },
    async ({ actor, params, body }) => {
      const found = await knowledge.readBase(actor, params.id);
      return await knowledge.updateBase(actor, found.id, defined(body));
    },
  );
  define(
    api,
    parts,
    {
      method: "delete",
      path: "/bases/{id}",
      id: "removeBase",
      tag,
      summary: "Remove a knowledge base with everything in it",
      zh: "删除知识库及其全部内容",
      params: byId,
    },
    async ({ actor, params }) => {
      const found = await knowledge.readBase(actor, params.id);
      await knowledge.removeBase(actor, found.id);
    },
  );
  searchRoutes(api, parts);
  uploadRoutes(api, parts);
  wordRoutes(api, parts);
  careRoutes(api, parts);
}

function searchRoutes(api: Api, parts: ServerParts): void {
  const { knowledge } = parts.services;
  define(
    api,
    parts,
    {
      method: "post",
      path: "/samples",
      id: "addSamples",
      tag,
      summary: "Add the sample documents that come with the box",
      zh: "添加星匣自带的示例文档",
      output: base,
      status: 201,
    },
    async ({ actor }) => await knowledge.addSamples(actor),
  );
  define(
    api,
    parts,
    {
      method: "post",
      path: "/bases/{id}/search",
      id: "search",
      asks: true,
      tag,
      summary: "Search: by words and meaning, with the rank of each hit in both lists",
      zh: "检索：按词和按义，附每条结果在两个列表中的名次",
      description:
        "The same path as chat, OpenAI endpoints and the command line. start and end are half-open UTF-16 offsets into the document's extracted text; text is that slice.",
      params: byId,
      body: searchBody,
      output: searchResult,
    },
    async ({ actor, params, body, signal }) => {
      const found = await knowledge.readBase(actor, params.id);
      const { filter, ...rest } = body;
      return await knowledge.search(actor, found.id, { ...defined(rest), ...(filter === undefined ? {} : { filter: defined(filter) }), signal });
    },
  );
}

function wordRoutes(api: Api, parts: ServerParts): void {
  const { knowledge } = parts.services;
  define(
    api,
    parts,
    {
      method: "get",
      path: "/bases/{id}/dictionary",
      id: "readDictionary",
      tag,
      summary: "Words of the house and synonym groups",
      zh: "专用词和同义词组",
      params: byId,
      output: dictionary,
    },
    async ({ actor, params }) => {
      const found = await knowledge.readBase(actor, params.id);
      return await knowledge.readDictionary(actor, found.id);
    },
  );
  define(
    api,
    parts,
    {
      method: "put",
      path: "/bases/{id}/dictionary",
      id: "writeDictionary",
      tag,
      summary: "Replace the dictionary",
      zh: "替换词典",
      params: byId,
      body: dictionary,
    },
    async ({ actor, params, body }) => {
      const found = await knowledge.readBase(actor, params.id);
      await knowledge.writeDictionary(actor, found.id, body);
    },
  );
}

function careRoutes(api: Api, parts: ServerParts): void {
  const { knowledge } = parts.services;
  define(
    api,
    parts,
    {
      method: "get",
      path: "/bases/{id}/curated",
      id: "listCurated",
      tag,
      summary: "Fixed answers, given word for word when their question is asked",
      zh: "固定答案：问到该问题时原样回答",
      params: byId,
      output: items(curated),
    },
    async ({ actor, params }) => {
      const found = await knowledge.readBase(actor, params.id);
      return { items: await knowledge.listCurated(actor, found.id) };
    },
  );
  define(
    api,
    parts,
    {
      method: "post",
      path: "/bases/{id}/curated",
      id: "writeCurated",
      tag,
      summary: "Add a fixed answer, or change one (with its id)",
      zh: "添加固定答案，或修改已有的（带 id）",
      params: byId,
      body: newCurated,
      output: curated,
      status: 201,
    },
    async ({ actor, params, body }) => {
      const found = await knowledge.readBase(actor, params.id);
      return await knowledge.writeCurated(actor, found.id, defined(body));
    },
  );
  define(
    api,
    parts,
    { method: "delete", path: "/curated/{id}", id: "removeCurated", tag, summary: "Remove a fixed answer", zh: "删除固定答案", params: bySubId },
    async ({ actor, params }) => {
      await knowledge.removeCurated(actor, params.id);
    },
  );
  define(
    api,
    parts,
    {
      method: "post",
      path: "/curated/{id}/approve",
      id: "approveCurated",
      tag,
      summary: "Approve a fixed answer, so that it is given",
      zh: "批准固定答案，批准后才会使用",
      params: bySubId,
    },
    async ({ actor, params }) => {
      await knowledge.approveCurated(actor, params.id);
    },
  );
  define(
    api,
    parts,
    {
      method: "get",
      path: "/bases/{id}/gaps",
      id: "listGaps",
      tag,
      summary: "Questions that got no answer, grouped by likeness",
      zh: "没能回答的问题，按相似归组",
      params: byId,
      output: items(gap),
    },
    async ({ actor, params }) => {
      const found = await knowledge.readBase(actor, params.id);
      return { items: await knowledge.listGaps(actor, found.id) };
    },
  );
  define(
    api,
    parts,
    {
      method: "post",
      path: "/gaps/{id}/resolve",
      id: "resolveGap",
      tag,
      summary: "Mark a gap as closed",
      zh: "把一个知识缺口标记为已解决",
      params: bySubId,
    },
    async ({ actor, params }) => {
      await knowledge.resolveGap(actor, params.id);
    },
  );
}
