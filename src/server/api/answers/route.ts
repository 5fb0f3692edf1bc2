/** @file One question with its proof, outside a chat; and how an earlier answer came about. */
import { z } from "@hono/zod-openapi";
import type { AnswerPart } from "#contracts";
import { defined } from "../../body.ts";
import type { ServerParts } from "../../context.ts";
import { presentError, readError } from "../../errors.ts";
import { dataEvent, eventStream, requestSignal } from "../../sse.ts";
import { filter } from "../bases/schema.ts";
import { type Api, define } from "../define.ts";
import { answer } from "./schema.ts";

const tag = "answers";
const message = z.object({ role: z.enum(["system", "user", "assistant"]), content: z.string().max(100_000) });
const askBody = z
  .object({
    kbs: z.array(z.string()).min(1).max(50).openapi({ description: "Names or ids of knowledge bases." }),
    question: z.string().min(1).max(20_000).optional(),
    messages: z
      .array(message)
      .min(1)
      .max(200)
      .optional()
      .openapi({ description: "A conversation instead of a question; the last message is asked." }),
    model: z.string().optional(),
    filter: filter.optional(),
    maxTokens: z.number().int().min(1).max(32_768).optional(),
    temperature: z.number().min(0).max(2).optional(),
    seed: z.number().int().optional(),
  })
  .refine((body) => (body.question === undefined) !== (body.messages === undefined), "expected either question or messages");

export function answerRoutes(api: Api, parts: ServerParts): void {
  const { answers } = parts.services;
  define(
    api,
    parts,
    {
      method: "post",
      path: "/ask",
      id: "ask",
      asks: true,
      tag,
      summary: "Ask knowledge bases one question",
      zh: "向知识库提一个问题",
      description:
        "With Accept: text/event-stream the parts come as they are ready: retrieved, text-delta, citation, finish (with the whole answer). Otherwise the answer at the end.",
      body: askBody,
      output: answer,
    },
    async ({ actor, body, c, signal: outer }) => {
      const { question, messages, filter: chosen, ...rest } = body;
      // A quota that is used up is a status, not an event of a stream.
      parts.services.meter.check(actor);
      const { signal, abort } = requestSignal(outer);
      const source = answers.answer(actor, {
        ...defined(rest),
        messages: messages ?? [{ role: "user", content: question ?? "" }],
        ...(chosen === undefined ? {} : { filter: defined(chosen) }),
        signal,
      });
      if ((c.req.header("accept") ?? "").includes("text/event-stream")) {
        return eventStream({
          source: partEvents(source),
          leave: abort,
          failed: (error) => dataEvent({ type: "error", ...presentError(readError(error, parts.logger, "ask")) }),
        });
      }
      for await (const part of source) if (part.type === "finish") return part.answer;
      throw new Error("The answer ended without its last part.");
    },
  );
  define(
    api,
    parts,
    {
      method: "get",
      path: "/answers/{id}",
      id: "readLineage",
      tag,
      summary: "An earlier answer with its lineage",
      zh: "以前的一个答案及其来历",
      params: z.object({ id: z.string() }),
      output: answer,
    },
    async ({ actor, params }) => await answers.readLineage(actor, params.id),
  );
}

async function* partEvents(source: AsyncIterable<AnswerPart>): AsyncIterable<string> {
  for await (const part of source) yield dataEvent(part);
}
