/** @file Chunks by hand: correct the text, split, merge. */
import { z } from "@hono/zod-openapi";
import type { ServerParts } from "../../context.ts";
import { type Api, define, items } from "../define.ts";
import { chunk } from "../documents/schema.ts";

const tag = "documents";
const byId = z.object({ id: z.coerce.number().int().min(1) });

export function chunkRoutes(api: Api, parts: ServerParts): void {
  const { knowledge } = parts.services;
  define(
    api,
    parts,
    {
      method: "patch",
      path: "/chunks/{id}",
      id: "updateChunk",
      tag,
      summary: "Correct a chunk's text for search",
      zh: "修正片段的检索文本",
      params: byId,
      body: z.object({ text: z.string().min(1).max(100_000) }),
      output: chunk,
    },
    async ({ actor, params, body }) => await knowledge.updateChunk(actor, params.id, body),
  );
  define(
    api,
    parts,
    {
      method: "post",
      path: "/chunks/{id}/split",
      id: "splitChunk",
      tag,
      summary: "Split a chunk in two",
      zh: "把一个片段拆成两个",
      params: byId,
      body: z.object({ at: z.number().int().min(1).openapi({ description: "Offset inside the chunk's text." }) }),
      output: items(chunk),
    },
    async ({ actor, params, body }) => ({ items: await knowledge.splitChunk(actor, params.id, body.at) }),
  );
  define(
    api,
    parts,
    {
      method: "post",
      path: "/chunks/{id}/merge",
      id: "mergeChunk",
      tag,
      summary: "Join a chunk with the next one",
      zh: "与下一个片段合并",
      params: byId,
      output: chunk,
    },
    async ({ actor, params }) => await knowledge.mergeChunk(actor, params.id),
  );
}
