/** @file What the knowledge service needs, and the look-ups all of its parts share. */
import { StarboxError } from "#base";
import type { JobRunner, Retriever } from "#contracts";
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
  readonly now: () => number;
};

export type Lookup = ReturnType<typeof createLookup>;

/** Rows by what people send, or a named error. */
export function createLookup({ storage, now }: Pick<KnowledgeDeps, "storage" | "now">) {
  const document = (id: string): DocumentRow => {
    const row = storage.documents.find(id);
    if (row === undefined) {
      throw new StarboxError("document_not_found", `There is no document ${id}.`, {
        hint: "List the base's documents for their ids.",
        zh: { message: `没有文档 ${id}。`, hint: "请在知识库的文档列表中查看编号。" },
      });
    }
    return row;
  };
  return {
    at: () => new Date(now()).toISOString(),
    base(idOrName: string): KbRow {
      const row = storage.kbs.find(idOrName) ?? storage.kbs.findByName(idOrName);
      if (row !== undefined) return row;
      const names = storage.kbs.list().map((kb) => kb.name);
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
    chunk(id: number): { readonly chunk: ChunkRow; readonly document: DocumentRow; readonly kb: KbRow } {
      const chunk = storage.chunks.find(id);
      const owner = chunk === undefined ? undefined : storage.documents.findByNum(chunk.document);
      if (chunk === undefined || owner === undefined || owner.currentVersion !== chunk.version) {
        throw new StarboxError("not_found", `There is no chunk ${id} any more.`, {
          hint: "Its document was read again: list its chunks anew.",
          zh: { message: `片段 ${id} 已不存在。`, hint: "文档可能已重新读取，请刷新片段列表。" },
        });
      }
      return { chunk, document: owner, kb: storage.kbs.findByNum(owner.kb) as KbRow };
    },
  };
}

export function invalid(message: string, zh: string, hint?: string): StarboxError {
  return new StarboxError("invalid_input", message, { zh: { message: zh }, ...(hint === undefined ? {} : { hint }) });
}
