/** @file Wire shapes of chats and their turns. */
import { z } from "@hono/zod-openapi";
import { citation } from "../answers/schema.ts";
import { list } from "../define.ts";

export const chat = z
  .object({ id: z.string(), title: z.string(), kbIds: list(z.string()), model: z.string().nullable(), createdAt: z.string(), updatedAt: z.string() })
  .openapi("Chat");
export const turn = z
  .object({
    id: z.string(),
    parentId: z.string().nullable(),
    role: z.enum(["user", "assistant"]),
    content: z.string(),
    citations: list(citation),
    refused: z.boolean(),
    nearest: list(
      z.object({ documentId: z.string(), document: z.string(), page: z.number().nullable(), start: z.number(), end: z.number(), text: z.string() }),
    ),
    rating: z.enum(["up", "down"]).nullable(),
    correction: z.string().nullable(),
    model: z.string().nullable(),
    error: z.object({ code: z.string(), message: z.string() }).nullable(),
    createdAt: z.string(),
  })
  .openapi("Turn");
