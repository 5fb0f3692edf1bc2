/** @file Usage by day, person, team, key and model; quotas. */
import { z } from "@hono/zod-openapi";
import { defined } from "../../body.ts";
import type { ServerParts } from "../../context.ts";
import { type Api, define, items } from "../define.ts";

const tag = "usage";
const group = z.enum(["day", "person", "team", "key", "model"]);
const day = z.iso.date("expected a day, YYYY-MM-DD");
const query = z.object({
  by: z
    .string()
    .transform((text) => text.split(",").filter((part) => part !== ""))
    .pipe(z.array(group).max(5))
    .optional()
    .openapi({ type: "string", description: "Comma-separated: day, person, team, key, model.", example: "day,model" }),
  from: day.optional(),
  to: day.optional(),
  personId: z.string().optional(),
  teamId: z.string().optional(),
  keyId: z.string().optional(),
  model: z.string().optional(),
});
const usage = z
  .object({
    day: z.string().nullable(),
    personId: z.string().nullable(),
    teamId: z.string().nullable(),
    keyId: z.string().nullable(),
    model: z.string().nullable(),
    requests: z.number(),
    calls: z.number().openapi({ description: "Calls of a model; one request may need none, one or several." }),
    promptTokens: z.number(),
    completionTokens: z.number(),
    cachedTokens: z.number(),
  })
  .openapi("Usage");
const limit = z.number().int().min(0).nullable();
const kind = z.enum(["everyone", "person", "team", "key"]);
const limits = {
  requestsPerMinute: limit,
  requestsPerDay: limit,
  tokensPerMinute: limit,
  tokensPerDay: limit,
  tokensPerMonth: limit,
  concurrent: limit.openapi({ description: "Requests at the same time." }),
};
const quota = z.object({ kind, subject: z.string(), ...limits, updatedAt: z.string() }).openapi("Quota");

export function usageRoutes(api: Api, parts: ServerParts): void {
  const { usage: service } = parts.services;
  define(
    api,
    parts,
    {
      method: "get",
      path: "/usage",
      id: "readUsage",
      tag,
      summary: "Requests and tokens, as the engine counted them",
      zh: "请求数与词元数，以引擎的计数为准",
      description: "Days are those of the box's own clock. Others than administrators see their own.",
      query,
      output: items(usage),
    },
    async ({ actor, query }) => ({ items: await service.sum(actor, defined(query)) }),
  );
  define(
    api,
    parts,
    {
      method: "get",
      path: "/usage.csv",
      id: "exportUsage",
      tag,
      summary: "The same as CSV, by day, person, key and model unless asked otherwise",
      zh: "以 CSV 导出用量，默认按日期、人员、密钥和模型汇总",
      query,
      media: { type: "text/csv", description: "A header line, then one line a sum; UTF-8 with a byte order mark." },
    },
    async ({ actor, query, c }) =>
      c.body(await service.csv(actor, defined(query)), 200, {
        "content-type": "text/csv; charset=utf-8",
        "content-disposition": 'attachment; filename="starbox-usage.csv"',
      }),
  );
  define(
    api,
    parts,
    { method: "get", path: "/quotas", id: "listQuotas", tag, summary: "Quotas that hold", zh: "列出配额", output: items(quota) },
    async ({ actor }) => ({ items: await service.listQuotas(actor) }),
  );
  define(
    api,
    parts,
    {
      method: "put",
      path: "/quotas",
      id: "writeQuota",
      tag,
      summary: "Set a quota; limits left out are none, and without any the quota goes",
      zh: "设置配额；未给出的项不限，全部不给则取消配额",
      access: "administrator",
      body: z
        .object({ kind, subject: z.string().max(100).default("").openapi({ description: "Id of the person, team or key; empty for everyone." }) })
        .extend(z.object(limits).partial().shape),
      output: quota,
    },
    async ({ actor, body }) => await service.writeQuota(actor, defined(body)),
  );
}
