/** @file /v1/embeddings: floats or base64, one vector a text. */
import type { z } from "@hono/zod-openapi";
import type { Actor } from "#contracts";
import { personOf, type ServerParts } from "../context.ts";
import { badParameter, unsupported } from "./errors.ts";
import type { embeddingBody } from "./schema.ts";

/** Texts written for such models often carry the prefix already; the model's own must not come on top. */
const prefixed = /^(query|passage): ?/;

export async function embed(parts: ServerParts, actor: Actor, body: z.output<typeof embeddingBody>, signal: AbortSignal) {
  const texts = typeof body.input === "string" ? [body.input] : body.input;
  const empty = texts.indexOf("");
  if (empty >= 0) throw badParameter("input", `input[${empty}] is empty.`);
  const model = await parts.services.models.embeddingModel(body.model, actor);
  if (body.dimensions !== null && body.dimensions !== undefined && body.dimensions !== model.dimensions) {
    throw unsupported(
      "dimensions",
      `${model.id} gives ${model.dimensions} dimensions; ${body.dimensions} is not offered.`,
      "Leave dimensions out.",
      `${model.id} 的向量是 ${model.dimensions} 维，不支持 ${body.dimensions} 维。`,
    );
  }
  const wanted = body.input_type === null || body.input_type === undefined || body.input_type.includes("query") ? "query" : "passage";
  const rows = texts.map((text) => {
    const found = prefixed.exec(text);
    return { kind: found === null ? wanted : (found[1] as "query" | "passage"), text: found === null ? text : text.slice(found[0].length) };
  });
  const vectors: Float32Array[] = new Array(rows.length);
  let tokens = 0;
  for (const kind of ["query", "passage"] as const) {
    const indexes = rows.flatMap((row, index) => (row.kind === kind ? [index] : []));
    if (indexes.length === 0) continue;
    const found = await model.embed(
      indexes.map((index) => rows[index]?.text ?? ""),
      { kind, person: personOf(actor), signal, onUsage: (usage) => (tokens += usage.promptTokens) },
    );
    for (const [i, index] of indexes.entries()) vectors[index] = found[i] ?? new Float32Array(model.dimensions);
  }
  return {
    object: "list" as const,
    data: vectors.map((vector, index) => ({
      object: "embedding" as const,
      index,
      embedding: body.encoding_format === "base64" ? toBase64(vector) : Array.from(vector),
    })),
    model: body.model,
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  };
}

/** Little-endian float32, as every client expects. */
function toBase64(vector: Float32Array): string {
  return Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString("base64");
}
