/** @file OpenAI's endpoints. Sign-in first, then the body, then the model; a stream begins only when something is there to send. */
import { Hono } from "hono";
import { StarboxError } from "#base";
import type { Actor, ModelInfo } from "#contracts";
import { readJson } from "../body.ts";
import { endingSignals, type ServerEnv, type ServerParts, signedIn } from "../context.ts";
import { readError } from "../errors.ts";
import { dataEvent, eventStream, requestSignal } from "../sse.ts";
import { replyChunks, startReply, wholeReply } from "./chat.ts";
import { completionChunks, startCompletion, wholeCompletion } from "./completions.ts";
import { embed } from "./embeddings.ts";
import { presentOpenaiError } from "./errors.ts";
import { basePrefix } from "./knowledge.ts";
import { chatBody, completionBody, embeddingBody, parseBody } from "./schema.ts";

const maxBodyBytes = 32 << 20;
/** Errors that come at once keep their HTTP status; whatever takes longer is a stream with comments while it waits. */
const graceMs = 1500;
const nowSeconds = (): number => Math.floor(Date.now() / 1000);

export function openaiRoutes(parts: ServerParts): Hono<ServerEnv> {
  const v1 = new Hono<ServerEnv>();

  v1.post("/v1/chat/completions", async (c) => {
    const actor = signedIn(c);
    const body = parseBody(chatBody, await readJson(c, maxBodyBytes));
    const { signal, abort } = requestSignal(...endingSignals(c, parts));
    const reply = await startReply(parts, actor, body, signal);
    if (body.stream !== true) return c.json(await wholeReply(reply, nowSeconds()));
    return await streamed(parts, replyChunks(reply, nowSeconds(), body.stream_options?.include_usage === true), 2, abort);
  });

  v1.post("/v1/completions", async (c) => {
    const actor = signedIn(c);
    const body = parseBody(completionBody, await readJson(c, maxBodyBytes));
    const { signal, abort } = requestSignal(...endingSignals(c, parts));
    const completion = await startCompletion(parts, actor, body, signal);
    if (body.stream !== true) return c.json(await wholeCompletion(completion, nowSeconds()));
    return await streamed(parts, completionChunks(completion, nowSeconds(), body.stream_options?.include_usage === true), 1, abort);
  });

  v1.post("/v1/embeddings", async (c) => {
    const actor = signedIn(c);
    const body = parseBody(embeddingBody, await readJson(c, maxBodyBytes));
    return c.json(await embed(parts, actor, body, requestSignal(...endingSignals(c, parts)).signal));
  });

  v1.get("/v1/models", async (c) => c.json({ object: "list", data: await listModels(parts, signedIn(c)) }));
  v1.get("/v1/models/:id{.+}", async (c) => {
    const actor = signedIn(c);
    const id = c.req.param("id");
    const found = (await listModels(parts, actor)).find((model) => model.id === id);
    if (found === undefined)
      throw new StarboxError("model_not_found", `The model "${id}" does not exist.`, {
        hint: "GET /v1/models lists them.",
        zh: { message: `没有模型“${id}”。`, hint: "GET /v1/models 可列出所有模型。" },
        details: { param: "model" },
      });
    return c.json(found);
  });
  return v1;
}

/** Models that can answer now, and every knowledge base as one. */
async function listModels(parts: ServerParts, actor: Actor) {
  const present = (id: string, created: number, owner: string) => ({ id, object: "model" as const, created, owned_by: owner });
  const allowed = actor.key?.models ?? null;
  const usable = (model: ModelInfo): boolean =>
    (model.state === "ready" || model.state === "loaded") && model.kind !== "reranker" && (allowed === null || allowed.includes(model.id));
  const models = (await parts.services.models.list()).filter(usable).map((model) => present(model.id, 0, "starbox"));
  const bases = (await parts.services.knowledge.listBases(actor)).map((base) =>
    present(`${basePrefix}${base.name}`, Math.floor(Date.parse(base.createdAt) / 1000) || 0, "starbox-knowledge"),
  );
  return [...models, ...bases];
}

/** `peek` chunks are awaited before the answer begins: a refusal by the queue or the model is then a status and not a broken stream. */
async function streamed(parts: ServerParts, chunks: AsyncGenerator<object>, peek: number, leave: () => void): Promise<Response> {
  const opening = (async () => {
    const results: IteratorResult<object>[] = [];
    while (results.length < peek && results.at(-1)?.done !== true) results.push(await chunks.next());
    return results;
  })();
  let timer: NodeJS.Timeout | undefined;
  const grace = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, graceMs);
  });
  await Promise.race([opening, grace]).finally(() => clearTimeout(timer));
  return eventStream({
    source: events(opening, chunks),
    leave,
    failed: (error) => `event: error\n${dataEvent(presentOpenaiError(readError(error, parts.logger, "stream")))}`,
  });
}

async function* events(opening: Promise<readonly IteratorResult<object>[]>, rest: AsyncGenerator<object>): AsyncIterable<string> {
  try {
    let ended = false;
    for (const result of await opening) {
      if (result.done === true) ended = true;
      else yield dataEvent(result.value);
    }
    if (!ended) for await (const chunk of rest) yield dataEvent(chunk);
    yield "data: [DONE]\n\n";
  } finally {
    await rest.return(undefined);
  }
}
