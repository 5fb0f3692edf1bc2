/** @file The job that moves a base to another embedder: the old vectors serve until all new ones are there, then one transaction switches. */
import type { JobContext, JobHandler } from "#contracts";
import type { KbRow } from "#storage";
import type { IngestDeps } from "./deps.ts";
import { embedRows, enqueueEmbedding, findEmbedder, makeWay } from "./embed-job.ts";

const batchSize = 8;

export function enqueueReembedding({ jobs }: Pick<IngestDeps, "jobs">, kb: Pick<KbRow, "id" | "name">, embedder: string): void {
  jobs.add({ kind: "reembed", subject: `${kb.name} → ${embedder}`, kbId: kb.id, key: kb.id, payload: { kbId: kb.id, embedder }, unit: "chunks" });
}

export function reembedJob(deps: IngestDeps): JobHandler {
  return { kind: "reembed", concurrency: 1, run: async (context) => await run(deps, context) };
}

async function run(deps: IngestDeps, context: JobContext): Promise<void | { againInMs: number }> {
  const { storage } = deps;
  const kb = storage.kbs.find(context.payload.kbId as string);
  const embedder = context.payload.embedder as string;
  if (kb === undefined || kb.embedder === embedder) return;
  const model = await findEmbedder(deps, embedder, { mustExist: true });
  if (model === null) return { againInMs: 5000 };
  const total = storage.kbs.counts(kb.num, null).chunks;
  let done = 0;
  // Passages embedded before an interruption are found again by their hash: this pass is cheap the second time.
  for (let after = 0; ; ) {
    context.signal.throwIfAborted();
    await makeWay(deps, context.signal);
    const rows = storage.chunks.listCurrent(kb.num, after, batchSize);
    if (rows.length === 0) break;
    const vectors = await embedRows(deps, model, rows, context.signal);
    storage.transactionRelaxed(() => rows.forEach((row, i) => storage.vectors.write(model.id, row.hash, vectors[i] as Float32Array)));
    after = rows.at(-1)?.id ?? after;
    done += rows.length;
    context.progress(done, Math.max(total, done));
    if (context.shouldYield()) return { againInMs: 0 };
  }
  storage.transactionRelaxed(() => switchEmbedder(deps, kb, model.id));
}

/** Chunks that came in meanwhile without a vector of the new model get theirs from an ordinary embed job. */
function switchEmbedder(deps: IngestDeps, kb: KbRow, embedder: string): void {
  const { storage } = deps;
  storage.kbs.update(kb.id, { embedder, updatedAt: new Date(deps.now()).toISOString() });
  let missing = 0;
  const embedded = new Map<number, number>();
  for (let after = 0; ; ) {
    const rows = storage.chunks.listAll(kb.num, after, 500);
    if (rows.length === 0) break;
    for (const row of rows) {
      const vector = storage.vectors.find(embedder, row.hash);
      if (vector === undefined) {
        storage.index.removeVectors([row.id]);
        if (row.embedded) storage.chunks.markUnembedded(row.id);
        embedded.set(row.version, embedded.get(row.version) ?? 0);
        missing++;
      } else {
        storage.index.addVectors([{ chunkId: row.id, vector }]);
        storage.chunks.markEmbedded(row.id);
        embedded.set(row.version, (embedded.get(row.version) ?? 0) + 1);
      }
      if (kb.embedder !== null) storage.vectors.remove(kb.embedder, row.hash);
    }
    after = rows.at(-1)?.id ?? after;
  }
  for (const [version, count] of embedded) storage.versions.update(version, { embedded: count });
  if (missing > 0) enqueueEmbedding(deps, kb);
}
