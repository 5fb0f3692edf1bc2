/** @file Legal holds: what is under one is not removed, whoever asks. */
import { newId, StarboxError } from "#base";
import type { ChatService, Hold, HoldKind, KnowledgeService } from "#contracts";
import type { PrivacyRepository } from "#storage";

export type Held = { readonly personId?: string | null; readonly kbId?: string; readonly documentId?: string; readonly chatId?: string };

export type Holds = {
  list(): readonly Hold[];
  add(input: { readonly kind: HoldKind; readonly subject: string; readonly reason: string }): Hold;
  release(id: string): Hold;
  /** The hold that keeps a thing, or null. */
  over(thing: Held): Hold | null;
  /** Throws, naming the hold. */
  needFree(thing: Held): void;
};

export function createHolds(store: PrivacyRepository, now: () => number): Holds {
  let open = store.openHolds();
  const over = (thing: Held): Hold | null =>
    open.find(
      ({ kind, subject }) =>
        kind === "everything" ||
        (kind === "person" && subject === thing.personId) ||
        (kind === "base" && subject === thing.kbId) ||
        (kind === "document" && subject === thing.documentId) ||
        (kind === "chat" && subject === thing.chatId),
    ) ?? null;
  return {
    list: () => store.listHolds(),
    over,
    needFree(thing) {
      const hold = over(thing);
      if (hold !== null) throw held(hold);
    },
    add({ kind, subject, reason }) {
      if (!store.exists(kind, subject)) throw noSubject(kind, subject);
      const hold: Hold = { id: newId("hold", now()), kind, subject, reason, createdAt: new Date(now()).toISOString(), releasedAt: null };
      store.insertHold(hold);
      open = store.openHolds();
      return hold;
    },
    release(id) {
      const found = open.find((hold) => hold.id === id);
      if (found === undefined || !store.releaseHold(id, new Date(now()).toISOString())) throw noHold(id);
      open = store.openHolds();
      return found;
    },
  };
}

export function held(hold: Hold): StarboxError {
  return new StarboxError("conflict", `A legal hold keeps this: "${hold.reason}".`, {
    hint: "An administrator releases it under Box › Privacy, or with starbox privacy release ID.",
    zh: { message: `该内容处于法律保留状态：“${hold.reason}”。`, hint: "管理员可在「本机 › 隐私」中解除，或使用 starbox privacy release 编号。" },
    details: { hold: hold.id },
  });
}

const noSubject = (kind: HoldKind, subject: string): StarboxError =>
  new StarboxError("not_found", `There is no ${kind} "${subject}" to hold.`, {
    hint: "Give the id of a person, base, document or chat; everything has none.",
    zh: { message: `没有可保留的对象“${subject}”（${kind}）。`, hint: "请给出人员、知识库、文档或对话的编号；everything 不需要编号。" },
  });
const noHold = (id: string): StarboxError =>
  new StarboxError("not_found", `There is no open hold "${id}".`, {
    hint: "GET /api/privacy/holds lists them.",
    zh: { message: `没有生效中的保留“${id}”。`, hint: "GET /api/privacy/holds 可列出。" },
  });

/** Removing and replacing meet the holds first. */
export function holdKnowledge(knowledge: KnowledgeService, store: PrivacyRepository, holds: Holds): KnowledgeService {
  const needDocument = (documentId: string): void => {
    const place = store.documentPlace(documentId);
    if (place !== undefined) holds.needFree({ documentId, kbId: place.kbId, personId: place.personId });
  };
  const needChunk = (chunkId: number): void => {
    const documentId = store.chunkDocument(chunkId);
    if (documentId !== undefined) needDocument(documentId);
  };
  return {
    ...knowledge,
    async removeBase(actor, kbId) {
      // Only for those who may see it: the refusal must not tell others that it is there.
      const base = await knowledge.readBase(actor, kbId);
      holds.needFree({ kbId: base.id });
      for (const documentId of store.documentIds(base.id)) needDocument(documentId);
      await knowledge.removeBase(actor, base.id);
    },
    async removeDocument(actor, documentId) {
      await knowledge.readDocument(actor, documentId);
      needDocument(documentId);
      await knowledge.removeDocument(actor, documentId);
    },
    async addFile(actor, kbId, file) {
      const base = await knowledge.readBase(actor, kbId);
      const documentId = store.documentAt(base.id, file.path);
      // A new edition takes the place of the old one.
      if (documentId !== undefined && holds.over({ documentId, kbId: base.id }) !== null) {
        await knowledge.readDocument(actor, documentId);
        needDocument(documentId);
      }
      return await knowledge.addFile(actor, kbId, file);
    },
    async updateChunk(actor, chunkId, patch) {
      needChunk(chunkId);
      return await knowledge.updateChunk(actor, chunkId, patch);
    },
  };
}

export function holdChats(chats: ChatService, store: PrivacyRepository, holds: Holds): ChatService {
  return {
    ...chats,
    async removeChat(actor, chatId) {
      const owner = store.chatOwner(chatId);
      if (owner === actor.personId) holds.needFree({ chatId, personId: owner });
      await chats.removeChat(actor, chatId);
    },
  };
}
