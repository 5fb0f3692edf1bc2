/** @file Takes a file in: bytes and row durable, then a job reads it. Same path and bytes again change nothing. */
import { newId, StarboxError } from "#base";
import type { AddedFile } from "#contracts";
import type { BlobSource, DocumentRow, KbRow } from "#storage";
import type { IngestDeps } from "./deps.ts";
import { cleanPath, folderOf, stemOf, typeOf } from "./paths.ts";

export type NewFile = {
  readonly path: string;
  readonly content: BlobSource;
  readonly tags?: readonly string[];
  /** The archive or mail it came out of. */
  readonly parent?: number;
  /** Somebody looks on: before batches. */
  readonly urgent?: boolean;
  /** Throws when this path may not be written (any more). */
  readonly check?: (path: string) => void;
  /** Who adds it: a person's id, or a role. */
  readonly by?: string;
  /** Added by somebody who may approve: readers see it at once. */
  readonly approved?: boolean;
  /** Called with what was added, before it is promised: what it writes is promised with it. */
  readonly note?: (documentId: string) => void;
};

export async function addFile(deps: IngestDeps, kb: KbRow, file: NewFile): Promise<AddedFile> {
  const { storage } = deps;
  const path = cleanPath(file.path);
  deps.requireRoom?.();
  const blob = await storage.blobs.write(file.content, { maxBytes: deps.maxFileBytes });
  try {
    const added = storage.transactionRelaxed(() => {
      // The base may have gone while the bytes were coming in.
      if (storage.kbs.findByNum(kb.num) === undefined) throw new StarboxError("kb_not_found", `The knowledge base "${kb.name}" was removed.`);
      file.check?.(path);
      const known = storage.documents.findByPath(kb.num, path);
      if (known !== undefined && isSame(deps, known, blob.sha256)) {
        updateTags(deps, known, file.tags);
        return { path, documentId: known.id, changed: false };
      }
      const at = new Date(deps.now()).toISOString();
      const document = known ?? insertDocument(deps, kb, path, file, at);
      const version = insertVersion(deps, document, blob, at);
      if (file.approved === true || isInApproved(deps, file.parent)) storage.access.approve(version, file.by ?? "", at);
      storage.documents.update(document.num, {
        newestVersion: version,
        state: "waiting",
        error: null,
        updatedAt: at,
        ...(file.tags === undefined ? {} : { tags: file.tags }),
      });
      enqueue(deps, kb, { path, version, bytes: blob.bytes, urgent: file.urgent ?? false });
      file.note?.(document.id);
      return { path, documentId: document.id, changed: true };
    });
    // Many files at a time share the wait for the disk.
    await storage.flushed();
    return added;
  } finally {
    blob.release();
  }
}

/** A member of an archive is approved with it. */
function isInApproved({ storage }: IngestDeps, parent: number | undefined): boolean {
  const version = parent === undefined ? null : (storage.documents.findByNum(parent)?.newestVersion ?? null);
  return version !== null && storage.access.isApproved(version);
}

/** The newest version has these bytes. A fault of the box, not of the file, is worth another try. */
function isSame({ storage }: IngestDeps, document: DocumentRow, sha256: string): boolean {
  if (document.newestVersion === null || storage.versions.findByNum(document.newestVersion)?.sha256 !== sha256) return false;
  return document.state !== "failed" || document.error === null || !["internal", "cancelled", "disk_full", "busy"].includes(document.error.code);
}

function updateTags({ storage }: IngestDeps, document: DocumentRow, tags: readonly string[] | undefined): void {
  if (tags !== undefined && tags.join("\n") !== document.tags.join("\n")) storage.documents.update(document.num, { tags });
}

function insertDocument({ storage, now }: IngestDeps, kb: KbRow, path: string, file: NewFile, at: string): DocumentRow {
  const num = storage.documents.insert({
    id: newId("doc", now()),
    kb: kb.num,
    path,
    folder: folderOf(path),
    title: stemOf(path),
    type: typeOf(path),
    tags: file.tags ?? [],
    parent: file.parent ?? null,
    state: "waiting",
    addedBy: file.by ?? null,
    createdAt: at,
  });
  return storage.documents.findByNum(num) as DocumentRow;
}

function insertVersion({ storage, now }: IngestDeps, document: DocumentRow, blob: { sha256: string; bytes: number }, at: string): number {
  const earlier = storage.versions.list(document.num);
  // A version nobody has read yet is overtaken: its job finds it old and ends.
  for (const version of earlier)
    if (version.state === "building" || version.state === "failed") storage.versions.update(version.num, { state: "old" });
  return storage.versions.insert({
    id: newId("ver", now()),
    document: document.num,
    number: (earlier.at(-1)?.number ?? 0) + 1,
    sha256: blob.sha256,
    bytes: blob.bytes,
    createdAt: at,
  });
}

export function enqueue(
  deps: IngestDeps,
  kb: Pick<KbRow, "id">,
  file: { readonly path: string; readonly version: number; readonly bytes: number; readonly urgent: boolean },
): void {
  deps.jobs.add({
    kind: "ingest",
    subject: file.path,
    kbId: kb.id,
    key: String(file.version),
    payload: { version: file.version },
    priority: file.urgent ? 0 : 10,
    size: file.bytes,
    unit: "chunks",
  });
}
