/** @file Documents of a base as people see them: add, list, read, change, remove, text and original. */
import { StarboxError } from "#base";
import type { Actor, DocumentInfo, KnowledgeService } from "#contracts";
import type { DocumentRow, VersionRow } from "#storage";
import { cleanPath, heldVersion, workKey } from "../ingest/index.ts";
import { createLookup, invalid, type KnowledgeDeps, missing, requireLevel } from "./deps.ts";

type Part = Pick<
  KnowledgeService,
  "addFile" | "listDocuments" | "readDocument" | "updateDocument" | "removeDocument" | "retryDocument" | "readText" | "openOriginal" | "search"
>;

const defaultLimit = 50;
const maxLimit = 1000;

export function createDocuments(deps: KnowledgeDeps): Part {
  const { storage, ingest } = deps;
  const lookup = createLookup(deps);
  const present = (actor: Actor, row: DocumentRow): DocumentInfo => presentDocument(deps, actor, row, lookup.baseOf(row).id);
  const note = (actor: Actor, action: string, id: string, kbId: string): void =>
    deps.audit.record({ actor, action, subject: { kind: "document", id, kbId }, outcome: "ok" });
  return {
    async addFile(actor, kbId, file) {
      const kb = lookup.base(actor, kbId, "read");
      // Asked again when the bytes are here: a large file takes its time.
      const check = (path: string): void => {
        const level = deps.access.path(actor, kb.id, path);
        requireLevel(actor, level ?? "read", "write");
      };
      check(cleanPath(file.path));
      return await ingest.addFile(kb, {
        ...file,
        urgent: !("filePath" in file.content),
        check,
        approved: deps.access.base(actor, kb.id) === "manage",
        by: actor.personId ?? actor.role,
        note: (documentId) => note(actor, "document.add", documentId, kb.id),
      });
    },
    async listDocuments(actor, kbId, query = {}) {
      const kb = lookup.base(actor, kbId, "read");
      const limit = Math.min(maxLimit, Math.max(1, query.limit ?? defaultLimit));
      const { cursor, limit: _limit, ...filter } = query;
      const rows = storage.documents.list(kb.num, deps.access.readable(actor), {
        ...filter,
        limit: limit + 1,
        ...(cursor === undefined ? {} : { after: readCursor(cursor) }),
      });
      const items = rows.slice(0, limit).map((row) => presentDocument(deps, actor, row, kb.id));
      const last = items.at(-1);
      return { items, nextCursor: rows.length > limit && last !== undefined ? Buffer.from(last.path).toString("base64url") : null };
    },
    readDocument: async (actor, documentId) => present(actor, lookup.document(actor, documentId, "read")),
    async updateDocument(actor, documentId, patch) {
      const row = lookup.document(actor, documentId, "write");
      const title = patch.title?.trim();
      if (title === "" || (title?.length ?? 0) > 300) throw invalid("A title has 1 to 300 characters.", "标题需为 1 到 300 个字符。");
      if (patch.date !== undefined && patch.date !== null && !isDate(patch.date))
        throw invalid(`Expected a date such as 2024-05-01, got ${JSON.stringify(patch.date)}.`, "日期格式应为 2024-05-01。");
      if (patch.reviewAt !== undefined && patch.reviewAt !== null && !isDate(patch.reviewAt))
        throw invalid(`Expected a date such as 2027-05-01, got ${JSON.stringify(patch.reviewAt)}.`, "复核日期格式应为 2027-05-01。");
      if (patch.ownerId !== undefined && patch.ownerId !== null && storage.people.readPerson(patch.ownerId) === undefined)
        throw missing("person", "成员", patch.ownerId);
      if (patch.tags !== undefined && (patch.tags.length > 50 || patch.tags.some((tag) => tag.trim() === "" || tag.length > 50)))
        throw invalid("Up to 50 tags of 1 to 50 characters.", "最多 50 个标签，每个 1 到 50 个字符。");
      storage.transaction(() => {
        storage.documents.update(row.num, {
          ...(patch.tags === undefined ? {} : { tags: [...new Set(patch.tags.map((tag) => tag.trim()))] }),
          ...(title === undefined ? {} : { title, titleByPerson: true, work: workKey(title, row.path) }),
          ...(patch.date === undefined ? {} : { date: patch.date, dateByPerson: patch.date !== null }),
          ...(patch.ownerId === undefined ? {} : { owner: patch.ownerId }),
          ...(patch.reviewAt === undefined ? {} : { reviewAt: patch.reviewAt }),
          updatedAt: lookup.at(),
        });
        ingest.relink(lookup.document(actor, documentId, "write"), row.work);
      });
      return present(actor, lookup.document(actor, documentId, "write"));
    },
    async removeDocument(actor, documentId) {
      const row = lookup.document(actor, documentId, "write");
      note(actor, "document.remove", row.id, lookup.baseOf(row).id);
      await ingest.removeDocument(row);
    },
    async retryDocument(actor, documentId) {
      const row = lookup.document(actor, documentId, "write");
      ingest.retryDocument(lookup.baseOf(row), row);
    },
    async readText(actor, documentId, versionId) {
      const row = lookup.document(actor, documentId, "read");
      const version = findVersion(deps, actor, row, versionId);
      const found = storage.texts.find(version.num);
      if (found === undefined) {
        throw new StarboxError("conflict", "This document has not been read yet.", {
          hint: "Wait until its state is words or ready.",
          zh: { message: "该文档尚未读取完成。", hint: "请等待其状态变为可检索。" },
        });
      }
      note(actor, "document.read", row.id, lookup.baseOf(row).id);
      return { versionId: version.id, text: found.text, blocks: found.blocks, pages: version.pages };
    },
    async openOriginal(actor, documentId, versionId) {
      const row = lookup.document(actor, documentId, "read");
      const version = findVersion(deps, actor, row, versionId);
      note(actor, "document.download", row.id, lookup.baseOf(row).id);
      return {
        filePath: storage.blobs.filePath(version.sha256),
        type: row.type,
        name: row.path.slice(row.path.lastIndexOf("/") + 1),
        sizeBytes: version.bytes,
      };
    },
    async search(actor, kbId, query) {
      const { limit, ...rest } = query;
      if (query.query.trim() === "") throw invalid("The query is empty.", "查询不能为空。");
      const kb = lookup.base(actor, kbId, "read");
      deps.audit.record({ actor, action: "base.search", subject: { kind: "base", id: kb.id }, outcome: "ok" });
      return await deps.retriever.retrieve({
        kbIds: [kb.id],
        limit: Math.min(200, Math.max(1, limit ?? 10)),
        ...rest,
        viewer: deps.access.viewer(actor),
      });
    },
  };
}

export function presentDocument(
  { storage, access }: Pick<KnowledgeDeps, "storage" | "access">,
  actor: Actor,
  row: DocumentRow,
  kbId: string,
): DocumentInfo {
  const num = row.currentVersion ?? row.newestVersion;
  const version = num === null ? undefined : storage.versions.findByNum(num);
  const level = access.document(actor, row.id) ?? "read";
  const waiting = level === "read" ? null : heldVersion({ storage }, row);
  return {
    id: row.id,
    kbId,
    path: row.path,
    title: row.title,
    type: row.type,
    state: row.state,
    pages: version?.pages ?? null,
    scannedPages: version?.scanned ?? [],
    chunks: version?.chunks ?? 0,
    embedded: version?.embedded ?? 0,
    sizeBytes: version?.bytes ?? 0,
    sha256: version?.sha256 ?? "",
    version: version?.number ?? 0,
    date: row.date,
    edition: presentEdition(storage, row, (id) => access.document(actor, id) !== null),
    tags: row.tags,
    level,
    approved: num === null || !storage.access.isApprovalOn(row.kb) || storage.access.isApproved(num),
    waiting: waiting === null ? null : { versionId: waiting.id, version: waiting.number, sizeBytes: waiting.bytes, createdAt: waiting.createdAt },
    owner: ownerOf(storage, row),
    reviewAt: row.reviewAt,
    warnings: version?.warnings ?? [],
    error: row.error,
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
  };
}

export function ownerOf(storage: KnowledgeDeps["storage"], row: DocumentRow): DocumentInfo["owner"] {
  const person = row.owner === null ? undefined : storage.people.readPerson(row.owner);
  return person === undefined ? null : { id: person.id, name: person.name };
}

function presentEdition(storage: KnowledgeDeps["storage"], row: DocumentRow, isReadable: (id: string) => boolean): DocumentInfo["edition"] {
  if (row.work === null || row.edition === null) return null;
  const others = storage.documents.editions(row.kb, row.work).filter((other) => other.num !== row.num && other.date !== null && isReadable(other.id));
  return { work: row.work, state: row.edition, others: others.map((other) => ({ documentId: other.id, path: other.path, date: other.date })) };
}

/** The one named, or the one that is searched, or the newest. Readers see no version that waits for approval. */
function findVersion({ storage, access }: KnowledgeDeps, actor: Actor, row: DocumentRow, versionId: string | undefined): VersionRow {
  const num = row.currentVersion ?? row.newestVersion;
  const version = versionId === undefined ? (num === null ? undefined : storage.versions.findByNum(num)) : storage.versions.find(versionId);
  const waits = version !== undefined && storage.access.isApprovalOn(row.kb) && !storage.access.isApproved(version.num);
  const isMine = !waits || access.document(actor, row.id) !== "read";
  if (version !== undefined && version.document === row.num && isMine) return version;
  throw new StarboxError("not_found", "This version of the document is gone.", {
    hint: "Open the document without naming a version: that is its current text.",
    zh: { message: "该文档的这个版本已不存在。", hint: "请直接打开文档查看当前版本。" },
  });
}

function readCursor(cursor: string): string {
  return Buffer.from(cursor, "base64url").toString("utf8");
}

function isDate(text: string): boolean {
  return /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(text)) && new Date(text).toISOString().startsWith(text);
}
