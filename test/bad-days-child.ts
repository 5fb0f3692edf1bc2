/** @file A process that reads files in until it is killed: what test/bad-days.test.ts starts, kills and starts again. Says what was acknowledged. */

import { createHash } from "node:crypto";
import { writeSync } from "node:fs";
import { silentLogger } from "#base";
import type { EmbeddingModel } from "#contracts";
import { createJobRunner } from "#jobs";
import { createFileReader, createIngest, createParsePool } from "#knowledge";
import { type KbRow, openStorage, type Storage } from "#storage";

export type ChildTask = { readonly dataDir: string; readonly files: number; readonly rounds: number; readonly finish: boolean };

export const kbId = "kb_bad_days";

/** A word that only this file in this round holds; the last file of a round is a large one. */
export const markOf = (file: number, round: number): string => `mark${createHash("sha256").update(`${file}/${round}`).digest("hex").slice(0, 12)}`;
export const textOf = (file: number, round: number, files: number): string =>
  `# 文件${file}\n\n${Array.from({ length: file === files - 1 ? 2000 : 3 }, (_, i) => `第${i + 1}条 ${markOf(file, round)} 这是第${round}轮的正文，编号${i}。`).join("\n\n")}\n`;

const embedder: EmbeddingModel = {
  id: "test-embedder",
  dimensions: 8,
  maxTokens: 512,
  embed: async (texts) => texts.map((text) => Float32Array.from(createHash("sha256").update(text).digest().subarray(0, 8), (byte) => byte / 255)),
  countTokens: async (texts) => texts.map((text) => text.length),
};

export function assemble(dataDir: string, readers = 2) {
  const storage: Storage = openStorage(dataDir);
  const jobs = createJobRunner({ store: storage.jobs });
  const reader = createFileReader(createParsePool({ size: readers }));
  const ingest = createIngest({
    storage,
    jobs,
    reader,
    readers,
    maxFileBytes: 1 << 29,
    now: Date.now,
    logger: silentLogger,
    embedders: { embeddingModel: async () => embedder, defaultId: () => embedder.id },
  });
  return {
    storage,
    jobs,
    ingest,
    kb(): KbRow {
      const at = new Date().toISOString();
      if (storage.kbs.find(kbId) === undefined)
        storage.kbs.insert({ id: kbId, name: "bad days", description: "", embedder: null, createdAt: at, updatedAt: at });
      return storage.kbs.find(kbId) as KbRow;
    },
    async settled(): Promise<void> {
      while (jobs.counts().queued + jobs.counts().running > 0) await new Promise((resolve) => setTimeout(resolve, 50));
    },
    async close(): Promise<void> {
      await jobs.stop();
      await ingest.close();
      storage.close();
    },
  };
}

async function main(task: ChildTask): Promise<void> {
  const box = assemble(task.dataDir);
  await box.ingest.resume();
  box.jobs.start();
  const kb = box.kb();
  writeSync(1, "ready\n");
  // Each round replaces every file; a start after a kill goes on with the first round that is not complete.
  for (let round = 0; round < task.rounds; round++) {
    for (let file = 0; file < task.files; file++) {
      const known = box.storage.documents.findByPath(kb.num, `f/${file}.md`);
      const version = known?.newestVersion == null ? undefined : box.storage.versions.findByNum(known.newestVersion);
      if ((version?.number ?? 0) > round) {
        writeSync(1, `kept ${file} ${round}\n`);
        continue;
      }
      await box.ingest.addFile(kb, { path: `f/${file}.md`, content: { bytes: new TextEncoder().encode(textOf(file, round, task.files)) } });
      writeSync(1, `ack ${file} ${round}\n`);
    }
  }
  if (!task.finish) await new Promise(() => setInterval(() => undefined, 1000));
  await box.settled();
  await box.close();
  writeSync(1, "end\n");
}

if (process.argv[2] !== undefined && import.meta.filename === process.argv[1]) await main(JSON.parse(process.argv[2]) as ChildTask);
