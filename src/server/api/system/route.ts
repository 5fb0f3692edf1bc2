/** @file The box itself: readiness, machine, jobs, and events when something changes. */
import { z } from "@hono/zod-openapi";
import { defined } from "../../body.ts";
import type { ServerParts } from "../../context.ts";
import { readError } from "../../errors.ts";
import { eventStream, namedEvent, requestSignal } from "../../sse.ts";
import { type Api, define, items, list } from "../define.ts";
import { errorRecord } from "../documents/schema.ts";
import { changes } from "./changes.ts";

const tag = "system";
const byId = z.object({ id: z.string() });
const ready = z
  .object({
    ready: z.boolean(),
    missing: list(z.object({ what: z.enum(["language-model", "embedder", "database"]), detail: z.string(), etaSeconds: z.number().nullable() })),
  })
  .openapi("Ready");
const info = z
  .object({
    version: z.string(),
    commit: z.string().nullable(),
    uptimeSeconds: z.number(),
    machine: z.object({
      cpu: z.string(),
      cores: z.number(),
      memoryBytes: z.number(),
      freeMemoryBytes: z.number(),
      platform: z.string(),
      gpu: z.string().nullable(),
    }),
    disk: z.object({ totalBytes: z.number(), freeBytes: z.number(), dataBytes: z.number() }),
    processes: list(z.object({ name: z.string(), pid: z.number(), residentBytes: z.number() })),
    queue: list(z.object({ model: z.string(), running: z.number(), waiting: z.number(), limit: z.number() })),
    jobs: z.object({ running: z.number(), queued: z.number(), failed: z.number() }),
    dataFolder: z.string(),
  })
  .openapi("System");
const check = z
  .object({
    name: z.string(),
    ok: z.boolean(),
    found: z.string(),
    hint: z.string(),
    zh: z.object({ name: z.string(), found: z.string(), hint: z.string() }),
  })
  .openapi("Check");
const job = z
  .object({
    id: z.string(),
    kind: z.enum(["ingest", "embed", "reembed", "pull", "purge"]),
    subject: z.string(),
    kbId: z.string().nullable(),
    state: z.enum(["queued", "running", "done", "failed", "cancelled"]),
    progress: z.object({ done: z.number(), total: z.number().nullable(), unit: z.string(), etaSeconds: z.number().nullable() }),
    attempts: z.number(),
    error: errorRecord.nullable(),
    createdAt: z.string(),
    updatedAt: z.string(),
  })
  .openapi("Job");

export function systemRoutes(api: Api, parts: ServerParts): void {
  const { system } = parts.services;
  define(
    api,
    parts,
    {
      method: "get",
      path: "/system/ready",
      id: "readReady",
      tag,
      summary: "What is still missing until everything works",
      zh: "距离全部可用还缺什么",
      output: ready,
    },
    async () => await system.ready(),
  );
  define(
    api,
    parts,
    {
      method: "get",
      path: "/system",
      id: "readSystem",
      tag,
      summary: "Machine, memory, disk, processes, queue",
      zh: "机器、内存、磁盘、进程、队列",
      access: "administrator",
      output: info,
    },
    async () => await system.info(),
  );
  define(
    api,
    parts,
    {
      method: "get",
      path: "/system/doctor",
      id: "doctor",
      tag,
      summary: "What works, what does not, what to do",
      zh: "哪些正常、哪些不正常、该怎么办",
      access: "administrator",
      output: items(check),
    },
    async () => ({ items: await system.doctor() }),
  );
  jobRoutes(api, parts);
}

function jobRoutes(api: Api, parts: ServerParts): void {
  const { system } = parts.services;
  define(
    api,
    parts,
    {
      method: "get",
      path: "/jobs",
      id: "listJobs",
      tag,
      summary: "Long work: progress, estimate, reason when it failed",
      zh: "长任务：进度、预计时间、失败原因",
      query: z.object({ state: z.string().max(20).optional(), limit: z.coerce.number().int().min(1).max(1000).optional() }),
      output: items(job),
    },
    async ({ actor, query }) => ({ items: await system.listJobs(actor, defined(query)) }),
  );
  define(
    api,
    parts,
    { method: "post", path: "/jobs/{id}/cancel", id: "cancelJob", tag, summary: "Stop a job", zh: "停止任务", params: byId },
    async ({ actor, params }) => {
      await system.cancelJob(actor, params.id);
    },
  );
  define(
    api,
    parts,
    { method: "post", path: "/jobs/{id}/retry", id: "retryJob", tag, summary: "Try a failed job again", zh: "重试失败的任务", params: byId },
    async ({ actor, params }) => {
      await system.retryJob(actor, params.id);
    },
  );
  define(
    api,
    parts,
    {
      method: "get",
      path: "/events",
      id: "readEvents",
      tag,
      summary: "What changes, as server-sent events",
      zh: "有变化时推送的服务器事件",
      description: "Events jobs, models and bases each carry the whole list ({items}) when it has changed, and once at the start.",
      media: { type: "text/event-stream", description: "event: jobs | models | bases" },
    },
    async ({ actor, signal: outer }) => {
      const { signal, abort } = requestSignal(outer);
      return eventStream({
        source: changes(parts.services, actor, signal),
        leave: abort,
        failed: (error) => namedEvent("error", { error: readError(error, parts.logger, "events") }),
      });
    },
  );
}
