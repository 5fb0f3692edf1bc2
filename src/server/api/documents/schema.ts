/** @file Wire shapes of documents, their text and their chunks. */
import { z } from "@hono/zod-openapi";
import { list } from "../define.ts";

const warning = z.object({ code: z.string(), message: z.string() });
export const errorRecord = z
  .object({
    code: z.string(),
    message: z.string(),
    hint: z.string().optional(),
    zh: z.object({ message: z.string(), hint: z.string().optional() }).optional(),
    details: z.record(z.string(), z.unknown()).readonly().optional(),
    retryAfterSeconds: z.number().optional(),
  })
  .openapi("ErrorRecord");

export const documentInfo = z
  .object({
    id: z.string(),
    kbId: z.string(),
    path: z.string(),
    title: z.string(),
    type: z.string(),
    state: z
      .enum(["waiting", "reading", "words", "ready", "failed", "needs-ocr"])
      .openapi({ description: "words: searchable by words; ready: by meaning too." }),
    pages: z.number().nullable(),
    scannedPages: list(z.number()),
    chunks: z.number(),
    embedded: z.number(),
    sizeBytes: z.number(),
    sha256: z.string(),
    version: z.number(),
    date: z.string().nullable(),
    edition: z
      .object({
        work: z.string(),
        state: z.enum(["in-force", "superseded"]),
        others: list(z.object({ documentId: z.string(), path: z.string(), date: z.string().nullable() })),
      })
      .nullable(),
    tags: list(z.string()),
    level: z.enum(["read", "write", "manage"]),
    approved: z.boolean().openapi({ description: "false: readers do not see it yet." }),
    waiting: z
      .object({ versionId: z.string(), version: z.number(), sizeBytes: z.number(), createdAt: z.string() })
      .nullable()
      .openapi({ description: "A newer version that waits for approval; readers find the one before it. null for readers." }),
    owner: z.object({ id: z.string(), name: z.string() }).nullable(),
    reviewAt: z.string().nullable(),
    warnings: list(warning),
    error: errorRecord.nullable(),
    createdAt: z.string(),
    updatedAt: z.string(),
  })
  .openapi("Document");

export const documentPatch = z.object({
  tags: z.array(z.string().min(1).max(100)).max(50).optional(),
  title: z.string().trim().min(1).max(500).optional(),
  date: z
    .string()
    .regex(/^\d{4}-\d{2}-\d{2}$/, "expected YYYY-MM-DD")
    .nullable()
    .optional(),
  ownerId: z.string().nullable().optional(),
  reviewAt: z
    .string()
    .regex(/^\d{4}-\d{2}-\d{2}$/, "expected YYYY-MM-DD")
    .nullable()
    .optional(),
});

export const dueReview = z
  .object({
    documentId: z.string(),
    kbId: z.string(),
    base: z.string(),
    path: z.string(),
    title: z.string(),
    reviewAt: z.string(),
    owner: z.object({ id: z.string(), name: z.string() }).nullable(),
  })
  .openapi("DueReview");

const box = z.object({ x: z.number(), y: z.number(), width: z.number(), height: z.number() });
export const documentText = z
  .object({
    versionId: z.string(),
    text: z.string(),
    blocks: list(
      z.object({
        kind: z.enum(["title", "heading", "paragraph", "list", "table-row", "record", "code"]),
        start: z.number(),
        end: z.number(),
        page: z.number().nullable(),
        level: z.number().optional(),
        box: box.optional(),
      }),
    ),
    pages: z.number().nullable(),
  })
  .openapi("DocumentText");

export const chunk = z
  .object({
    id: z.number(),
    ordinal: z.number(),
    start: z.number(),
    end: z.number(),
    page: z.number().nullable(),
    context: list(z.string()),
    label: z.string().nullable(),
    text: z.string(),
    edited: z.boolean(),
    embedded: z.boolean(),
  })
  .openapi("Chunk");
