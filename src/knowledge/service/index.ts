/** @file The knowledge service: everything people do with bases, documents and chunks, over what it is handed. */
import type { KnowledgeService } from "#contracts";
import { createBases } from "./bases.ts";
import { createChunks } from "./chunks.ts";
import type { KnowledgeDeps } from "./deps.ts";
import { createDocuments } from "./documents.ts";
import { createReviews } from "./reviews.ts";

export type { KnowledgeDeps } from "./deps.ts";

export function createKnowledgeService(deps: KnowledgeDeps): KnowledgeService {
  return { ...createBases(deps), ...createDocuments(deps), ...createChunks(deps), ...createReviews(deps) };
}
