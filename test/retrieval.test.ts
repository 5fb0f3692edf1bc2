/** @file Retrieval through real SQLite and its real thread: what meets, who may see what, editions, deletion, exactness. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, expect, test } from "vitest";
import { silentLogger } from "#base";
import type { EmbeddingModel, RetrieveRequest } from "#contracts";
import { type ClosableRetriever, createRetriever } from "../src/knowledge/retrieve/index.ts";
import { type MadeBase, openMadeBase } from "./retrieval-base.ts";

const open: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

const everything = { person: null, access: "everything" } as const;

function start(
  embed?: (text: string) => Float32Array,
  { idleMs, embedMs = 0 }: { readonly idleMs?: number; readonly embedMs?: number } = {},
): {
  base: MadeBase;
  retriever: ClosableRetriever;
  dataDir: string;
  ask: (query: string, more?: Partial<RetrieveRequest>) => ReturnType<ClosableRetriever["retrieve"]>;
} {
  const dataDir = mkdtempSync(path.join(tmpdir(), "starbox-retrieval-"));
  const base = openMadeBase(dataDir);
  const model: EmbeddingModel = {
    id: "test-embedder",
    dimensions: 64,
    maxTokens: 512,
    embed: async (texts) => {
      if (embedMs > 0) await new Promise((resolve) => setTimeout(resolve, embedMs));
      return texts.map((text) => (embed as (text: string) => Float32Array)(text));
    },
    countTokens: async (texts) => texts.map((text) => text.length),
  };
  const retriever = createRetriever({
    dataDir,
    readerModule: new URL("../src/storage/index.ts", import.meta.url).href,
    embedderOf: () => (embed === undefined ? null : "test-embedder"),
    logger: silentLogger,
    ...(idleMs === undefined ? {} : { idleMs }),
    embeddingModel: async () => {
      if (embed === undefined) throw new (await import("#base")).StarboxError("model_not_ready", "not yet");
      return model;
    },
  });
  open.push(async () => {
    await retriever.close();
    base.storage.close();
    rmSync(dataDir, { recursive: true, force: true });
  });
  return {
    base,
    retriever,
    dataDir,
    ask: (query, more = {}) => retriever.retrieve({ kbIds: [base.kbId], query, limit: 10, viewer: everything, ...more }),
  };
}

/** mulberry32: the same numbers every run. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function unit(next: () => number, dimensions = 64): Float32Array {
  const vector = Float32Array.from({ length: dimensions }, () => next() - 0.5 + 0.3); // off centre, as real ones are
  const length = Math.hypot(...vector);
  return vector.map((value) => value / length);
}

test("Simplified, Traditional, full width, short words and standards meet", async () => {
  const { base, ask } = start();
  base.add({
    path: "a.md",
    chunks: [
      { text: "限制民事行為能力人實施的純獲利益的民事法律行為有效。" },
      { text: "產品應當符合ＧＢ／Ｔ－２３１２的要求。" },
      { text: "头发和皮肤的护理方法。" },
    ],
  });
  for (let i = 0; i < 20; i++) base.add({ path: `noise-${i}.md`, chunks: [{ text: `这是第${i}份关于仓库盘点和采购流程的说明文件。` }] });
  expect((await ask("民事行为能力")).hits[0]?.text).toContain("民事行為能力");
  expect((await ask("GB/T-2312")).hits[0]?.text).toContain("ＧＢ／Ｔ－２３１２");
  expect((await ask("gb/t 2312 标准")).hits[0]?.text).toContain("ＧＢ／Ｔ－２３１２");
  expect((await ask("頭髮")).hits[0]?.text).toContain("头发");
  expect((await ask("民事")).hits[0]?.text).toContain("民事");
  const result = await ask("頭髮護理");
  expect(result).toMatchObject({ mode: "words", query: "頭髮護理" });
  expect(result.note).toContain("embedder");
  expect(result.hits[0]).toMatchObject({ document: "a.md", ranks: { lexical: 1, dense: null, rerank: null }, cosine: null, edition: null });
  expect((await ask("？？")).hits).toEqual([]);
  expect((await ask("量子纠缠火星移民")).hits).toEqual([]);
});

test("versions that are not current are never found, edits are found at once", async () => {
  const { base, ask } = start();
  const hidden = base.add({ path: "new.md", chunks: [{ text: "紫色大象在跳舞" }] }, { visible: false });
  expect((await ask("紫色大象")).hits).toEqual([]);
  base.storage.documents.update(hidden.num, { currentVersion: hidden.version });
  expect((await ask("紫色大象")).hits).toHaveLength(1);
  base.storage.transaction(() =>
    base.storage.index.addChunks(base.kb, [{ chunkId: hidden.chunkIds[0] as number, words: ["绿色", "河马"], contextWords: [] }]),
  );
  expect((await ask("绿色河马")).hits).toHaveLength(1);
  expect((await ask("大象")).hits).toEqual([]);
});

test("an embedder slower than the thread's idle time loses nothing: the candidates wait for the vector", async () => {
  const next = random(5);
  const { base, ask } = start(() => unit(next), { idleMs: 30, embedMs: 3000 });
  for (let i = 0; i < 12; i++) base.add({ path: `${i}.md`, chunks: [{ text: `仓库盘点流程第${i}条`, vector: unit(next) }] });
  const { hits, mode } = await ask("盘点流程");
  expect(mode).toBe("hybrid");
  expect(hits.length).toBeGreaterThan(0);
});

test("500 random viewers never see what they may not, and miss nothing they may", async () => {
  const next = random(7);
  const query = unit(next);
  const { base, ask } = start(() => query);
  const documents = Array.from({ length: 60 }, (_, i) =>
    base.add({
      path: `${i % 3 === 0 ? "甲" : "乙"}/${i}.md`,
      type: i % 2 === 0 ? "md" : "pdf",
      tags: i % 5 === 0 ? ["重要"] : [],
      date: `20${10 + (i % 10)}-01-01`,
      chunks: Array.from({ length: 4 }, (_, j) => ({ text: `共同的词语 编号${i}的第${j}段 ${"内容".repeat(j)}`, vector: unit(next) })),
    }),
  );
  // Every file has a list of its own: who may read it is drawn for twenty people.
  const people = Array.from({ length: 20 }, (_, i) => `p${i}`);
  const allowedOf = new Map(people.map((person) => [person, new Set(documents.filter(() => next() < 0.3).map((document) => document.id))]));
  base.storage.access.writeList(base.kb, "", [{ subject: "everyone", level: "read" }]);
  for (const document of documents) {
    const mine = people.filter((person) => allowedOf.get(person)?.has(document.id));
    const path = base.storage.documents.find(document.id)?.path ?? "";
    base.storage.access.writeList(
      base.kb,
      path,
      mine.map((person) => ({ subject: `person:${person}`, level: "read" })),
    );
  }
  for (let probe = 0; probe < 500; probe++) {
    const person = people[Math.floor(next() * people.length)] as string;
    const filter =
      next() < 0.5
        ? {
            ...(next() < 0.5 ? { folder: "甲" } : {}),
            ...(next() < 0.3 ? { types: ["md"] } : {}),
            ...(next() < 0.3 ? { tags: ["重要"] } : {}),
            ...(next() < 0.3 ? { dateFrom: "2014-01-01", dateTo: "2017-12-31" } : {}),
          }
        : {};
    const visible = documents.filter(
      (document, i) =>
        allowedOf.get(person)?.has(document.id) === true &&
        (filter.folder === undefined || i % 3 === 0) &&
        (filter.types === undefined || i % 2 === 0) &&
        (filter.tags === undefined || i % 5 === 0) &&
        (filter.dateFrom === undefined || (i % 10 >= 4 && i % 10 <= 7)),
    );
    const { hits } = await ask("共同的词语", { limit: 1000, viewer: { person, access: "granted" }, filter });
    const seen = new Set(hits.map((hit) => hit.documentId));
    expect([...seen].sort()).toEqual(visible.map((document) => document.id).sort());
  }
});

test("the edition in force stands before the old one, which is kept and labelled", async () => {
  const { base, ask } = start();
  const text = "劳动者连续工作一年以上的，享受带薪年休假。";
  const later = base.add({
    path: "新.md",
    date: "2020-01-01",
    work: "年休假",
    edition: "in-force",
    chunks: [{ text: `${text}具体办法由国务院规定，单位应当统筹安排，保证职工休假的权利。` }],
  });
  const old = base.add({ path: "旧.md", date: "2008-01-01", work: "年休假", edition: "superseded", chunks: [{ text }] });
  base.storage.documents.update(old.num, { supersededBy: later.num });
  for (let i = 0; i < 10; i++) base.add({ path: `${i}.md`, chunks: [{ text: `第${i}条 车辆应当按期检验。` }] });
  const { hits } = await ask("带薪年休假 连续工作一年");
  expect(hits.slice(0, 2).map((hit) => hit.document)).toEqual(["新.md", "旧.md"]);
  expect(hits[0]?.edition).toEqual({ state: "in-force", date: "2020-01-01" });
  expect(hits[1]?.edition).toEqual({ state: "superseded", date: "2008-01-01", supersededBy: { documentId: later.id, date: "2020-01-01" } });
});

test("deleting leaves no word in any file", async () => {
  const { base, ask, dataDir, retriever } = start();
  const secret = base.add({ path: "secret.md", chunks: [{ text: "绝密代号 zyxwvulcan 的行动方案" }] });
  base.add({ path: "other.md", chunks: [{ text: "普通文件" }] });
  expect((await ask("zyxwvulcan")).hits).toHaveLength(1);
  base.storage.transaction(() => {
    base.storage.index.removeChunks(secret.chunkIds);
    for (const id of secret.chunkIds) base.storage.chunks.remove(id);
    base.storage.documents.remove(secret.num);
    base.storage.versions.remove(secret.version);
  });
  expect((await ask("zyxwvulcan")).hits).toEqual([]);
  await retriever.close();
  expect(base.storage.checkpoint()).toBe(true);
  for (const file of readdirSync(dataDir))
    if (file.startsWith("box.db")) expect(readFileSync(path.join(dataDir, file)).includes("zyxwvulcan")).toBe(false);
});

test("synonyms of the base lead to its words", async () => {
  const { base, ask } = start();
  base.add({ path: "a.md", chunks: [{ text: "机动车驾驶证被暂扣期间不得驾驶。" }] });
  for (let i = 0; i < 10; i++) base.add({ path: `${i}.md`, chunks: [{ text: `第${i}条 仓库应当通风。` }] });
  expect((await ask("驾照")).hits).toEqual([]);
  base.storage.kbs.writeDictionary(base.kb, { words: [], synonyms: [["驾照", "驾驶证"]] });
  expect((await ask("驾照")).hits[0]?.document).toBe("a.md");
});

test("vectors: the nearest of brute force, with and without a filter", async () => {
  const next = random(3);
  const questions = Array.from({ length: 20 }, () => unit(next));
  const { base, ask } = start((text) => questions[Number(text)] as Float32Array);
  const rows: { id: string; vector: Float32Array }[] = [];
  for (let i = 0; i < 50; i++) {
    const chunks = Array.from({ length: 120 }, () => ({ text: `数 ${next()}`, vector: unit(next) })); // 6,000: above the exhaustive limit
    const { id } = base.add({ path: `${i}.md`, chunks });
    for (const chunk of chunks) rows.push({ id, vector: chunk.vector });
  }
  const mean = new Float32Array(64);
  for (const { vector } of rows) vector.forEach((value, i) => (mean[i] = (mean[i] as number) + value / rows.length));
  const centre = (vector: Float32Array): Float32Array => {
    const moved = vector.map((value, i) => value - (mean[i] as number));
    const length = Math.hypot(...moved);
    return moved.map((value) => value / length);
  };
  let found = 0;
  for (const [at, question] of questions.entries()) {
    const q = centre(question);
    const best = rows
      .map(({ id, vector }) => ({ id, score: centre(vector).reduce((sum, value, i) => sum + value * (q[i] as number), 0) }))
      .sort((a, b) => b.score - a.score);
    const { hits, mode } = await ask(String(at), { limit: 150 });
    expect(mode).toBe("hybrid");
    const byDense = hits.filter((hit) => hit.ranks.dense !== null && hit.ranks.dense <= 10).map((hit) => hit.documentId);
    const want = new Set(best.slice(0, 10).map((row) => row.id));
    found += byDense.filter((id) => want.has(id)).length / 10;
  }
  expect(found / questions.length).toBeGreaterThanOrEqual(0.98);
});
