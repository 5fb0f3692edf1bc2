/** @file Chat pages: made by administrators, asked by anybody who has the link. Strangers are counted by address and by page. */
import { z } from "@hono/zod-openapi";
import { StarboxError } from "#base";
import { defined } from "../../body.ts";
import { readCredentials, type ServerParts } from "../../context.ts";
import { presentError, readError } from "../../errors.ts";
import { createRate } from "../../rate.ts";
import { refuseCrossSite } from "../../security.ts";
import { dataEvent, eventStream, requestSignal } from "../../sse.ts";
import { type Api, define, items, list } from "../define.ts";

const tag = "pages";
const byId = z.object({ id: z.string().max(64) });
const input = z
  .object({
    name: z.string().min(1).max(100),
    greeting: z.string().max(2000),
    kbIds: z.array(z.string()).min(1).max(50),
    origins: z.array(z.string().max(200)).max(50),
    enabled: z.boolean(),
  })
  .strict();
const page = input
  .extend({ id: z.string(), kbIds: list(z.string()), origins: list(z.string()), createdBy: z.string().nullable(), createdAt: z.string() })
  .openapi("Page");
const notThere = (): StarboxError => new StarboxError("not_found", "There is no such page.", { zh: { message: "没有这个页面。" } });

const minute = 60_000;

export function pageRoutes(api: Api, parts: ServerParts): void {
  const { pages } = parts.services;
  const access = "administrator" as const;
  define(
    api,
    parts,
    {
      method: "get",
      path: "/pages",
      id: "listPages",
      tag,
      summary: "Chat pages behind a link or in a frame",
      zh: "可嵌入或用链接访问的问答页",
      access,
      output: items(page),
    },
    async ({ actor }) => ({ items: await pages.list(actor) }),
  );
  define(
    api,
    parts,
    {
      method: "post",
      path: "/pages",
      id: "createPage",
      tag,
      summary: "Make a page",
      zh: "新建问答页",
      access,
      body: input,
      output: page,
      status: 201,
    },
    async ({ actor, body }) => await pages.create(actor, body),
  );
  define(
    api,
    parts,
    {
      method: "patch",
      path: "/pages/{id}",
      id: "updatePage",
      tag,
      summary: "Change a page",
      zh: "修改问答页",
      access,
      params: byId,
      body: input.partial().strict(),
      output: page,
    },
    async ({ actor, params, body }) => await pages.update(actor, params.id, defined(body)),
  );
  define(
    api,
    parts,
    {
      method: "delete",
      path: "/pages/{id}",
      id: "removePage",
      tag,
      summary: "Remove a page; its link is dead at once",
      zh: "删除问答页，链接立即失效",
      access,
      params: byId,
    },
    async ({ actor, params }) => {
      await pages.remove(actor, params.id);
    },
  );
  strangers(api, parts);
}

function strangers(api: Api, parts: ServerParts): void {
  const { pages } = parts.services;
  const byAddress = createRate(12, minute);
  const byPage = createRate(120, minute);
  define(
    api,
    parts,
    {
      method: "get",
      path: "/p/{id}",
      id: "openPage",
      tag,
      summary: "What a page says before the first question",
      zh: "问答页的标题与问候语",
      access: "anyone",
      params: byId,
      output: z.object({ name: z.string(), greeting: z.string() }),
    },
    async ({ params }) => {
      const found = await pages.open(params.id);
      if (found === null) throw notThere();
      return { name: found.name, greeting: found.greeting };
    },
  );
  define(
    api,
    parts,
    {
      method: "post",
      path: "/p/{id}/ask",
      id: "askPage",
      tag,
      summary: "Ask on a page, from the page itself",
      zh: "在问答页上提问",
      access: "anyone",
      params: byId,
      body: z.object({ question: z.string().min(1).max(2000) }).strict(),
      maxBodyBytes: 16 << 10,
      media: { type: "text/event-stream", description: "text-delta, citation, finish" },
    },
    async ({ c, params, body, signal: outer }) => {
      refuseCrossSite(c, parts, true);
      if ((await pages.open(params.id)) === null) throw notThere();
      byAddress(readCredentials(c).address);
      byPage(params.id);
      const { signal, abort } = requestSignal(outer);
      return eventStream({
        source: told(pages.ask(params.id, body.question, signal)),
        leave: abort,
        failed: (error) => dataEvent({ type: "error", ...presentError(readError(error, parts.logger, "page")) }),
      });
    },
  );
}

type Parts = ReturnType<ServerParts["services"]["pages"]["ask"]>;

/** Only what the page shows: words and the names of sources; no ids, no passages that were merely found. */
async function* told(parts: Parts): AsyncIterable<string> {
  for await (const part of parts) {
    if (part.type === "text-delta") yield dataEvent(part);
    else if (part.type === "finish") {
      const sources = part.answer.citations.map(({ marker, document, page: number, quote }) => ({ marker, document, page: number, quote }));
      yield dataEvent({ type: "finish", text: part.answer.text, refused: part.answer.refused, sources });
    }
  }
}
