/** @file Wire shapes of API keys. */
import { z } from "@hono/zod-openapi";
import { list } from "../define.ts";

const access = z.enum(["read", "write"]);
export const apiKey = z
  .object({
    id: z.string(),
    name: z.string(),
    prefix: z.string().openapi({ description: "The first characters, to tell keys apart." }),
    personId: z.string().nullable(),
    teamId: z.string().nullable().openapi({ description: "A team's key does what the team may; with neither person nor team it is the box's own." }),
    models: list(z.string()).nullable().openapi({ description: "null: every model." }),
    bases: list(z.string()).nullable().openapi({ description: "Ids of knowledge bases; null: all that its owner may use." }),
    access,
    createdAt: z.string(),
    lastUsedAt: z.string().nullable(),
    expiresAt: z.string().nullable(),
    rotatedAt: z.string().nullable(),
    revokedAt: z.string().nullable(),
    formerUntil: z.string().nullable().openapi({ description: "Until when the key from before the last rotation still works." }),
  })
  .openapi("ApiKey");
export const newApiKey = apiKey.extend({ key: z.string().openapi({ description: "Shown only now." }) }).openapi("NewApiKey");

export const keyName = z.string().trim().min(1).max(100);
export const scope = {
  models: z.array(z.string().max(200)).max(100).nullable().optional(),
  bases: z.array(z.string().max(100)).max(1000).nullable().optional(),
  access: access.optional(),
  expiresAt: z.iso.datetime({ offset: true }).nullable().optional(),
};
