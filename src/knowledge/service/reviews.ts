/** @file Care for documents: approval before readers see them, and the day on which somebody should look again. */
import type { KnowledgeService } from "#contracts";
import type { DocumentRow } from "#storage";
import { createLookup, type KnowledgeDeps } from "./deps.ts";
import { ownerOf, presentDocument } from "./documents.ts";

type Part = Pick<KnowledgeService, "approveDocument" | "listReviews">;

export function createReviews(deps: KnowledgeDeps): Part {
  const { storage, access, audit } = deps;
  const lookup = createLookup(deps);
  /** With the members of an archive. */
  const approve = (row: DocumentRow, approved: boolean, by: string): void => {
    const version = row.currentVersion ?? row.newestVersion;
    if (version !== null) {
      if (approved) storage.access.approve(version, by, lookup.at());
      else storage.access.withdraw(version);
    }
    for (const child of storage.documents.children(row.num)) approve(child, approved, by);
  };
  return {
    async approveDocument(actor, documentId, approved) {
      const row = lookup.document(actor, documentId, "read");
      const kb = lookup.base(actor, lookup.baseOf(row).id, "manage");
      const action = approved ? "document.approve" : "document.withdraw";
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
