/** @file Models: the catalogue and what is on this box. */
import { z } from "@hono/zod-openapi";
import type { ServerParts } from "../../context.ts";
import { type Api, define, items, list } from "../define.ts";

const tag = "models";
const byId = z.object({ id: z.string() });
const model = z
  .object({
    id: z.string(),
    kind: z.enum(["language", "embedding", "reranker"]),
    state: z.enum(["available", "pulling", "ready", "loaded", "failed"]),
    sizeBytes: z.number().nullable(),
    sha256: z.string().nullable(),
    memoryBytes: z.number().nullable(),
    sources: list(z.string()),
    engine: z.string(),
    licence: z.string(),
    languages: list(z.string()),
    quantisation: z.string().nullable(),
    contextTokens: z.number().nullable(),
    isDefault: z.boolean(),
    progress: z
      .object({
        receivedBytes: z.number(),
        totalBytes: z.number().nullable(),
        bytesPerSecond: z.number(),
        etaSeconds: z.number().nullable(),
        source: z.string(),
      })
      .optional(),
    error: z.object({ code: z.string(), message: z.string(), hint: z.string().optional() }).optional(),
  })
  .openapi("Model");
const verified = z.object({ id: z.string(), ok: z.boolean(), expected: z.string().nullable(), found: z.string().nullable() }).openapi("Verification");

export function modelRoutes(api: Api, parts: ServerParts): void {
  const { models } = parts.services;
  define(
    api,
    parts,
    {
      method: "get",
      path: "/models",
      id: "listModels",
      tag,
      summary: "Every model of the catalogue and of this box",
      zh: "目录中和本机上的全部模型",
      output: items(model),
    },
    async () => ({ items: await models.list() }),
  );
  define(
    api,
    parts,
    {
      method: "post",
      path: "/models/import",
      id: "importModel",
      tag,
      summary: "Take a GGUF file from the box's disk or a USB disk",
      zh: "从本机磁盘或 U 盘导入 GGUF 文件",
      access: "administrator",
      body: z.object({ path: z.string().min(1).max(4096), id: z.string().min(1).max(200).optional() }),
      output: model,
      status: 201,
    },
    async ({ body }) => await models.import(body.path, body.id),
  );
  define(
    api,
    parts,
    {
      method: "post",
      path: "/models/{id}/pull",
      id: "pullModel",
      tag,
      summary: "Start (or join) pulling a model; progress is in the list",
      zh: "开始（或加入）下载模型，进度见列表",
      access: "administrator",
      params: byId,
      output: model,
      status: 202,
    },
    async ({ params }) => await models.pull(params.id),
  );
  define(
    api,
    parts,
    {
      method: "post",
      path: "/models/{id}/cancel",
      id: "cancelPull",
      tag,
      summary: "Stop pulling; what came is kept",
      zh: "停止下载，已收到的部分保留",
      access: "administrator",
      params: byId,
    },
    async ({ params }) => {
      await models.cancelPull(params.id);
    },
  );
  fileRoutes(api, parts);
}

function fileRoutes(api: Api, parts: ServerParts): void {
  const { models } = parts.services;
  define(
    api,
    parts,
    {
      method: "post",
      path: "/models/{id}/verify",
      id: "verifyModel",
      tag,
      summary: "Hash a model's file and compare",
      zh: "计算模型文件的哈希并比对",
      access: "administrator",
      params: byId,
      output: verified,
    },
    async ({ params }) => await models.verify(params.id),
  );
  define(
    api,
    parts,
    {
      method: "delete",
      path: "/models/{id}",
      id: "removeModel",
      tag,
      summary: "Remove a model's file; refused while in use",
      zh: "删除模型文件，使用中则拒绝",
      access: "administrator",
      params: byId,
    },
    async ({ params }) => {
      await models.remove(params.id);
    },
  );
}
