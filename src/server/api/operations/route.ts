/** @file Backups, storage, updates: for administrators. Restoring is done on the machine itself, with the box stopped. */
import { z } from "@hono/zod-openapi";
import { defined } from "../../body.ts";
import type { ServerParts } from "../../context.ts";
import { type Api, define, items } from "../define.ts";
import { backup, rehearsal, schedulePatch, state, storage, updates } from "./schema.ts";

const tag = "operations";
const byId = z.object({ id: z.string().max(100) });
const access = "administrator" as const;

export function operationRoutes(api: Api, parts: ServerParts): void {
  const { operations } = parts.services;
  define(
    api,
    parts,
    {
      method: "get",
      path: "/backups",
      id: "listBackups",
      tag,
      summary: "Backups, newest first",
      zh: "备份列表，新的在前",
      access,
      output: items(backup),
    },
    async () => ({ items: await operations.listBackups() }),
  );
  define(
    api,
    parts,
    {
      method: "post",
      path: "/backups",
      id: "createBackup",
      tag,
      summary: "Back up now, while the box serves",
      zh: "立即备份（不中断服务）",
      access,
      body: z.object({ withModels: z.boolean().optional() }).strict(),
      output: backup,
      status: 201,
    },
    async ({ body }) => await operations.backup(defined(body)),
  );
  define(
    api,
    parts,
    {
      method: "get",
      path: "/backups/state",
      id: "readBackupState",
      tag,
      summary: "Schedule, last night, last rehearsal",
      zh: "计划、上次备份与恢复演练的结果",
      access,
      output: state,
    },
    async () => await operations.readState(),
  );
  define(
    api,
    parts,
    {
      method: "patch",
      path: "/backups/state",
      id: "updateBackupSchedule",
      tag,
      summary: "Change the nightly schedule",
      zh: "修改每晚备份计划",
      access,
      body: schedulePatch,
      output: state,
    },
    async ({ body }) => await operations.writeSchedule(defined(body)),
  );
  define(
    api,
    parts,
    { method: "delete", path: "/backups/{id}", id: "removeBackup", tag, summary: "Remove a backup", zh: "删除备份", access, params: byId },
    async ({ params }) => {
      await operations.removeBackup(params.id);
    },
  );
  define(
    api,
    parts,
    {
      method: "post",
      path: "/backups/{id}/rehearsal",
      id: "rehearseRestore",
      tag,
      summary: "Restore it into a folder of its own, check it, remove it; `newest` is an id too",
      zh: "演练恢复：恢复到临时文件夹并检查；id 可用 newest",
      access,
      params: byId,
      output: rehearsal,
    },
    async ({ params }) => await operations.rehearse(params.id === "newest" ? undefined : params.id),
  );
  define(
    api,
    parts,
    {
      method: "get",
      path: "/system/storage",
      id: "readStorage",
      tag,
      summary: "Disk: free, limits, what takes room",
      zh: "磁盘：剩余、界限与占用",
      access,
      output: storage,
    },
    async () => await operations.storage(),
  );
  define(
    api,
    parts,
    {
      method: "get",
      path: "/system/updates",
      id: "readUpdates",
      tag,
      summary: "Version, schema, copies kept by upgrades",
      zh: "版本、数据结构与升级副本",
      access,
      output: updates,
    },
    async () => await operations.updates(),
  );
}
