/** @file Wire shapes of knowledge bases, search, dictionary, curated answers and gaps. */
import { z } from "@hono/zod-openapi";
import { list } from "../define.ts";

export const base = z
  .object({
    id: z.string(),
    name: z.string(),
    description: z.string(),
    embedder: z.string().nullable(),
    documents: z.number(),
    chunks: z.number(),
    pending: z.number().openapi({ description: "Files not yet readable by words." }),
    failed: z.number(),
    embedded: z.number().openapi({ description: "Chunks with vectors; equal to chunks when search by meaning is complete." }),
    etaSeconds: z.number().nullable(),
    sizeBytes: z.number(),
    level: z
      .enum(["read", "write", "manage"])
      .openapi({ description: "What the asker may do with the whole base. Counts are over what the asker may read." }),
    approval: z.boolean().openapi({ description: "New documents and fixed answers are seen by readers once approved." }),
    createdAt: z.string(),
    updatedAt: z.string(),
  })
  .openapi("KnowledgeBase");

export const baseName = z.string().trim().min(1, "a name is needed").max(100);
export const newBase = z.object({
  name: baseName,
  description: z.string().max(2000).optional(),
  readers: z.literal("everyone").optional().openapi({ description: "Let everyone who signs in read it; otherwise it is shared later." }),
});
export const basePatch = z.object({
  name: baseName.optional(),
  description: z.string().max(2000).optional(),
  embedder: z
    .string()
    .regex(/^[\w.-]{1,100}$/)
    .optional(),
  approval: z.boolean().optional().openapi({ description: "Switched on: what is there counts as approved, what comes waits." }),
});

const date = z.string().regex(/^\d{4}-\d{2}-\d{2}$/, "expected YYYY-MM-DD");
export const filter = z
  .object({
    folder: z.string().optional(),
    types: z.array(z.string()).optional(),
    tags: z.array(z.string()).optional(),
    dateFrom: date.optional(),
    dateTo: date.optional(),
    documentIds: z.array(z.string()).optional(),
  })
  .openapi("SearchFilter");

const edition = z
  .object({
    state: z.enum(["in-force", "superseded"]),
    date: z.string().nullable(),
    supersededBy: z.object({ documentId: z.string(), date: z.string().nullable() }).optional(),
  })
  .openapi("Edition");

export const hit = z
  .object({
    chunkId: z.number(),
    kbId: z.string(),
    documentId: z.string(),
    versionId: z.string(),
    document: z.string(),
    title: z.string(),
    context: list(z.string()),
    label: z.string().nullable(),
    page: z.number().nullable(),
    start: z.number(),
    end: z.number(),
    text: z.string(),
    score: z.number(),
    ranks: z.object({ lexical: z.number().nullable(), dense: z.number().nullable(), rerank: z.number().nullable() }),
    cosine: z.number().nullable(),
    edition: edition.nullable(),
  })
  .openapi("Hit");

export const searchBody = z.object({
  query: z.string().min(1).max(4000),
  limit: z.number().int().min(1).max(200).optional(),
  filter: filter.optional(),
  lexicalOnly: z.boolean().optional(),
});
export const searchResult = z
  .object({
    query: z.string(),
    hits: list(hit),
    ms: z.object({ embed: z.number(), lexical: z.number(), dense: z.number(), fuse: z.number(), total: z.number() }),
    mode: z.enum(["hybrid", "words"]),
    note: z.string().optional(),
  })
  .openapi("SearchResult");

export const dictionary = z
  .object({ words: list(z.string().min(1).max(100)), synonyms: list(list(z.string().min(1).max(100))) })
  .openapi("Dictionary");
export const curated = z
  .object({
    id: z.string(),
    kbId: z.string(),
    question: z.string(),
    answer: z.string(),
    createdBy: z.string(),
    approved: z.boolean(),
    updatedAt: z.string(),
  })
  .openapi("CuratedAnswer");
export const newCurated = z.object({
  id: z.string().optional(),
  question: z.string().trim().min(1).max(4000),
  answer: z.string().trim().min(1).max(20_000),
  documentIds: z.array(z.string()).optional(),
});
export const gap = z
  .object({
    id: z.string(),
    kbId: z.string(),
    question: z.string(),
    variants: list(z.string()),
    count: z.number(),
    lastAskedAt: z.string(),
    nearest: list(z.object({ document: z.string(), documentId: z.string(), text: z.string() })),
  })
  .openapi("KnowledgeGap");
export const addedFile = z
  .object({ path: z.string(), documentId: z.string(), changed: z.boolean().openapi({ description: "false: the same bytes were already there." }) })
  .openapi("AddedFile");
