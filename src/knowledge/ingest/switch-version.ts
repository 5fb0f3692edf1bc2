/** @file What people see of a document changes at once: a version becomes the current one, or waits for approval while the one before it serves. */
import type { DocumentRow, HeldVersion, VersionRow } from "#storage";
import type { IngestDeps } from "./deps.ts";
import { linkEditions, workKey } from "./editions.ts";
import { enqueuePurge } from "./purge-job.ts";

/** Readers see an approved version, and nobody has approved this one. */
export function mustWait({ storage }: IngestDeps, document: number, version: number): boolean {
  const row = storage.documents.findByNum(document);
  if (row === undefined || row.currentVersion === null || row.currentVersion === version) return false;
  return storage.access.isApprovalOn(row.kb) && storage.access.isApproved(row.currentVersion) && !storage.access.isApproved(version);
}

/** The state a document has by the version that is found. */
function stateOf({ chunks, embedded, scanned }: VersionRow): "needs-ocr" | "ready" | "words" {
  return chunks === 0 && scanned.length > 0 ? "needs-ocr" : embedded === chunks ? "ready" : "words";
}

export function holdVersion(deps: IngestDeps, document: number, version: number, found: HeldVersion): void {
  const { storage } = deps;
  const row = storage.documents.findByNum(document) as DocumentRow;
  const current = storage.versions.findByNum(row.currentVersion as number) as VersionRow;
  storage.versions.update(version, { held: found });
  storage.documents.update(document, { state: stateOf(current), error: null, updatedAt: new Date(deps.now()).toISOString() });
  // An earlier one that waited was overtaken.
  if (storage.versions.listOld(1).length > 0) enqueuePurge(deps);
}

/** New text and words in, old ones out of sight. */
export function switchVersion(deps: IngestDeps, document: number, num: number, found: HeldVersion): void {
  const { storage } = deps;
  const row = storage.documents.findByNum(document) as DocumentRow;
  const { count, embedded } = storage.chunks.count(num);
  const title = row.titleByPerson ? row.title : (found.title ?? row.title);
  const date = row.dateByPerson ? row.date : found.date;
  const work = workKey(title, row.path);
  if (row.currentVersion !== null) storage.versions.update(row.currentVersion, { state: "old" });
  storage.versions.update(num, { state: "current", chunks: count, embedded, held: null });
  storage.documents.update(document, {
    currentVersion: num,
    title,
    date,
    work,
    error: null,
    state: stateOf(storage.versions.findByNum(num) as VersionRow),
    updatedAt: new Date(deps.now()).toISOString(),
  });
  for (const key of new Set([row.work, work])) if (key !== null) relinkEditions(deps, row.kb, key);
  if (work === null && row.edition !== null) storage.documents.update(document, { edition: null, supersededBy: null });
  storage.index.makeVisible(num);
  if (row.currentVersion !== null) enqueuePurge(deps);
}

/** The newest version of a document, if it waits. */
export function heldVersion({ storage }: Pick<IngestDeps, "storage">, row: DocumentRow): VersionRow | null {
  const version = row.newestVersion === null ? undefined : storage.versions.findByNum(row.newestVersion);
  return version?.held == null || version.state !== "building" ? null : version;
}

/** It was approved, or nothing waits any more. */
export function releaseVersion(deps: IngestDeps, row: DocumentRow): void {
  const version = heldVersion(deps, row);
  if (version?.held == null) return;
  const { members } = version.held;
  switchVersion(deps, row.num, version.num, version.held);
  removeLostMembers(deps, row, new Set(members));
}

/** It was turned down: the one before it stays, and what waited is taken apart. */
export function rejectVersion(deps: IngestDeps, row: DocumentRow): void {
  const version = heldVersion(deps, row);
  if (version === null) return;
  deps.storage.versions.update(version.num, { state: "old", held: null });
  deps.storage.documents.update(row.num, { newestVersion: row.currentVersion, updatedAt: new Date(deps.now()).toISOString() });
  enqueuePurge(deps);
}

/** After a date or a name changed, or a document went. */
export function relinkEditions({ storage, now }: IngestDeps, kb: number, work: string): void {
  const today = new Date(now()).toISOString().slice(0, 10);
  for (const change of linkEditions(storage.documents.editions(kb, work), today)) {
    storage.documents.update(change.num, { edition: change.edition, supersededBy: change.supersededBy });
  }
}

/** Members that the new version of an archive no longer holds. */
export function removeLostMembers(deps: IngestDeps, document: DocumentRow, members: ReadonlySet<string>): void {
  const lost = deps.storage.documents.children(document.num).filter((child) => !members.has(child.id));
  if (lost.length === 0) return;
  deps.storage.transaction(() => {
    for (const child of lost) deps.storage.documents.remove(child.num);
    enqueuePurge(deps);
  });
}
