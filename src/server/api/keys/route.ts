/** @file API keys: made, limited, rotated, revoked. */
import { z } from "@hono/zod-openapi";
import { defined } from "../../body.ts";
import type { ServerParts } from "../../context.ts";
import { type Api, define, items } from "../define.ts";
import { apiKey, keyName, newApiKey, scope } from "./schema.ts";

const tag = "keys";
const byId = z.object({ id: z.string() });

export function keyRoutes(api: Api, parts: ServerParts): void {
  const { keys } = parts.services;
  define(
    api,
    parts,
    {
      method: "get",
      path: "/keys",
      id: "listKeys",
      tag,
      summary: "List API keys: one's own; an administrator sees all",
      zh: "列出 API 密钥：自己的；管理员可见全部",
      output: items(apiKey),
    },
    async ({ actor }) => ({ items: await keys.list(actor) }),
  );
  define(
    api,
    parts,
    {
      method: "post",
      path: "/keys",
      id: "createKey",
      tag,
      summary: "Make an API key; it is shown this once",
      zh: "创建 API 密钥，只显示这一次",
      description:
        "For oneself; an administrator also for another person or a team. models and bases limit it, access read lets it ask and read only.",
      body: z
        .object({ name: keyName, personId: z.string().optional(), teamId: z.string().optional(), ...scope })
        .refine((body) => body.personId === undefined || body.teamId === undefined, "expected personId or teamId, not both"),
      output: newApiKey,
      status: 201,
    },
    async ({ actor, body }) => await keys.create(actor, defined(body)),
  );
  define(
    api,
    parts,
    {
      method: "patch",
      path: "/keys/{id}",
      id: "updateKey",
      tag,
      summary: "Change a key's name, limits or expiry",
      zh: "修改密钥的名称、权限范围或到期时间",
      params: byId,
      body: z.object({ name: keyName.optional(), ...scope }),
      output: apiKey,
    },
    async ({ actor, params, body }) => await keys.update(actor, params.id, defined(body)),
  );
  define(
    api,
    parts,
    {
      method: "post",
      path: "/keys/{id}/rotate",
      id: "rotateKey",
      tag,
      summary: "A new key in the place of the old one, which works on for a while",
      zh: "更换密钥，旧密钥在宽限期内仍然有效",
      description: "Name, limits, quotas and usage stay. graceSeconds 0 ends the old key at once; left out: a day.",
      params: byId,
      body: z.object({ graceSeconds: z.number().int().min(0).max(31_536_000).optional() }),
      output: newApiKey,
    },
    async ({ actor, params, body }) => await keys.rotate(actor, params.id, defined(body)),
  );
  define(
    api,
    parts,
    {
      method: "delete",
      path: "/keys/{id}",
      id: "revokeKey",
      tag,
      summary: "Revoke an API key; it stops working at once, former ones included",
      zh: "吊销 API 密钥，立即失效（包括更换前的旧密钥）",
      params: byId,
    },
    async ({ actor, params }) => {
      await keys.revoke(actor, params.id);
    },
  );
}
