/** @file The job that gives a base's chunks their vectors, batch by batch, behind everything people wait for. */
import { setTimeout as sleep } from "node:timers/promises";
import { StarboxError } from "#base";
import type { EmbeddingModel, JobContext, JobHandler } from "#contracts";
import type { ChunkRow, KbRow } from "#storage";
import type { IngestDeps, JobDeps } from "./deps.ts";
import { passageText } from "./passage.ts";

/** Enough for every process for passages to have its share; small, since each batch is a commit and a step of progress. */
const batchSize = 32;
/** How often a job asks again for a model that is on its way; its arrival also makes the job due at once. */
const askAgainMs = 5000;
/** Vectors make way for a person's question, but not for ever. */
const busyWaitMs = 250;
const busyWaits = 80;

/** One job a base: it looks itself for what is missing. */
export function enqueueEmbedding({ jobs }: Pick<IngestDeps, "jobs">, kb: Pick<KbRow, "id" | "name">): void {
  jobs.add({ kind: "embed", subject: kb.name, kbId: kb.id, key: kb.id, payload: { kbId: kb.id }, unit: "chunks" });
}

export function embedJob(deps: JobDeps): JobHandler {
  return { kind: "embed", concurrency: 1, run: async (context) => await run(deps, context) };
}

async function run(deps: JobDeps, context: JobContext): Promise<void | { againInMs: number }> {
  const { storage } = deps;
  const kb = storage.kbs.find(context.payload.kbId as string);
  if (kb === undefined || (kb.embedder === null && deps.embedders.defaultId() === null)) return;
  const model = await findEmbedder(deps, kb.embedder ?? undefined);
  if (model === null) return { againInMs: askAgainMs };
  // The first vectors decide which embedder the base has; another one then needs a re-embedding.
  if (kb.embedder === null) storage.kbs.update(kb.id, { embedder: model.id, updatedAt: new Date(deps.now()).toISOString() });
  let done = 0;
  let left = storage.chunks.countUnembedded(kb.num);
  context.progress(0, left);
  for (;;) {
    const startedAt = deps.now();
    context.signal.throwIfAborted();
    await makeWay(deps, context.signal);
    const rows = storage.chunks.listUnembedded(kb.num, batchSize);
    if (rows.length === 0) return;
    const vectors = await embedRows(deps, model, rows, context.signal);
    storage.transactionRelaxed(() => store(deps, model.id, rows, vectors));
    deps.pace.wasEmbedded(rows.length, deps.now() - startedAt);
    done += rows.length;
    if (done >= left) left = done + storage.chunks.countUnembedded(kb.num);
    context.progress(done, left);
    if (context.shouldYield()) return { againInMs: 0 };
  }
}

const notYet = ["model_not_ready", "embedder_not_ready"];

/** null: not here yet. A base's own embedder that is not even known may still be imported; a new one that was asked for must exist. */
export async function findEmbedder(
  deps: IngestDeps,
  id: string | undefined,
  options: { readonly mustExist?: boolean } = {},
): Promise<EmbeddingModel | null> {
  try {
    return await deps.embedders.embeddingModel(id);
  } catch (error) {
    const codes = options.mustExist === true ? notYet : [...notYet, "model_not_found", "unsupported"];
    if (StarboxError.is(error) && codes.includes(error.code)) return null;
    throw error;
  }
}

export async function makeWay(deps: IngestDeps, signal: AbortSignal): Promise<void> {
  for (let i = 0; i < busyWaits && deps.isBusy?.() === true; i++) await sleep(busyWaitMs, undefined, { signal });
}

/** Vectors of these passages: kept ones where there are any, the model for the rest. */
export async function embedRows(
  { storage }: IngestDeps,
  model: EmbeddingModel,
  rows: readonly ChunkRow[],
  signal: AbortSignal,
): Promise<readonly Float32Array[]> {
  const kept = rows.map((row) => storage.vectors.find(model.id, row.hash));
  const missing = rows.filter((_, i) => kept[i] === undefined);
  const fresh =
    missing.length === 0
      ? []
      : await model.embed(
          missing.map((row) => passageText(row.context, row.text)),
          { kind: "passage", signal },
        );
  let next = 0;
  return kept.map((vector) => vector ?? (fresh[next++] as Float32Array));
}

function store({ storage }: IngestDeps, embedder: string, rows: readonly ChunkRow[], vectors: readonly Float32Array[]): void {
  const versions = new Map<number, { document: number; count: number }>();
  rows.forEach((row, i) => {
    // Edited or removed while the model was working: this vector is no longer its own.
    const now = storage.chunks.find(row.id);
    if (now === undefined || now.embedded || Buffer.compare(now.hash, row.hash) !== 0) return;
    const vector = vectors[i] as Float32Array;
    storage.vectors.write(embedder, row.hash, vector);
    storage.index.addVectors([{ chunkId: row.id, vector }]);
    storage.chunks.markEmbedded(row.id);
    versions.set(row.version, { document: row.document, count: (versions.get(row.version)?.count ?? 0) + 1 });
  });
  for (const [version, { document, count }] of versions) {
    storage.versions.addEmbedded(version, count);
    const { embedded, chunks } = storage.versions.findByNum(version) ?? { embedded: 0, chunks: 1 };
    const row = storage.documents.findByNum(document);
    if (embedded >= chunks && row?.state === "words" && row.currentVersion === version) storage.documents.update(document, { state: "ready" });
  }
}
