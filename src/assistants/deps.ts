/** @file What the assistants room is given, and the look-ups its services share. */
import { StarboxError } from "#base";
import type { Actor, Answerer, LanguageModel, ModelsService } from "#contracts";
import type { Storage } from "#storage";

export type AssistantsDeps = {
  readonly storage: Pick<Storage, "answers" | "chats" | "gaps" | "kbs">;
  readonly answerer: Answerer;
  readonly models: Pick<ModelsService, "languageModel">;
  /** How much two questions ask the same, 0 to 1. */
  readonly likeness: (a: string, b: string) => number;
  readonly newId: (prefix: string) => string;
  readonly now: () => number;
};

export const stamp = (deps: Pick<AssistantsDeps, "now">): string => new Date(deps.now()).toISOString();

/** Ids of bases given by id or name. */
export function baseIds(deps: Pick<AssistantsDeps, "storage">, idsOrNames: readonly string[]): string[] {
  return idsOrNames.map((idOrName) => {
    const row = deps.storage.kbs.find(idOrName) ?? deps.storage.kbs.findByName(idOrName);
    if (row !== undefined) return row.id;
    const names = deps.storage.kbs.list().map((kb) => kb.name);
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

export const viewerOf = (actor: Actor) => ({ person: actor.personId, access: "everything" }) as const;
