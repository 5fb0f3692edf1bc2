/** @file The job that reads one version in: parse, store chunks and words in slices, then one transaction makes it the current one. */
import type { JobContext, JobHandler } from "#contracts";
import type { DocumentRow, KbRow, VersionRow } from "#storage";
import { addFile } from "./add-file.ts";
import type { IngestDeps, JobDeps, ReadFile } from "./deps.ts";
import { linkEditions, workKey } from "./editions.ts";
import { enqueueEmbedding } from "./embed-job.ts";
import { passageHash } from "./passage.ts";
import { enqueuePurge, removeSomeChunks } from "./purge-job.ts";
import { runRecut } from "./recut-job.ts";
import { inSlices } from "./slices.ts";

const shownBytes = 200_000;

type Target = { readonly version: VersionRow; readonly document: DocumentRow; readonly kb: KbRow };

export function ingestJob(deps: JobDeps): JobHandler {
  // One more than can be read at once: while one is being stored, the readers have work.
  return {
    kind: "ingest",
    concurrency: deps.readers + 1,
    run: async (context) => await (context.payload.recut === undefined ? run(deps, context) : runRecut(deps, context)),
  };
}

async function run(deps: JobDeps, context: JobContext): Promise<void> {
  const { storage } = deps;
  await deps.gate.pass(context.signal);
  revive(deps, context.payload.version as number);
  const target = findTarget(deps, context.payload.version as number);
  if (target === null) return;
  const { version, document, kb } = target;
  // A small file is read before anybody could see this; each commit is a trip to the disk.
  if (version.bytes > shownBytes) storage.documents.update(document.num, { state: "reading" });
  // What an attempt that was killed left behind.
  if (storage.chunks.listSome(version.num, 1).length > 0)
    await inSlices(storage.transactionRelaxed, () => removeSomeChunks(storage, version.num), { signal: context.signal });
  const file = await deps.reader.read({
    filePath: storage.blobs.filePath(version.sha256),
    name: document.path,
    depth: depthOf(deps, document),
    houseWords: storage.kbs.readDictionary(kb.num).words,
    signal: context.signal,
  });
  const members = await addMembers(deps, target, file, context.signal);
  await writeChunks(deps, target, file, context);
  removeLostMembers(deps, document, members);
  deps.pace.wasRead(version.bytes);
}

/** A person had the failed job itself run again. */
function revive({ storage }: IngestDeps, num: number): void {
  const version = storage.versions.findByNum(num);
  if (version?.state !== "failed" || version.document === null) return;
  storage.transaction(() => {
    storage.versions.update(num, { state: "building" });
    storage.documents.update(version.document as number, { state: "waiting", error: null });
  });
}

/** null: overtaken by a newer version, or removed. */
function findTarget({ storage }: IngestDeps, num: number): Target | null {
  const version = storage.versions.findByNum(num);
  if (version === undefined || version.state !== "building" || version.document === null) return null;
  const document = storage.documents.findByNum(version.document);
  const kb = document === undefined ? undefined : storage.kbs.findByNum(document.kb);
  return document === undefined || kb === undefined ? null : { version, document, kb };
}

function depthOf({ storage }: IngestDeps, document: DocumentRow): number {
  let depth = 0;
  for (let parent = document.parent; parent !== null; depth++) parent = storage.documents.findByNum(parent)?.parent ?? null;
  return depth;
}

/** Members of archives and attachments become documents beside it. */
async function addMembers(deps: IngestDeps, { document, kb }: Target, file: ReadFile, signal: AbortSignal): Promise<ReadonlySet<string>> {
  const ids = new Set<string>();
  for (const member of file.parsed.children) {
    signal.throwIfAborted();
    const added = await addFile(deps, kb, {
      path: `${document.path}/${member.path}`,
      content: { bytes: member.bytes },
      parent: document.num,
      tags: document.tags,
    });
    ids.add(added.documentId);
  }
  return ids;
}

/** Text and chunks in slices; the last one also makes the version current. An overtaken version is left for the purge. */
async function writeChunks(deps: JobDeps, target: Target, file: ReadFile, context: JobContext): Promise<void> {
  const { storage } = deps;
  const { version, document, kb } = target;
  const { parsed, blocksJson, chunks, words } = file;
  let next = 0;
  await inSlices(
    storage.transactionRelaxed,
    () => {
      if (next === 0) storage.texts.write(version.num, parsed.text, blocksJson);
      const chunk = chunks[next];
      if (chunk === undefined) {
        switchVersion(deps, target, file);
        return false;
      }
      const text = parsed.text.slice(chunk.start, chunk.end);
      const hash = passageHash(chunk.context, text);
      const id = storage.chunks.insert({ ...chunk, kb: kb.num, document: document.num, version: version.num, text, hash, edited: false });
      const cut = words[next];
      storage.index.addChunks(kb.num, [{ chunkId: id, words: [cut?.body ?? ""], contextWords: [cut?.context ?? ""] }]);
      // The same passage was embedded before: an earlier version, another file.
      const vector = kb.embedder === null ? undefined : storage.vectors.find(kb.embedder, hash);
      if (vector !== undefined) {
        storage.index.addVectors([{ chunkId: id, vector }]);
        storage.chunks.markEmbedded(id);
      }
      next++;
      return true;
    },
    {
      signal: context.signal,
      gate: deps.gate,
      beforeSlice: () => findTarget(deps, version.num) !== null,
      afterSlice: () => context.progress(next, chunks.length),
    },
  );
}

/** Everything people see changes at once: new text and words in, old ones out of sight. */
function switchVersion(deps: IngestDeps, { version, document, kb }: Target, { parsed }: ReadFile): void {
  const { storage } = deps;
  if (findTarget(deps, version.num) === null) return;
  const row = storage.documents.findByNum(document.num) as DocumentRow;
  const { count, embedded } = storage.chunks.count(version.num);
  const title = row.titleByPerson ? row.title : (parsed.meta.title ?? row.title);
  const date = row.dateByPerson ? row.date : (parsed.meta.date ?? null);
  const work = workKey(title, row.path);
  const needsOcr = count === 0 && parsed.scannedPages.length > 0;
  if (row.currentVersion !== null) storage.versions.update(row.currentVersion, { state: "old" });
  storage.versions.update(version.num, {
    state: "current",
    pages: parsed.pages,
    scanned: parsed.scannedPages,
    warnings: parsed.warnings,
    language: parsed.meta.language ?? null,
    chunks: count,
    embedded,
  });
  storage.documents.update(document.num, {
    currentVersion: version.num,
    title,
    date,
    work,
    error: null,
    state: needsOcr ? "needs-ocr" : embedded === count ? "ready" : "words",
    updatedAt: new Date(deps.now()).toISOString(),
  });
  for (const key of new Set([row.work, work])) if (key !== null) relinkEditions(deps, kb.num, key);
  if (work === null && row.edition !== null) storage.documents.update(document.num, { edition: null, supersededBy: null });
  storage.index.makeVisible(version.num);
  if (embedded < count) enqueueEmbedding(deps, kb);
  if (row.currentVersion !== null) enqueuePurge(deps);
}

/** After a date or a name changed, or a document went. */
export function relinkEditions({ storage, now }: IngestDeps, kb: number, work: string): void {
  const today = new Date(now()).toISOString().slice(0, 10);
  for (const change of linkEditions(storage.documents.editions(kb, work), today)) {
    storage.documents.update(change.num, { edition: change.edition, supersededBy: change.supersededBy });
  }
}

/** Members that the new version of an archive no longer holds. */
function removeLostMembers(deps: IngestDeps, document: DocumentRow, members: ReadonlySet<string>): void {
  const lost = deps.storage.documents.children(document.num).filter((child) => !members.has(child.id));
  if (lost.length === 0) return;
  deps.storage.transaction(() => {
    for (const child of lost) deps.storage.documents.remove(child.num);
    enqueuePurge(deps);
  });
}
