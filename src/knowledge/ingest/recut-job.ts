/** @file After the words of the house changed: a base's chunks get their index words cut anew. Part of the ingest kind. */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { JobContext } from "#contracts";
import type { KbRow } from "#storage";
import type { IngestDeps } from "./deps.ts";

const batchSize = 1000;

export function enqueueRecut({ jobs }: Pick<IngestDeps, "jobs">, kb: Pick<KbRow, "id" | "name">): void {
  jobs.add({ kind: "ingest", subject: `${kb.name}: dictionary`, kbId: kb.id, payload: { recut: kb.id }, priority: 5, unit: "chunks" });
}

export async function runRecut(deps: IngestDeps, context: JobContext): Promise<void> {
  const { storage } = deps;
  const kb = storage.kbs.find(context.payload.recut as string);
  if (kb === undefined) return;
  const { count: total } = storage.chunks.countAll(kb.num);
  const words = storage.kbs.readDictionary(kb.num).words;
  let done = 0;
  for (let after = 0; ; ) {
    context.signal.throwIfAborted();
    const rows = storage.chunks.listAll(kb.num, after, batchSize);
    if (rows.length === 0) return;
    const titles = [...new Set(rows.map((row) => row.context.join("\n")))];
    const cut = await deps.reader.cutWords([...rows.map((row) => row.text), ...titles], words);
    const titleWords = new Map(titles.map((title, i) => [title, cut[rows.length + i] ?? ""]));
    for (let from = 0; from < rows.length; from += 20) {
      storage.transactionRelaxed(() => {
        rows.slice(from, from + 20).forEach((row, i) => {
          const now = storage.chunks.find(row.id);
          if (now === undefined || now.text !== row.text) return;
          storage.index.addChunks(kb.num, [
            { chunkId: row.id, words: [cut[from + i] ?? ""], contextWords: [titleWords.get(row.context.join("\n")) ?? ""] },
          ]);
        });
      });
      await nextTurn();
    }
    after = rows.at(-1)?.id ?? after;
    done += rows.length;
    context.progress(done, total);
  }
}
