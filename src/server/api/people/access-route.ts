/** @file Who may read and write what: the lists of bases, folders and files. */
import { z } from "@hono/zod-openapi";
import type { ServerParts } from "../../context.ts";
import { type Api, define, items } from "../define.ts";
import { accessEntries, accessList, directory } from "./schema.ts";

const tag = "permissions";
const byId = z.object({ id: z.string() });

export function accessRoutes(api: Api, parts: ServerParts): void {
  const { people } = parts.services;
  define(
    api,
    parts,
    {
      method: "get",
      path: "/directory",
      id: "readDirectory",
      tag,
      summary: "Names of people and teams, for whoever shares",
      zh: "供共享时选择的成员和团队名单",
      description: "For administrators and knowledge owners.",
      output: directory,
    },
    async ({ actor }) => await people.readDirectory(actor),
  );
  define(
    api,
    parts,
    {
      method: "get",
      path: "/bases/{id}/access",
      id: "listAccess",
      tag,
      summary: "Every list of a base: its own, then those of folders and files",
      zh: "知识库及其文件夹、文件的全部权限",
      description: "For those who manage the base.",
      params: byId,
      output: items(accessList),
    },
    async ({ actor, params }) => ({ items: await people.listAccess(actor, params.id) }),
  );
  define(
    api,
    parts,
    {
      method: "put",
      path: "/bases/{id}/access",
      id: "writeAccess",
      tag,
      summary: "Set the list of a base, folder or file; holds for the next request",
      zh: "设置知识库、文件夹或文件的权限，对下一个请求立即生效",
      description:
        "A folder's or file's list narrows: one needs the level on it and on every list above. An empty list leaves those who manage the base.",
      params: byId,
      body: accessEntries,
      output: accessList,
    },
    async ({ actor, params, body }) => await people.writeAccess(actor, params.id, body.path, body.entries),
  );
  define(
    api,
    parts,
    {
      method: "delete",
      path: "/bases/{id}/access",
      id: "removeAccess",
      tag,
      summary: "Let a folder or file inherit again",
      zh: "让文件夹或文件重新沿用上级权限",
      params: byId,
      query: z.object({ path: z.string().min(1).max(1000) }),
    },
    async ({ actor, params, query }) => {
      await people.removeAccess(actor, params.id, query.path);
    },
  );
}
