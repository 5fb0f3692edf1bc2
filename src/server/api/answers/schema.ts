/** @file Wire shapes of answers and citations. */
import { z } from "@hono/zod-openapi";
import { hit } from "../bases/schema.ts";
import { list } from "../define.ts";

export const citation = z
  .object({
    marker: z.number(),
    kbId: z.string(),
    documentId: z.string(),
    versionId: z.string(),
    document: z.string(),
    title: z.string(),
    page: z.number().nullable(),
    start: z.number(),
    end: z.number(),
    quote: z.string(),
    edition: hit.shape.edition,
  })
  .openapi("Citation");

export const answer = z
  .object({
    question: z.string(),
    query: z.string(),
    text: z.string(),
    refused: z.boolean(),
    refusal: z.object({ reason: z.enum(["nothing-found", "evidence-too-weak", "unsupported"]), nearest: list(hit) }).optional(),
    citations: list(citation),
    origin: z.enum(["curated", "extracted", "generated", "refused"]),
    confidence: z.number(),
    usage: z.object({ promptTokens: z.number(), completionTokens: z.number(), cachedTokens: z.number().optional() }),
    ms: z.object({ retrieve: z.number(), firstToken: z.number(), total: z.number() }),
    lineage: z.object({
      model: z.string().nullable(),
      adapter: z.string().nullable(),
      promptVersion: z.string(),
      passages: list(z.object({ documentId: z.string(), versionId: z.string(), chunkId: z.number(), start: z.number(), end: z.number() })),
    }),
  })
  .openapi("Answer");
