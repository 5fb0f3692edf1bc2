/** @file Wire shapes of masks, retention, holds and erasures. */
import { z } from "@hono/zod-openapi";
import { list } from "../define.ts";

const kind = z.enum(["mobile", "identity", "bankCard", "email", "word"]);
const words = z.array(z.string().trim().min(1).max(100)).max(10_000);
export const masks = z
  .object({ input: list(kind), output: list(kind), stored: list(kind), onInput: z.enum(["mask", "refuse"]), words: list(z.string()) })
  .openapi("MaskPolicy");
export const masksPatch = z
  .object({ input: z.array(kind), output: z.array(kind), stored: z.array(kind), onInput: z.enum(["mask", "refuse"]), words })
  .partial();
const days = z.number().int().min(1).max(36_500).nullable();
const periods = { historyDays: days, uploadsDays: days, logsDays: days, auditDays: days, usageDays: days };
export const retention = z.object(periods).openapi("RetentionPolicy");
export const retentionPatch = z.object(periods).partial();
export const retentionReport = z
  .object({
    at: z.string(),
    removed: z.object({
      chats: z.number(),
      answers: z.number(),
      gaps: z.number(),
      documents: z.number(),
      logLines: z.number(),
      auditRows: z.number(),
      usageRows: z.number(),
    }),
    held: z.number().openapi({ description: "Due, but kept by a hold." }),
  })
  .openapi("RetentionReport");
export const holdKind = z.enum(["everything", "person", "base", "document", "chat"]);
export const hold = z
  .object({ id: z.string(), kind: holdKind, subject: z.string(), reason: z.string(), createdAt: z.string(), releasedAt: z.string().nullable() })
  .openapi("Hold");
export const erasure = z
  .object({
    id: z.string(),
    at: z.string(),
    erased: z.record(z.string(), z.number()).readonly().openapi({ description: "Rows by table; logs: lines." }),
    kept: list(z.object({ what: z.string(), count: z.number(), why: z.string(), zh: z.string() })),
    traces: list(z.string()).openapi({ description: "Where a trace was still found afterwards: empty when all is gone." }),
  })
  .openapi("ErasureReport");
