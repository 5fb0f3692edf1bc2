/** @file Wire shapes of backups, storage and updates. */
import { z } from "@hono/zod-openapi";
import { list } from "../define.ts";

const model = z.object({ id: z.string(), sha256: z.string(), sizeBytes: z.number(), source: z.string() });
export const backup = z
  .object({
    id: z.string(),
    at: z.string(),
    version: z.string(),
    schema: z.number(),
    files: z.number(),
    sizeBytes: z.number().openapi({ description: "What a restore writes." }),
    storedBytes: z.number().openapi({ description: "What this backup added to the folder; the rest was there." }),
    seconds: z.number(),
    encrypted: z.boolean(),
    models: list(model),
    withModels: z.boolean(),
  })
  .openapi("Backup");
export const rehearsal = z
  .object({
    backupId: z.string(),
    at: z.string(),
    ok: z.boolean(),
    seconds: z.number(),
    checks: list(z.object({ name: z.string(), ok: z.boolean(), found: z.string() })),
  })
  .openapi("Rehearsal");
const count = z.number().int().min(0).max(1000);
const schedule = z.object({
  enabled: z.boolean(),
  at: z
    .string()
    .regex(/^([01]\d|2[0-3]):[0-5]\d$/)
    .openapi({ description: "Local time, HH:MM.", example: "02:30" }),
  keepDaily: count,
  keepWeekly: count,
  keepMonthly: count,
  rehearse: z.boolean(),
});
export const schedulePatch = schedule.partial().strict();
export const state = z
  .object({
    folder: z.string(),
    encrypted: z.boolean(),
    sameDisk: z.boolean(),
    schedule,
    nextAt: z.string().nullable(),
    running: z.boolean(),
    last: z.object({ at: z.string(), backupId: z.string().nullable(), error: z.string().nullable() }).nullable(),
    rehearsal: rehearsal.nullable(),
  })
  .openapi("BackupState");
export const storage = z
  .object({
    level: z.enum(["ok", "low", "full"]),
    freeBytes: z.number(),
    totalBytes: z.number(),
    warnBelowBytes: z.number(),
    refuseBelowBytes: z.number(),
    parts: list(z.object({ name: z.string(), bytes: z.number() })),
  })
  .openapi("Storage");
export const updates = z
  .object({
    version: z.string(),
    commit: z.string().nullable(),
    schema: z.number(),
    kept: list(z.object({ file: z.string(), schema: z.number(), at: z.string(), sizeBytes: z.number() })),
  })
  .openapi("Updates");
