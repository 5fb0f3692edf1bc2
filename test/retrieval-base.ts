/** @file Builds a searchable base straight through storage, for tests and benchmarks of retrieval: no parsing, no jobs. */
import { createHash } from "node:crypto";
import { newId } from "#base";
import { openStorage, type Storage } from "#storage";
import { segment } from "../src/knowledge/text/index.ts";

export type MadeChunk = { readonly text: string; readonly context?: readonly string[]; readonly label?: string; readonly vector?: Float32Array };
export type MadeDocument = {
  readonly path: string;
  readonly title?: string;
  readonly type?: string;
  readonly tags?: readonly string[];
  readonly date?: string;
  readonly work?: string;
  readonly edition?: "in-force" | "superseded";
  readonly chunks: readonly MadeChunk[];
};
export type MadeBase = {
  readonly storage: Storage;
  readonly kbId: string;
  readonly kb: number;
  add(
    document: MadeDocument,
    options?: { readonly visible?: boolean },
  ): { readonly id: string; readonly num: number; readonly version: number; readonly chunkIds: readonly number[] };
};

const embedder = "test-embedder";

export function openMadeBase(dataDir: string, name = "test"): MadeBase {
  const storage = openStorage(dataDir);
  return makeBase(storage, name);
}

export function makeBase(storage: Storage, name: string): MadeBase {
  const now = new Date().toISOString();
  const kbId = newId("kb");
  const kb = storage.kbs.insert({ id: kbId, name, description: "", embedder, createdAt: now, updatedAt: now });
  return {
    storage,
    kbId,
    kb,
    add: (document, { visible = true } = {}) =>
      storage.transaction(() => {
        const id = newId("doc");
        const folder = document.path.slice(0, Math.max(0, document.path.lastIndexOf("/")));
        const num = storage.documents.insert({
          id,
          kb,
          path: document.path,
          folder,
          title: document.title ?? document.path,
          type: document.type ?? "md",
          tags: document.tags ?? [],
          parent: null,
          state: "ready",
          createdAt: now,
        });
        storage.documents.update(num, { date: document.date ?? null, work: document.work ?? null, edition: document.edition ?? null });
        const version = storage.versions.insert({ id: newId("ver"), document: num, number: 1, sha256: id, bytes: 1, createdAt: now });
        const chunkIds = document.chunks.map((chunk, ordinal) => addChunk(storage, kb, num, version, ordinal, chunk));
        if (visible) storage.documents.update(num, { currentVersion: version, newestVersion: version });
        return { id, num, version, chunkIds };
      }),
  };
}

function addChunk(storage: Storage, kb: number, document: number, version: number, ordinal: number, chunk: MadeChunk): number {
  const context = chunk.context ?? [];
  const hash = createHash("sha256")
    .update(`${context.join(" ")}\n${chunk.text}\n${document}`)
    .digest()
    .subarray(0, 16);
  const chunkId = storage.chunks.insert({
    kb,
    document,
    version,
    ordinal,
    start: 0,
    end: chunk.text.length,
    page: null,
    context,
    label: chunk.label ?? null,
    text: chunk.text,
    hash,
    edited: false,
  });
  storage.index.addChunks(kb, [{ chunkId, words: segment(chunk.text), contextWords: segment(context.join("\n")) }]);
  if (chunk.vector !== undefined) {
    storage.vectors.write(embedder, hash, chunk.vector);
    storage.index.addVectors([{ chunkId, vector: chunk.vector }]);
  }
  return chunkId;
}
