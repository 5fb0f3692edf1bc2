/** @file Care for documents: approval before readers see them, and the day on which somebody should look again. */
import type { KnowledgeService } from "#contracts";
import type { DocumentRow } from "#storage";
import { heldVersion } from "../ingest/index.ts";
import { createLookup, type KnowledgeDeps } from "./deps.ts";
import { ownerOf, presentDocument } from "./documents.ts";

type Part = Pick<KnowledgeService, "approveDocument" | "listReviews">;

export function createReviews(deps: KnowledgeDeps): Part {
  const { storage, access, audit } = deps;
  const lookup = createLookup(deps);
  /** With the members of an archive. A new version that waits is what is decided on; without one, the version that is there. */
  const approve = (row: DocumentRow, approved: boolean, by: string, isMember = false): void => {
    const waiting = heldVersion(deps, row);
    const version = waiting?.num ?? row.currentVersion ?? row.newestVersion;
    if (waiting !== null && !approved) deps.ingest.rejectVersion(row);
    else if (version !== null && approved) storage.access.approve(version, by, lookup.at());
    else if (version !== null) storage.access.withdraw(version);
    // A member that is still being read comes with its archive.
    if (isMember && approved && row.newestVersion !== null) storage.access.approve(row.newestVersion, by, lookup.at());
    if (waiting !== null && approved) deps.ingest.releaseVersion(row);
    for (const child of storage.documents.children(row.num)) approve(child, approved, by, true);
  };
  return {
    async approveDocument(actor, documentId, approved) {
      const row = lookup.document(actor, documentId, "read");
      const kb = lookup.base(actor, lookup.baseOf(row).id, "manage");
      const action = approved ? "document.approve" : heldVersion(deps, row) === null ? "document.withdraw" : "document.reject";
      storage.transaction(() => {
        approve(row, approved, actor.personId ?? actor.role);
        audit.record({ actor, action, subject: { kind: "document", id: row.id, kbId: kb.id }, outcome: "ok" });
      });
      return presentDocument(deps, actor, lookup.document(actor, documentId, "read"), kb.id);
    },
    async listReviews(actor) {
      const today = lookup.at().slice(0, 10);
      return storage.documents.listDueReviews(today).flatMap((row) => {
        const kb = lookup.baseOf(row);
        const level = access.document(actor, row.id);
        const isMine = actor.personId !== null && row.owner === actor.personId;
        if (level === null || row.reviewAt === null || !(isMine || access.base(actor, kb.id) === "manage")) return [];
        const { id: documentId, path, title, reviewAt } = row;
        return [{ documentId, kbId: kb.id, base: kb.name, path, title, reviewAt, owner: ownerOf(storage, row) }];
      });
    },
  };
}
