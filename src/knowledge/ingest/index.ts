/** @file The door of reading documents in: add, remove, try again; the jobs behind it. */
import { type ErrorRecord, StarboxError } from "#base";
import type { AddedFile, JobInfo } from "#contracts";
import type { DocumentRow, KbRow } from "#storage";
import { addFile, enqueue, type NewFile } from "./add-file.ts";
import type { IngestDeps } from "./deps.ts";
import { embedJob, enqueueEmbedding } from "./embed-job.ts";
import { createGate } from "./gate.ts";
import { ingestJob } from "./ingest-job.ts";
import { createPace } from "./pace.ts";
import { enqueuePurge, purgeFor, purgeJob } from "./purge-job.ts";
import { enqueueRecut } from "./recut-job.ts";
import { enqueueReembedding, reembedJob } from "./reembed-job.ts";
import { rejectVersion, releaseVersion, relinkEditions } from "./switch-version.ts";

export type { NewFile } from "./add-file.ts";
export type { FileReader, IngestDeps, ReadFile } from "./deps.ts";
export { workKey } from "./editions.ts";
export { createFileReader } from "./file-reader.ts";
export { passageHash } from "./passage.ts";
export { cleanPath } from "./paths.ts";
export { heldVersion } from "./switch-version.ts";

export type Ingest = {
  /** Registers the jobs and takes up what a stopped box left. Call before `jobs.start()`. */
  resume(): Promise<void>;
  addFile(kb: KbRow, file: NewFile): Promise<AddedFile>;
  /** Resolves when nothing of it is on the disk any more; a very large rest goes on as a job. */
  removeDocument(document: DocumentRow): Promise<void>;
  removeBase(kb: KbRow): Promise<void>;
  retryDocument(kb: KbRow, document: DocumentRow): void;
  /** In the caller's transaction: a version that waits for approval becomes the current one, or goes. */
  releaseVersion(document: DocumentRow): void;
  rejectVersion(document: DocumentRow): void;
  /** After a person changed a document's title or date. */
  relink(document: DocumentRow, before: string | null): void;
  changeEmbedder(kb: KbRow, embedder: string): void;
  /** Words of the house came or went: chunks are cut into words anew. */
  recut(kb: KbRow): void;
  /** Chunks without vectors appeared (an edit, a split). */
  embedMissing(kb: KbRow): void;
  /** An embedder became ready: what waited for it goes on at once. */
  embedderArrived(): void;
  /** Until every file of the base is searchable by words and by meaning; null: nothing to do, or not known yet. */
  etaSeconds(kb: KbRow): number | null;
  close(): Promise<void>;
};

const purgeWaitMs = 60_000;
const calendarMs = 3_600_000;

/** Editions that were dated in the future when they were read, and are in force today. */
function bringIntoForce(deps: IngestDeps): void {
  const today = new Date(deps.now()).toISOString().slice(0, 10);
  for (const { kb, work } of deps.storage.documents.listDueWorks(today)) relinkEditions(deps, kb, work);
}

export function createIngest(deps: IngestDeps): Ingest {
  const { storage, jobs } = deps;
  const pace = createPace(deps.now);
  const shared = { ...deps, pace, gate: createGate(deps.isBusy ?? (() => false), deps.now) };
  for (const handler of [ingestJob(shared), embedJob(shared), reembedJob(deps), purgeJob(deps)]) jobs.register(handler);
  const stopListening = jobs.onChange((job) => {
    if (job.kind === "ingest" && (job.state === "failed" || job.state === "cancelled")) setAside(deps, job);
  });
  const calendar = setInterval(() => bringIntoForce(deps), calendarMs).unref();
  return {
    async resume() {
      await storage.blobs.sweep(storage.versions.isBlobUsed);
      bringIntoForce(deps);
      storage.transaction(() => {
        for (const kb of storage.kbs.list()) {
          for (const document of storage.documents.listUnread(kb.num)) requeue(deps, kb, document);
          if (storage.chunks.countUnembedded(kb.num) > 0) enqueueEmbedding(deps, kb);
        }
        if (storage.versions.listOld(1).length > 0) enqueuePurge(deps);
      });
    },
    addFile: async (kb, file) => await addFile(deps, kb, file),
    async removeDocument(document) {
      storage.transaction(() => {
        storage.forgetDocuments(forget(deps, document));
        storage.documents.remove(document.num);
        if (document.work !== null) relinkEditions(deps, document.kb, document.work);
        enqueuePurge(deps);
      });
      await purgeFor(deps, purgeWaitMs);
    },
    async removeBase(kb) {
      storage.transaction(() => {
        storage.forgetDocuments(storage.documents.listIds(kb.num));
        storage.jobs.forgetBase(kb.id);
        storage.kbs.remove(kb.num);
        enqueuePurge(deps);
      });
      await purgeFor(deps, purgeWaitMs);
    },
    retryDocument(kb, document) {
      storage.transaction(() => requeue(deps, kb, document));
    },
    relink(document, before) {
      for (const key of new Set([before, document.work])) if (key !== null) relinkEditions(deps, document.kb, key);
    },
    releaseVersion: (document) => releaseVersion(deps, document),
    rejectVersion: (document) => rejectVersion(deps, document),
    changeEmbedder: (kb, embedder) => enqueueReembedding(deps, kb, embedder),
    recut: (kb) => enqueueRecut(deps, kb),
    embedMissing: (kb) => enqueueEmbedding(deps, kb),
    embedderArrived() {
      for (const kb of storage.kbs.list()) if (storage.chunks.countUnembedded(kb.num) > 0) enqueueEmbedding(deps, kb);
      jobs.hurry("embed");
      jobs.hurry("reembed");
    },
    etaSeconds(kb) {
      const { chunks, embedded, sizeBytes } = storage.kbs.counts(kb.num, null);
      const bytes = storage.kbs.pendingBytes(kb.num);
      const willEmbed = kb.embedder !== null || deps.embedders.defaultId() !== null;
      const read = Math.max(1, sizeBytes - bytes);
      return pace.etaSeconds({ bytes, chunks: willEmbed ? chunks - embedded : 0, chunksPerByte: willEmbed ? chunks / read : 0 });
    },
    async close() {
      clearInterval(calendar);
      stopListening();
      await deps.reader.close();
    },
  };
}

/** The document and its members: the lines of their jobs go. Returns their ids. */
function forget(deps: IngestDeps, document: DocumentRow): readonly string[] {
  const { storage } = deps;
  const kb = storage.kbs.findByNum(document.kb);
  if (kb !== undefined) storage.jobs.forget(kb.id, document.path);
  return [document.id, ...storage.documents.children(document.num).flatMap((member) => forget(deps, member))];
}

/** The newest version goes back to being read, unless its job is there already. */
function requeue(deps: IngestDeps, kb: KbRow, document: DocumentRow): void {
  const version = document.newestVersion === null ? undefined : deps.storage.versions.findByNum(document.newestVersion);
  if (version === undefined || version.state === "current" || version.state === "old") return;
  deps.storage.versions.update(version.num, { state: "building" });
  deps.storage.documents.update(document.num, { state: "waiting", error: null });
  enqueue(deps, kb, { path: document.path, version: version.num, bytes: version.bytes, urgent: true });
}

/** A file that cannot be read keeps its reason; an earlier version of it stays searchable. */
function setAside({ storage, now }: IngestDeps, job: JobInfo): void {
  const kb = job.kbId === null ? undefined : storage.kbs.find(job.kbId);
  const document = kb === undefined ? undefined : storage.documents.findByPath(kb.num, job.subject);
  if (document === undefined || (document.state !== "reading" && document.state !== "waiting")) return;
  const stopped = new StarboxError("cancelled", "Reading this file was cancelled.", {
    hint: "Retry it to read it after all.",
    zh: { message: "已取消读取该文件。", hint: "可点“重试”重新读取。" },
  });
  const error: ErrorRecord = job.error ?? {
    code: stopped.code,
    message: stopped.message,
    ...(stopped.hint === undefined ? {} : { hint: stopped.hint }),
    ...(stopped.zh === undefined ? {} : { zh: stopped.zh }),
  };
  storage.transaction(() => {
    storage.documents.update(document.num, { state: "failed", error, updatedAt: new Date(now()).toISOString() });
    if (document.newestVersion !== null) storage.versions.update(document.newestVersion, { state: "failed" });
  });
}
