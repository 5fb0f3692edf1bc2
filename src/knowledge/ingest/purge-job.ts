/** @file The job that takes removed and overtaken versions apart: words, vectors, text, bytes. Then nothing of them is on the disk. */
import { setTimeout as sleep } from "node:timers/promises";
import type { JobHandler } from "#contracts";
import type { Storage, VersionRow } from "#storage";
import type { IngestDeps } from "./deps.ts";
import { inSlices } from "./slices.ts";

/** In the transaction that made a version old. */
export function enqueuePurge({ jobs }: Pick<IngestDeps, "jobs">): void {
  jobs.add({ kind: "purge", subject: "removed text", kbId: null, key: "purge", payload: {}, unit: "versions", delayMs: 500 });
}

const chunksAtOnce = 20;

/** A few chunks of a version with everything that hangs on them. False: none were left. */
export function removeSomeChunks(storage: Storage, version: number): boolean {
  const rows = storage.chunks.listSome(version, chunksAtOnce);
  if (rows.length === 0) return false;
  storage.index.removeChunks(rows.map((row) => row.id));
  for (const row of rows) storage.chunks.remove(row.id);
  for (const row of rows) storage.vectors.removeUnused(row.hash);
  return true;
}

async function purgeVersion(storage: Storage, version: VersionRow, signal: AbortSignal): Promise<void> {
  await inSlices(storage.transactionRelaxed, () => removeSomeChunks(storage, version.num), { signal });
  storage.transaction(() => {
    storage.texts.remove(version.num);
    storage.versions.remove(version.num);
  });
  await storage.blobs.remove(version.sha256, storage.versions.isBlobUsed);
}

/** What a person removed is taken apart while they wait, as long as that is short; the job takes the rest. Both may run: each step looks anew. */
export async function purgeFor({ storage, now }: IngestDeps, maxMs: number): Promise<void> {
  const end = now() + maxMs;
  const signal = AbortSignal.timeout(maxMs);
  try {
    for (let old = storage.versions.listOld(1)[0]; old !== undefined && now() < end; old = storage.versions.listOld(1)[0])
      await purgeVersion(storage, old, signal);
    for (let i = 0; i < 20 && !storage.checkpoint(); i++) await sleep(100);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

export function purgeJob({ storage }: IngestDeps): JobHandler {
  return {
    kind: "purge",
    concurrency: 1,
    async run(context) {
      let done = 0;
      for (let old = storage.versions.listOld(1)[0]; old !== undefined; old = storage.versions.listOld(1)[0]) {
        await purgeVersion(storage, old, context.signal);
        context.progress(++done, null);
        if (context.shouldYield()) return { againInMs: 0 };
      }
      // Deleted pages live on in the write-ahead log until it is emptied; a reader may be in the way for a moment.
      return storage.checkpoint() || context.attempt > 20 ? undefined : { againInMs: 300 };
    },
  };
}
