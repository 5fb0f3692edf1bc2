/** @file Knowledge bases: list, create, change, remove, samples; their dictionary, curated answers and gaps. */
import { readdir } from "node:fs/promises";
import path from "node:path";
import { newId, StarboxError } from "#base";
import type { Actor, KnowledgeBaseInfo, KnowledgeService } from "#contracts";
import type { KbRow } from "#storage";
import { tricky } from "../ingest/paths.ts";
import { createCurated } from "./curated.ts";
import { createLookup, invalid, type KnowledgeDeps, missing, requireLevel } from "./deps.ts";

type Part = Pick<
  KnowledgeService,
  | "listBases"
  | "readBase"
  | "createBase"
  | "updateBase"
  | "removeBase"
  | "readDictionary"
  | "writeDictionary"
  | "listCurated"
  | "writeCurated"
  | "removeCurated"
  | "approveCurated"
  | "listGaps"
  | "resolveGap"
  | "addSamples"
>;

const samplesName = "示例法规";

export function createBases(deps: KnowledgeDeps): Part {
  const { storage, ingest, access } = deps;
  const lookup = createLookup(deps);
  const note = (actor: Actor, action: string, id: string): void => deps.audit.record({ actor, action, subject: { kind: "base", id }, outcome: "ok" });
  const present = (actor: Actor, kb: KbRow): KnowledgeBaseInfo => {
    const readable = access.readable(actor);
    const counts = storage.kbs.counts(kb.num, readable);
    // The estimate speaks of every file: only for those who may see every file.
    const isBusy = counts.pending > 0 || counts.embedded < counts.chunks;
    const isSaid = isBusy && (readable === null || storage.kbs.counts(kb.num, null).documents === counts.documents);
    return {
      id: kb.id,
      name: kb.name,
      description: kb.description,
      embedder: kb.embedder,
      ...counts,
      etaSeconds: isSaid ? ingest.etaSeconds(kb) : null,
      level: access.base(actor, kb.id) ?? "read",
      approval: storage.access.isApprovalOn(kb.num),
      createdAt: kb.createdAt,
      updatedAt: kb.updatedAt,
    };
  };
  const create = (actor: Actor, name: string, description: string, readers: "everyone" | undefined): KbRow => {
    const clean = cleanName(name);
    if (storage.kbs.findByName(clean) !== undefined) throw nameTaken(clean);
    const at = lookup.at();
    const id = newId("kb", deps.now());
    return storage.transaction(() => {
      const num = storage.kbs.insert({ id, name: clean, description, embedder: null, createdAt: at, updatedAt: at });
      storage.access.writeList(num, "", [
        ...(actor.personId === null ? [] : [{ subject: `person:${actor.personId}`, level: "manage" as const }]),
        ...(readers === undefined ? [] : [{ subject: "everyone", level: "read" as const }]),
      ]);
      return storage.kbs.find(id) as KbRow;
    });
  };
  return {
    listBases: async (actor) =>
      storage.kbs
        .list()
        .filter((kb) => access.base(actor, kb.id) !== null)
        .map((kb) => present(actor, kb)),
    readBase: async (actor, idOrName) => present(actor, lookup.base(actor, idOrName, "read")),
    async createBase(actor, input) {
      mayCreate(actor);
      const kb = create(actor, input.name, input.description ?? "", input.readers);
      note(actor, "base.create", kb.id);
      return present(actor, kb);
    },
    async updateBase(actor, kbId, patch) {
      const kb = lookup.base(actor, kbId, "manage");
      const name = patch.name === undefined ? kb.name : cleanName(patch.name);
      if (name !== kb.name && storage.kbs.findByName(name) !== undefined) throw nameTaken(name);
      storage.kbs.update(kb.id, { name, ...(patch.description === undefined ? {} : { description: patch.description }), updatedAt: lookup.at() });
      // The old vectors serve until the new ones are complete.
      if (patch.embedder !== undefined && patch.embedder !== kb.embedder) {
        if (kb.embedder === null) storage.kbs.update(kb.id, { embedder: patch.embedder, updatedAt: lookup.at() });
        else ingest.changeEmbedder(kb, patch.embedder);
      }
      const { approval } = patch;
      if (approval !== undefined)
        storage.transaction(() => {
          storage.access.setApproval(kb.num, approval, actor.personId ?? actor.role, lookup.at());
          // Nothing waits any more.
          if (!approval) for (const row of storage.documents.listHeld(kb.num)) ingest.releaseVersion(row);
        });
      note(actor, "base.change", kb.id);
      return present(actor, lookup.base(actor, kb.id, "read"));
    },
    async removeBase(actor, kbId) {
      const kb = lookup.base(actor, kbId, "manage");
      note(actor, "base.remove", kb.id);
      await ingest.removeBase(kb);
    },
    readDictionary: async (actor, kbId) => storage.kbs.readDictionary(lookup.base(actor, kbId, "write").num),
    async writeDictionary(actor, kbId, dictionary) {
      const kb = lookup.base(actor, kbId, "write");
      const words = [...new Set(dictionary.words.map((word) => word.trim()).filter((word) => word !== ""))];
      const synonyms = dictionary.synonyms
        .map((group) => [...new Set(group.map((word) => word.trim()).filter((word) => word !== ""))])
        .filter((group) => group.length > 1);
      if (words.length > 20_000 || synonyms.length > 20_000 || words.some((word) => word.length > 100))
        throw invalid("A dictionary holds up to 20,000 words of up to 100 characters.", "词典最多 20000 个词，每个不超过 100 字。");
      storage.transaction(() => {
        const before = storage.kbs.readDictionary(kb.num);
        storage.kbs.writeDictionary(kb.num, { words, synonyms });
        if ([...before.words].sort().join("\n") !== [...words].sort().join("\n")) ingest.recut(kb);
      });
    },
    ...createCurated(deps),
    async listGaps(actor, kbId) {
      const kb = lookup.base(actor, kbId, "write");
      return storage.gaps.list(kb.id).map((gap) => ({
        ...gap,
        nearest: gap.nearest.filter((item) => access.document(actor, item.documentId) !== null),
      }));
    },
    async resolveGap(actor, gapId) {
      const gap = storage.gaps.find(gapId);
      const level = access.base(actor, gap?.kbId ?? "");
      if (gap === undefined || level === null || level === "read") throw missing("open gap", "待补充的问题", gapId);
      requireLevel(actor, level, "write");
      if (!storage.gaps.resolve(gapId, lookup.at())) throw missing("open gap", "待补充的问题", gapId);
    },
    async addSamples(actor) {
      mayCreate(actor);
      const kb =
        storage.kbs.findByName(samplesName) ??
        create(actor, samplesName, "随星匣附带的法律法规，可直接提问。 Statutes that come with the box: ask away.", "everyone");
      requireLevel(actor, access.base(actor, kb.id) ?? "read", "write");
      const files = (await readdir(deps.samplesFolder, { recursive: true, withFileTypes: true })).filter(
        (entry) => entry.isFile() && !/^(readme|licen[cs]e)/i.test(entry.name),
      );
      for (const entry of files) {
        const filePath = path.join(entry.parentPath, entry.name);
        await ingest.addFile(kb, { path: path.relative(deps.samplesFolder, filePath), content: { filePath }, urgent: true });
      }
      return present(actor, lookup.base(actor, kb.id, "read"));
    },
  };
}

/** A new base is made by those who may answer for it. */
function mayCreate(actor: Actor): void {
  const limited = actor.viewedBy !== undefined || (actor.key !== undefined && (!actor.key.write || actor.key.bases !== null));
  if (!limited && ["operator", "administrator", "knowledge-owner"].includes(actor.role)) return;
  throw new StarboxError("forbidden", "Only knowledge owners and administrators make knowledge bases.", {
    hint: "Ask an administrator to make one for you, or to make you a knowledge owner.",
    zh: { message: "只有知识负责人和管理员可以新建知识库。", hint: "请让管理员为你新建，或把你设为知识负责人。" },
  });
}

function cleanName(raw: string): string {
  const name = raw.normalize("NFC").trim();
  if (name === "" || name.length > 100 || /\p{Cc}/u.test(name) || tricky.test(name))
    throw invalid("A knowledge base's name has 1 to 100 characters, none of them hidden.", "知识库名称需为 1 到 100 个可见字符。");
  return name;
}

function nameTaken(name: string): StarboxError {
  return new StarboxError("kb_exists", `There is a knowledge base "${name}" already.`, {
    hint: "Choose another name, or add to that one.",
    zh: { message: `已有名为“${name}”的知识库。`, hint: "请换个名称，或直接向它添加文件。" },
  });
}
