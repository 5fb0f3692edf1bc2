/** @file What the knowledge service needs, and the look-ups all of its parts share. */
import { StarboxError } from "#base";
import type { Access, Actor, AuditSink, JobRunner, Level, Retriever } from "#contracts";
import type { ChunkRow, DocumentRow, KbRow, Storage } from "#storage";
import type { FileReader, Ingest } from "../ingest/index.ts";

export type KnowledgeDeps = {
  readonly storage: Storage;
  readonly ingest: Ingest;
  readonly jobs: JobRunner;
  readonly retriever: Retriever;
  readonly reader: FileReader;
  /** Folder with the documents that come with the box. */
  readonly samplesFolder: string;
  readonly access: Access;
  readonly audit: AuditSink;
  readonly now: () => number;
};

export type Lookup = ReturnType<typeof createLookup>;

/** Rows by what people send, or a named error. What the actor may not read is not there; what they may read but not change is refused. */
export function createLookup({ storage, access, now }: Pick<KnowledgeDeps, "storage" | "access" | "now">) {
  const visibleNames = (actor: Actor): readonly string[] =>
    storage.kbs
      .list()
      .filter((kb) => access.base(actor, kb.id) !== null)
      .map((kb) => kb.name);
  const document = (actor: Actor, id: string, need: Level): DocumentRow => {
    const level = access.document(actor, id);
    const row = storage.documents.find(id);
    if (row === undefined || level === null) {
      throw new StarboxError("document_not_found", `There is no document ${id}.`, {
        hint: "List the base's documents for their ids.",
        zh: { message: `没有文档 ${id}。`, hint: "请在知识库的文档列表中查看编号。" },
      });
    }
    requireLevel(actor, level, need);
    return row;
  };
  return {
    at: () => new Date(now()).toISOString(),
    base(actor: Actor, idOrName: string, need: Level): KbRow {
      const row = storage.kbs.find(idOrName) ?? storage.kbs.findByName(idOrName);
      const level = access.base(actor, row?.id ?? "");
      if (row !== undefined && level !== null) {
        requireLevel(actor, level, need);
        return row;
      }
      const names = visibleNames(actor);
      throw new StarboxError("kb_not_found", `There is no knowledge base "${idOrName}".`, {
        hint: names.length === 0 ? "Create one: starbox kb create NAME." : `There are: ${names.slice(0, 10).join(", ")}.`,
        zh: {
          message: `没有名为“${idOrName}”的知识库。`,
          hint: names.length === 0 ? "请先创建：starbox kb create 名称。" : `现有：${names.slice(0, 10).join("、")}。`,
        },
      });
    },
    baseOf: (row: DocumentRow): KbRow => storage.kbs.findByNum(row.kb) as KbRow,
    document,
    chunk(actor: Actor, id: number, need: Level): { readonly chunk: ChunkRow; readonly document: DocumentRow; readonly kb: KbRow } {
      const level = access.chunk(actor, id);
      const chunk = storage.chunks.find(id);
      const owner = chunk === undefined ? undefined : storage.documents.findByNum(chunk.document);
      if (chunk === undefined || owner === undefined || owner.currentVersion !== chunk.version || level === null) {
        throw new StarboxError("not_found", `There is no chunk ${id} any more.`, {
          hint: "Its document was read again: list its chunks anew.",
          zh: { message: `片段 ${id} 已不存在。`, hint: "文档可能已重新读取，请刷新片段列表。" },
        });
      }
      requireLevel(actor, level, need);
      return { chunk, document: owner, kb: storage.kbs.findByNum(owner.kb) as KbRow };
    },
  };
}

const order: Readonly<Record<Level, number>> = { read: 1, write: 2, manage: 3 };
const words: Readonly<Record<Level, readonly [english: string, chinese: string]>> = {
  read: ["read", "查看"],
  write: ["change", "修改"],
  manage: ["manage", "管理"],
};

/** Throws `forbidden` for what is there and may be read, but not this. Somebody looking through another's eyes changes nothing. */
export function requireLevel(actor: Actor, level: Level, need: Level): void {
  if (order[level] >= order[need] && (need === "read" || actor.viewedBy === undefined)) return;
  throw new StarboxError("forbidden", `You may not ${words[need][0]} this.`, {
    hint: "Ask the base's owner, or an administrator of this box.",
    zh: { message: `你没有${words[need][1]}权限。`, hint: "请联系该知识库的负责人或本机的管理员。" },
  });
}

export function invalid(message: string, zh: string, hint?: string): StarboxError {
  return new StarboxError("invalid_input", message, { zh: { message: zh }, ...(hint === undefined ? {} : { hint }) });
}

export function missing(what: string, zh: string, id: string): StarboxError {
  return new StarboxError("not_found", `There is no ${what} ${id}.`, {
    hint: "List them again: it may have been removed.",
    zh: { message: `没有${zh} ${id}。`, hint: "请刷新列表，它可能已被删除。" },
  });
}
