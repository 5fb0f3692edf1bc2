/** @file Chats: turns, asking with a stream, rating and correcting. */
import { z } from "@hono/zod-openapi";
import type { ChatPart } from "#contracts";
import { defined } from "../../body.ts";
import type { ServerParts } from "../../context.ts";
import { readError } from "../../errors.ts";
import { dataEvent, eventStream, requestSignal } from "../../sse.ts";
import { type Api, define, items } from "../define.ts";
import { chat, turn } from "./schema.ts";

const tag = "chats";
const byId = z.object({ id: z.string() });
const kbIds = z.array(z.string()).max(50);

export function chatRoutes(api: Api, parts: ServerParts): void {
  const { chats } = parts.services;
  define(
    api,
    parts,
    {
      method: "get",
      path: "/chats",
      id: "listChats",
      tag,
      summary: "One's own chats, newest first",
      zh: "自己的对话，最新在前",
      output: items(chat),
    },
    async ({ actor }) => ({ items: await chats.listChats(actor) }),
  );
  define(
    api,
    parts,
    {
      method: "post",
      path: "/chats",
      id: "createChat",
      asks: true,
      tag,
      summary: "Start a chat",
      zh: "开始对话",
      body: z.object({ kbIds: kbIds.default([]), model: z.string().optional() }),
      output: chat,
      status: 201,
    },
    async ({ actor, body }) => await chats.createChat(actor, defined(body)),
  );
  define(
    api,
    parts,
    {
      method: "patch",
      path: "/chats/{id}",
      id: "updateChat",
      tag,
      summary: "Rename a chat, or change what it may read and its model",
      zh: "改对话标题，或改它可读的知识库和模型",
      params: byId,
      body: z.object({ title: z.string().trim().min(1).max(200).optional(), kbIds: kbIds.optional(), model: z.string().nullable().optional() }),
      output: chat,
    },
    async ({ actor, params, body }) => await chats.updateChat(actor, params.id, defined(body)),
  );
  define(
    api,
    parts,
    { method: "delete", path: "/chats/{id}", id: "removeChat", tag, summary: "Remove a chat", zh: "删除对话", params: byId },
    async ({ actor, params }) => {
      await chats.removeChat(actor, params.id);
    },
  );
  define(
    api,
    parts,
    {
      method: "get",
      path: "/chats/{id}/turns",
      id: "readTurns",
      tag,
      summary: "The newest branch, oldest turn first",
      zh: "最新分支，最早的一轮在前",
      params: byId,
      output: items(turn),
    },
    async ({ actor, params }) => ({ items: await chats.readTurns(actor, params.id) }),
  );
  turnRoutes(api, parts);
}

function turnRoutes(api: Api, parts: ServerParts): void {
  const { chats } = parts.services;
  define(
    api,
    parts,
    {
      method: "post",
      path: "/chats/{id}/ask",
      id: "askChat",
      asks: true,
      tag,
      summary: "Ask; the answer comes as server-sent events",
      zh: "提问，答案以服务器推送事件返回",
      description:
        "Each event's data is one part: turn-start, queued, text-delta, citation, finish, or error. Closing the connection stops the model. replaceTurnId edits an earlier question, retryTurnId answers again.",
      params: byId,
      body: z
        .object({ content: z.string().min(1).max(100_000).optional(), replaceTurnId: z.string().optional(), retryTurnId: z.string().optional() })
        .refine((body) => body.content !== undefined || body.retryTurnId !== undefined, "expected content or retryTurnId"),
      media: { type: "text/event-stream", description: "data: {type, …} events" },
    },
    async ({ actor, params, body, signal: outer }) => {
      const { signal, abort } = requestSignal(outer);
      const source = chats.ask(actor, params.id, { ...defined(body), signal })[Symbol.asyncIterator]();
      // What fails before anything was sent is an ordinary error with its status.
      const first = await source.next();
      return eventStream({
        source: chatEvents(first, source),
        leave: abort,
        failed: (error) => dataEvent({ type: "error", error: readError(error, parts.logger, "chat") }),
      });
    },
  );
  define(
    api,
    parts,
    {
      method: "put",
      path: "/turns/{id}/rating",
      id: "rateTurn",
      tag,
      summary: "Rate an answer",
      zh: "评价答案",
      params: byId,
      body: z.object({ rating: z.enum(["up", "down"]).nullable() }),
    },
    async ({ actor, params, body }) => {
      await chats.rateTurn(actor, params.id, body.rating);
    },
  );
  define(
    api,
    parts,
    {
      method: "put",
      path: "/turns/{id}/correction",
      id: "correctTurn",
      tag,
      summary: "Correct an answer; kept for later lessons",
      zh: "纠正答案，留作以后教学",
      params: byId,
      body: z.object({ text: z.string().trim().min(1).max(100_000), reason: z.string().max(2000).optional() }),
    },
    async ({ actor, params, body }) => {
      await chats.correctTurn(actor, params.id, defined(body));
    },
  );
}

async function* chatEvents(first: IteratorResult<ChatPart>, rest: AsyncIterator<ChatPart>): AsyncIterable<string> {
  try {
    for (let result = first; result.done !== true; result = await rest.next()) yield dataEvent(result.value);
  } finally {
    await rest.return?.();
  }
}
