/** @file The job that reads one version in: parse, store chunks and words in slices, then one transaction makes it the current one. */
import type { JobContext, JobHandler } from "#contracts";
import type { DocumentRow, KbRow, VersionRow } from "#storage";
import { addFile } from "./add-file.ts";
import type { IngestDeps, JobDeps, ReadFile } from "./deps.ts";
import { enqueueEmbedding } from "./embed-job.ts";
import { passageHash } from "./passage.ts";
import { removeSomeChunks } from "./purge-job.ts";
import { runRecut } from "./recut-job.ts";
import { inSlices } from "./slices.ts";
import { holdVersion, mustWait, removeLostMembers, switchVersion } from "./switch-version.ts";

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
  // One that waits for approval has been read.
  if (target === null || target.version.held !== null) return;
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
  await writeChunks(deps, target, file, members, context);
  // What waits for approval takes nothing away yet.
  if (storage.versions.findByNum(version.num)?.held === null) removeLostMembers(deps, document, members);
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
async function writeChunks(deps: JobDeps, target: Target, file: ReadFile, members: ReadonlySet<string>, context: JobContext): Promise<void> {
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
        finishReading(deps, target, file, members);
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

/** What the reading found is kept; then the version becomes the current one, or waits for approval beside the one that is. */
function finishReading(deps: IngestDeps, { version, document, kb }: Target, { parsed }: ReadFile, members: ReadonlySet<string>): void {
  const { storage } = deps;
  if (findTarget(deps, version.num) === null) return;
  const { count, embedded } = storage.chunks.count(version.num);
  storage.versions.update(version.num, {
    pages: parsed.pages,
    scanned: parsed.scannedPages,
    warnings: parsed.warnings,
    language: parsed.meta.language ?? null,
    chunks: count,
    embedded,
  });
  const found = { title: parsed.meta.title ?? null, date: parsed.meta.date ?? null, members: [...members] };
  if (mustWait(deps, document.num, version.num)) holdVersion(deps, document.num, version.num, found);
  else switchVersion(deps, document.num, version.num, found);
  if (embedded < count) enqueueEmbedding(deps, kb);
}
