/** @file What the assistants room is given, and the look-ups its services share. */
import { StarboxError } from "#base";
import type { Access, Actor, Answerer, AuditSink, LanguageModel, ModelsService } from "#contracts";
import type { Storage } from "#storage";

export type AssistantsDeps = {
  readonly storage: Pick<Storage, "answers" | "chats" | "gaps" | "kbs">;
  readonly answerer: Answerer;
  readonly access: Access;
  readonly audit: AuditSink;
  readonly models: Pick<ModelsService, "languageModel">;
  /** How much two questions ask the same, 0 to 1. */
  readonly likeness: (a: string, b: string) => number;
  readonly newId: (prefix: string) => string;
  readonly now: () => number;
};

export const stamp = (deps: Pick<AssistantsDeps, "now">): string => new Date(deps.now()).toISOString();

/** Ids of bases given by id or name. One that the actor may not read is not there. */
export function baseIds(
  deps: { readonly storage: Pick<Storage, "kbs">; readonly access: AssistantsDeps["access"] },
  actor: Actor,
  idsOrNames: readonly string[],
): string[] {
  return idsOrNames.map((idOrName) => {
    const row = deps.storage.kbs.find(idOrName) ?? deps.storage.kbs.findByName(idOrName);
    if (deps.access.base(actor, row?.id ?? "") !== null && row !== undefined) return row.id;
    const names = deps.storage.kbs
      .list()
      .filter((kb) => deps.access.base(actor, kb.id) !== null)
      .map((kb) => kb.name);
    throw new StarboxError("kb_not_found", `There is no knowledge base "${idOrName}".`, {
      hint: names.length === 0 ? "Create one: starbox kb create NAME." : `There are: ${names.slice(0, 10).join(", ")}.`,
      zh: {
        message: `没有名为“${idOrName}”的知识库。`,
        hint: names.length === 0 ? "请先创建：starbox kb create 名称。" : `现有：${names.slice(0, 10).join("、")}。`,
      },
    });
  });
}

/** The model that helps to answer from documents; null while none is ready, since answering goes on without one. A model asked for by name must be there. */
export async function answeringModel(deps: Pick<AssistantsDeps, "models">, id: string | undefined): Promise<LanguageModel | null> {
  try {
    return await deps.models.languageModel(id);
  } catch (error) {
    const isMissing = StarboxError.is(error, "model_not_ready") || StarboxError.is(error, "model_not_found");
    if (id === undefined && isMissing) return null;
    throw error;
  }
}

/** Whose chats and answers they are: a person's, a team's key's, or (null) the operator's. */
export const ownerOf = (actor: Actor): string | null => actor.personId ?? (actor.teamId === undefined ? null : `team:${actor.teamId}`);

/** What quotes documents that the actor may not read (any more). */
export function isWithheld(deps: Pick<AssistantsDeps, "access">, actor: Actor, sources: readonly { readonly documentId: string }[]): boolean {
  return sources.some(({ documentId }) => deps.access.document(actor, documentId) === null);
}

export const withheldText = "This answer quoted documents that you may no longer read. 该回答引用了你已无权查看的资料，内容不再显示。";

export function accessLost(): StarboxError {
  return new StarboxError("forbidden", "The right to read a source was taken away while the answer was being written.", {
    hint: "Ask again: the answer then rests on what you may read.",
    zh: { message: "回答过程中，你查看其中一份资料的权限已被收回。", hint: "请重新提问，回答将只依据你有权查看的资料。" },
  });
}
