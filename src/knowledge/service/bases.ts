/** @file Knowledge bases: list, create, change, remove, samples; their dictionary, curated answers and gaps. */
import { readdir } from "node:fs/promises";
import path from "node:path";
import { newId, StarboxError } from "#base";
import type { Actor, KnowledgeBaseInfo, KnowledgeService } from "#contracts";
import type { KbRow } from "#storage";
import { createLookup, invalid, type KnowledgeDeps } from "./deps.ts";

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
  | "listGaps"
  | "resolveGap"
  | "addSamples"
>;

const samplesName = "示例法规";

export function createBases(deps: KnowledgeDeps): Part {
  const { storage, ingest } = deps;
  const lookup = createLookup(deps);
  const present = (kb: KbRow): KnowledgeBaseInfo => ({
    id: kb.id,
    name: kb.name,
    description: kb.description,
    embedder: kb.embedder,
    ...storage.kbs.counts(kb.num),
    etaSeconds: ingest.etaSeconds(kb),
    createdAt: kb.createdAt,
    updatedAt: kb.updatedAt,
  });
  const create = (name: string, description: string): KbRow => {
    const clean = cleanName(name);
    if (storage.kbs.findByName(clean) !== undefined) throw nameTaken(clean);
    const at = lookup.at();
    const id = newId("kb", deps.now());
    storage.kbs.insert({ id, name: clean, description, embedder: null, createdAt: at, updatedAt: at });
    return storage.kbs.find(id) as KbRow;
  };
  return {
    listBases: async () => storage.kbs.list().map(present),
    readBase: async (_actor, idOrName) => present(lookup.base(idOrName)),
    createBase: async (_actor, input) => present(create(input.name, input.description ?? "")),
    async updateBase(_actor, kbId, patch) {
      const kb = lookup.base(kbId);
      const name = patch.name === undefined ? kb.name : cleanName(patch.name);
      if (name !== kb.name && storage.kbs.findByName(name) !== undefined) throw nameTaken(name);
      storage.kbs.update(kb.id, { name, ...(patch.description === undefined ? {} : { description: patch.description }), updatedAt: lookup.at() });
      // The old vectors serve until the new ones are complete.
      if (patch.embedder !== undefined && patch.embedder !== kb.embedder) {
        if (kb.embedder === null) storage.kbs.update(kb.id, { embedder: patch.embedder, updatedAt: lookup.at() });
        else ingest.changeEmbedder(kb, patch.embedder);
      }
      return present(lookup.base(kb.id));
    },
    async removeBase(_actor, kbId) {
      await ingest.removeBase(lookup.base(kbId));
    },
    readDictionary: async (_actor, kbId) => storage.kbs.readDictionary(lookup.base(kbId).num),
    async writeDictionary(_actor, kbId, dictionary) {
      const kb = lookup.base(kbId);
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
    listCurated: async (_actor, kbId) => storage.curated.list(lookup.base(kbId).id),
    async writeCurated(actor, kbId, input) {
      const kb = lookup.base(kbId);
      const [question, answer] = [input.question.trim(), input.answer.trim()];
      if (question === "" || answer === "") throw invalid("A curated answer needs a question and an answer.", "固定回答需要问题和答案。");
      const known = input.id === undefined ? undefined : storage.curated.find(input.id);
      if (input.id !== undefined && known?.kbId !== kb.id) throw missing("curated answer", "固定回答", input.id);
      const at = lookup.at();
      const id = known?.id ?? newId("cur", deps.now());
      storage.curated.write({
        id,
        kbId: kb.id,
        question,
        answer,
        documentIds: input.documentIds ?? known?.documentIds ?? [],
        createdBy: known?.createdBy ?? creator(actor),
        createdAt: known?.createdAt ?? at,
        updatedAt: at,
      });
      return storage.curated.find(id) as NonNullable<ReturnType<typeof storage.curated.find>>;
    },
    async removeCurated(_actor, id) {
      if (!storage.curated.remove(id)) throw missing("curated answer", "固定回答", id);
    },
    listGaps: async (_actor, kbId) => storage.gaps.list(lookup.base(kbId).id),
    async resolveGap(_actor, gapId) {
      if (!storage.gaps.resolve(gapId, lookup.at())) throw missing("open gap", "待补充的问题", gapId);
    },
    async addSamples() {
      const kb =
        storage.kbs.findByName(samplesName) ?? create(samplesName, "随星匣附带的法律法规，可直接提问。 Statutes that come with the box: ask away.");
      const files = (await readdir(deps.samplesFolder, { recursive: true, withFileTypes: true })).filter(
        (entry) => entry.isFile() && !/^(readme|licen[cs]e)/i.test(entry.name),
      );
      for (const entry of files) {
        const filePath = path.join(entry.parentPath, entry.name);
        await ingest.addFile(kb, { path: path.relative(deps.samplesFolder, filePath), content: { filePath }, urgent: true });
      }
      return present(lookup.base(kb.id));
    },
  };
}

const creator = (actor: Actor): string => actor.personId ?? actor.role;

function cleanName(raw: string): string {
  const name = raw.normalize("NFC").trim();
  if (name === "" || name.length > 100 || /\p{Cc}/u.test(name))
    throw invalid("A knowledge base's name has 1 to 100 characters.", "知识库名称需为 1 到 100 个字符。");
  return name;
}

function nameTaken(name: string): StarboxError {
  return new StarboxError("kb_exists", `There is a knowledge base "${name}" already.`, {
    hint: "Choose another name, or add to that one.",
    zh: { message: `已有名为“${name}”的知识库。`, hint: "请换个名称，或直接向它添加文件。" },
  });
}

function missing(what: string, zh: string, id: string): StarboxError {
  return new StarboxError("not_found", `There is no ${what} ${id}.`, {
    hint: "List them again: it may have been removed.",
    zh: { message: `没有${zh} ${id}。`, hint: "请刷新列表，它可能已被删除。" },
  });
}
