/** @file Curated answers: fixed words for a question, shown and given only to those who may read all they rest on. */
import { newId } from "#base";
import type { Actor, CuratedAnswer, KnowledgeService } from "#contracts";
import type { CuratedRow } from "#storage";
import { createLookup, invalid, type KnowledgeDeps, missing, requireLevel } from "./deps.ts";

type Part = Pick<KnowledgeService, "listCurated" | "writeCurated" | "removeCurated" | "approveCurated">;

/** It has been approved, or the actor may write; and every document it rests on may be read. */
export function isShown({ access }: Pick<KnowledgeDeps, "access">, actor: Actor, row: CuratedRow): boolean {
  if (!row.approved && access.base(actor, row.kbId) === "read") return false;
  return row.documentIds.every((id) => access.document(actor, id) !== null);
}

export function createCurated(deps: KnowledgeDeps): Part {
  const { storage, access } = deps;
  const lookup = createLookup(deps);
  const find = (actor: Actor, id: string): CuratedRow => {
    const row = storage.curated.find(id);
    const level = access.base(actor, row?.kbId ?? "");
    if (row === undefined || level === null || !isShown(deps, actor, row)) throw missing("curated answer", "固定回答", id);
    return row;
  };
  return {
    async listCurated(actor, kbId) {
      const kb = lookup.base(actor, kbId, "read");
      return storage.curated
        .list(kb.id)
        .filter((row) => isShown(deps, actor, row))
        .map(present);
    },
    async writeCurated(actor, kbId, input) {
      const kb = lookup.base(actor, kbId, "write");
      const [question, answer] = [input.question.trim(), input.answer.trim()];
      if (question === "" || answer === "") throw invalid("A curated answer needs a question and an answer.", "固定回答需要问题和答案。");
      const known = input.id === undefined ? undefined : find(actor, input.id);
      if (input.id !== undefined && known?.kbId !== kb.id) throw missing("curated answer", "固定回答", input.id);
      for (const id of input.documentIds ?? []) lookup.document(actor, id, "read");
      const at = lookup.at();
      const id = known?.id ?? newId("cur", deps.now());
      storage.curated.write({
        id,
        kbId: kb.id,
        question,
        answer,
        documentIds: input.documentIds ?? known?.documentIds ?? [],
        createdBy: known?.createdBy ?? actor.personId ?? actor.role,
        approved: !storage.access.isApprovalOn(kb.num) || access.base(actor, kb.id) === "manage",
        createdAt: known?.createdAt ?? at,
        updatedAt: at,
      });
      return present(storage.curated.find(id) as CuratedRow);
    },
    async removeCurated(actor, id) {
      const row = find(actor, id);
      requireLevel(actor, access.base(actor, row.kbId) ?? "read", "write");
      storage.curated.remove(id);
    },
    async approveCurated(actor, id) {
      const row = find(actor, id);
      requireLevel(actor, access.base(actor, row.kbId) ?? "read", "manage");
      storage.curated.write({ ...row, approved: true });
    },
  };
}

const present = ({ documentIds: _documents, createdAt: _created, ...row }: CuratedRow): CuratedAnswer => row;
