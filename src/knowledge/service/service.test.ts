/** @file The knowledge service over a real database, real parsing and real jobs. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { StarboxError, silentLogger } from "#base";
import type { Actor, JobRunner, KnowledgeService } from "#contracts";
import { createJobRunner } from "#jobs";
import { createFileReader, createIngest, createKnowledgeService, createParsePool, type Ingest } from "#knowledge";
import { createAccess } from "#platform";
import { openStorage, type Storage } from "#storage";

const actor: Actor = { personId: null, name: "operator", role: "operator" };
let folder: string;
let storage: Storage;
let jobs: JobRunner;
let ingest: Ingest;
let knowledge: KnowledgeService;
let audited: string[];

beforeEach(async () => {
  audited = [];
  folder = mkdtempSync(path.join(os.tmpdir(), "starbox-service-"));
  const samplesFolder = path.join(folder, "samples");
  mkdirSync(path.join(samplesFolder, "法"), { recursive: true });
  writeFileSync(path.join(samplesFolder, "README.md"), "# not a sample");
  writeFileSync(path.join(samplesFolder, "法", "样例条例.md"), "# 样例条例\n\n第一条 样例。\n");
  storage = openStorage(path.join(folder, "data"));
  jobs = createJobRunner({ store: storage.jobs });
  const reader = createFileReader(createParsePool({ size: 1 }));
  const notReady = async () => {
    throw new StarboxError("model_not_ready", "On its way.");
  };
  ingest = createIngest({
    storage,
    jobs,
    reader,
    maxFileBytes: 1 << 20,
    readers: 1,
    now: Date.now,
    logger: silentLogger,
    embedders: { embeddingModel: notReady, defaultId: () => null },
  });
  knowledge = createKnowledgeService({
    storage,
    ingest,
    jobs,
    reader,
    samplesFolder,
    access: createAccess(storage.access),
    audit: { record: (event) => void audited.push(`${event.action} ${event.subject?.id ?? ""}`) },
    now: Date.now,
    retriever: { retrieve: async ({ query }) => ({ query, hits: [], ms: { embed: 0, lexical: 0, dense: 0, fuse: 0, total: 0 }, mode: "words" }) },
  });
  await ingest.resume();
  jobs.start();
});
afterEach(async () => {
  await jobs.stop();
  await ingest.close();
  storage.close();
  rmSync(folder, { recursive: true });
});

async function settled(): Promise<void> {
  for (let i = 0; i < 500; i++) {
    if ([...jobs.list({ state: "queued" }), ...jobs.list({ state: "running" })].every((job) => job.kind === "embed")) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error("jobs did not settle");
}
const wordsOf = (chunkId: number): string =>
  storage.connection.get<{ body: string }>("SELECT body FROM chunk_terms WHERE chunk = ?", chunkId)?.body ?? "";
const add = async (kbId: string, name: string, text: string): Promise<string> =>
  (await knowledge.addFile(actor, kbId, { path: name, content: { stream: new Blob([text]).stream() } })).documentId;

test("an added file is a line in the audit log when it is promised; the same file again is none", async () => {
  const kb = await knowledge.createBase(actor, { name: "a" });
  const id = await add(kb.id, "a.md", "# 甲\n\n内容。");
  expect(audited.filter((line) => line.startsWith("document."))).toEqual([`document.add ${id}`]);
  await add(kb.id, "a.md", "# 甲\n\n内容。");
  expect(audited.filter((line) => line.startsWith("document."))).toHaveLength(1);
});

test("bases: create, find by name, rename, refuse a second of the same name, remove with everything in it", async () => {
  const kb = await knowledge.createBase(actor, { name: " 劳动 " });
  expect(kb).toMatchObject({ name: "劳动", documents: 0, chunks: 0, pending: 0, failed: 0, embedded: 0, etaSeconds: null });
  expect((await knowledge.readBase(actor, "劳动")).id).toBe(kb.id);
  await expect(knowledge.createBase(actor, { name: "劳动" })).rejects.toMatchObject({ code: "kb_exists" });
  await expect(knowledge.createBase(actor, { name: " " })).rejects.toMatchObject({ code: "invalid_input" });
  expect(await knowledge.updateBase(actor, kb.id, { name: "人事", description: "d" })).toMatchObject({ name: "人事", description: "d" });
  await add(kb.id, "a.md", "# 甲\n\n内容。");
  await settled();
  await knowledge.removeBase(actor, kb.id);
  await expect(knowledge.removeBase(actor, "人事")).rejects.toMatchObject({ code: "kb_not_found" });
  await settled();
  for (const table of ["documents", "versions", "texts", "chunks", "chunk_terms"])
    expect(storage.connection.get<{ n: number }>(`SELECT count(*) AS n FROM ${table}`)?.n, table).toBe(0);
  expect(storage.checkIntegrity()).toBe("ok");
});

test("documents: list in pages, filter, change, text and original, remove", async () => {
  const kb = await knowledge.createBase(actor, { name: "a" });
  for (const name of ["x/1.md", "x/2.md", "y/3.md"]) await add(kb.id, name, `# 文${name}\n\n内容${name}。`);
  await settled();
  const first = await knowledge.listDocuments(actor, kb.id, { limit: 2 });
  expect(first.items.map((item) => item.path)).toEqual(["x/1.md", "x/2.md"]);
  const second = await knowledge.listDocuments(actor, kb.id, { limit: 2, cursor: first.nextCursor as string });
  expect([second.items.map((item) => item.path), second.nextCursor]).toEqual([["y/3.md"], null]);
  expect((await knowledge.listDocuments(actor, kb.id, { folder: "x" })).items).toHaveLength(2);
  expect((await knowledge.listDocuments(actor, kb.id, { search: "3" })).items).toHaveLength(1);
  expect((await knowledge.listDocuments(actor, kb.id, { state: "failed" })).items).toHaveLength(0);
  const id = first.items[0]?.id as string;
  expect(await knowledge.updateDocument(actor, id, { tags: ["甲", "甲"], title: "新题", date: "2024-02-29" })).toMatchObject({
    tags: ["甲"],
    title: "新题",
    date: "2024-02-29",
  });
  await expect(knowledge.updateDocument(actor, id, { date: "2023-02-29" })).rejects.toMatchObject({ code: "invalid_input" });
  const text = await knowledge.readText(actor, id);
  expect(text.text).toContain("内容x/1.md");
  expect(text.blocks.length).toBeGreaterThan(0);
  const original = await knowledge.openOriginal(actor, id);
  expect(original).toMatchObject({ name: "1.md", type: "md" });
  expect(readFileSync(original.filePath, "utf8")).toContain("# 文x/1.md");
  await knowledge.removeDocument(actor, id);
  await expect(knowledge.readDocument(actor, id)).rejects.toMatchObject({ code: "document_not_found" });
  await expect(knowledge.search(actor, kb.id, { query: " " })).rejects.toMatchObject({ code: "invalid_input" });
});

test("chunks: edit, split, join; words follow", async () => {
  const kb = await knowledge.createBase(actor, { name: "a" });
  const id = await add(kb.id, "a.md", "# 题\n\n第一条 仓库由张三管理。钥匙放在前台。\n\n第二条 夜间禁止出库。\n");
  await settled();
  const chunk = (await knowledge.listChunks(actor, id)).find((item) => item.text.includes("张三"));
  if (chunk === undefined) throw new Error("no chunk");
  const before = (await knowledge.listChunks(actor, id)).length;
  const at = chunk.text.indexOf("钥匙");
  const [left, right] = await knowledge.splitChunk(actor, chunk.id, at);
  expect([left?.text, right?.text]).toEqual([chunk.text.slice(0, at), chunk.text.slice(at)]);
  expect([right?.ordinal, right?.start, right?.end]).toEqual([chunk.ordinal + 1, chunk.start + at, chunk.end]);
  expect([wordsOf(left?.id ?? 0).includes("钥匙"), wordsOf(right?.id ?? 0).includes("钥匙")]).toEqual([false, true]);
  expect((await knowledge.listChunks(actor, id)).map((item) => item.ordinal)).toEqual([...Array(before + 1).keys()]);
  expect((await knowledge.mergeChunk(actor, chunk.id)).text).toBe(chunk.text);
  expect(await knowledge.listChunks(actor, id)).toHaveLength(before);
  expect(await knowledge.updateChunk(actor, chunk.id, { text: "第一条 仓库由李四管理。" })).toMatchObject({
    edited: true,
    embedded: false,
    start: chunk.start,
  });
  expect(wordsOf(chunk.id)).toContain("李四");
  expect(wordsOf(chunk.id)).not.toContain("张三");
  await expect(knowledge.splitChunk(actor, chunk.id, 0)).rejects.toMatchObject({ code: "invalid_input" });
  await expect(knowledge.updateChunk(actor, 99999, { text: "x" })).rejects.toMatchObject({ code: "not_found" });
  expect(storage.checkIntegrity()).toBe("ok");
});

test("words of the house are cut out of what is there already", async () => {
  const kb = await knowledge.createBase(actor, { name: "a" });
  const id = await add(kb.id, "a.md", "# 题\n\n我们用星河计划做试点。\n");
  await settled();
  const chunk = (await knowledge.listChunks(actor, id)).find((item) => item.text.includes("星河"));
  expect(wordsOf(chunk?.id ?? 0).split(" ")).not.toContain("星河计划");
  await knowledge.writeDictionary(actor, kb.id, { words: ["星河计划", " 星河计划 "], synonyms: [["试点", "试验"], ["单独"]] });
  await settled();
  expect(await knowledge.readDictionary(actor, kb.id)).toEqual({ words: ["星河计划"], synonyms: [["试点", "试验"]] });
  expect(wordsOf(chunk?.id ?? 0).split(" ")).toContain("星河计划");
});

test("curated answers, gaps, samples", async () => {
  const kb = await knowledge.createBase(actor, { name: "a" });
  const written = await knowledge.writeCurated(actor, kb.id, { question: "几点上班？", answer: "九点。" });
  expect(await knowledge.writeCurated(actor, kb.id, { id: written.id, question: "几点上班？", answer: "八点半。" })).toMatchObject({
    id: written.id,
    answer: "八点半。",
  });
  await expect(knowledge.writeCurated(actor, kb.id, { id: "cur_x", question: "q", answer: "a" })).rejects.toMatchObject({ code: "not_found" });
  expect(await knowledge.listCurated(actor, kb.id)).toHaveLength(1);
  await knowledge.removeCurated(actor, written.id);
  await expect(knowledge.resolveGap(actor, "gap_x")).rejects.toMatchObject({ code: "not_found" });
  const samples = await knowledge.addSamples(actor);
  expect((await knowledge.addSamples(actor)).id).toBe(samples.id);
  await settled();
  expect((await knowledge.listDocuments(actor, samples.id)).items).toMatchObject([{ path: "法/样例条例.md", state: "words" }]);
});
