/** @file Reading documents in, on a real database with the real parse processes: versions, editions, members, faults, what is left after removal. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { zipSync } from "fflate";
import { afterEach, beforeEach, expect, test } from "vitest";
import { StarboxError, silentLogger } from "#base";
import type { EmbeddingModel, JobRunner } from "#contracts";
import { createJobRunner } from "#jobs";
import { type KbRow, openStorage, type Storage } from "#storage";
import { createParsePool } from "../parse/index.ts";
import { dateInName, linkEditions, workKey } from "./editions.ts";
import { createFileReader, createIngest, type Ingest } from "./index.ts";
import { createPace } from "./pace.ts";
import { cleanPath } from "./paths.ts";

let dataDir: string;
let storage: Storage;
let jobs: JobRunner;
let ingest: Ingest;
let kb: KbRow;
let embedder: EmbeddingModel | null;
let embeddedTexts: string[];

/** Vectors that follow from the text alone: what is tested here is which texts get one, and when. */
function createEmbedder(id: string): EmbeddingModel {
  return {
    id,
    dimensions: 4,
    maxTokens: 512,
    embed: async (texts) =>
      texts.map((text) => {
        embeddedTexts.push(text);
        return Float32Array.of(text.length % 7, 1, 2, 3);
      }),
    countTokens: async (texts) => texts.map((text) => text.length),
  };
}

function open(): void {
  storage = openStorage(dataDir);
  jobs = createJobRunner({ store: storage.jobs });
  ingest = createIngest({
    storage,
    jobs,
    reader: createFileReader(createParsePool({ size: 1 })),
    maxFileBytes: 1 << 20,
    readers: 1,
    now: Date.now,
    logger: silentLogger,
    embedders: {
      async embeddingModel() {
        if (embedder === null) throw new StarboxError("model_not_ready", "On its way.");
        return embedder;
      },
      defaultId: () => "e",
    },
  });
}
beforeEach(async () => {
  dataDir = mkdtempSync(path.join(os.tmpdir(), "starbox-ingest-"));
  embedder = null;
  embeddedTexts = [];
  open();
  const at = new Date().toISOString();
  storage.kbs.insert({ id: "kb_1", name: "法", description: "", embedder: null, createdAt: at, updatedAt: at });
  kb = storage.kbs.find("kb_1") as KbRow;
  await ingest.resume();
  jobs.start();
});
afterEach(async () => {
  await jobs.stop();
  await ingest.close();
  storage.close();
  rmSync(dataDir, { recursive: true });
});

const add = async (name: string, text: string | Uint8Array) =>
  await ingest.addFile(kb, { path: name, content: { bytes: typeof text === "string" ? new TextEncoder().encode(text) : text } });
async function settled(kinds: readonly string[] = ["ingest", "purge"]): Promise<void> {
  for (let i = 0; i < 600; i++) {
    const open = [...jobs.list({ state: "queued" }), ...jobs.list({ state: "running" })].filter((job) => kinds.includes(job.kind));
    if (open.length === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`still open: ${JSON.stringify(jobs.list().slice(0, 5))}`);
}
const documents = () => storage.documents.list(kb.num, null, { limit: 1000 });
const find = (word: string): string[] =>
  storage.connection
    .all<{ path: string }>(
      "SELECT d.path FROM chunk_words w JOIN chunks c ON c.id = w.rowid JOIN documents d ON d.current_version = c.version WHERE chunk_words MATCH ? ORDER BY d.path",
      `"${word}"`,
    )
    .map((row) => row.path);
/** Every file of the data folder that still holds the word, in UTF-8. */
function filesWith(word: string): string[] {
  const bytes = Buffer.from(word);
  const walk = (folder: string): string[] =>
    readdirSync(folder).flatMap((name) => {
      const file = path.join(folder, name);
      return statSync(file).isDirectory() ? walk(file) : readFileSync(file).includes(bytes) ? [path.relative(dataDir, file)] : [];
    });
  return walk(dataDir);
}

test("a file becomes searchable by words, then by meaning once an embedder is there", async () => {
  expect(await add("a/law.md", "# 劳动法\n\n第一条 试用期最长不得超过六个月。\n\n第二条 工资按月支付。\n")).toMatchObject({
    path: "a/law.md",
    changed: true,
  });
  await settled();
  expect(documents()).toMatchObject([{ path: "a/law.md", folder: "a", type: "md", title: "劳动法", state: "words" }]);
  expect(find("试用期")).toEqual(["a/law.md"]);
  embedder = createEmbedder("e");
  ingest.embedderArrived();
  await settled(["embed"]);
  expect(documents()[0]?.state).toBe("ready");
  const counts = storage.kbs.counts(kb.num, null);
  expect(counts.embedded).toBe(counts.chunks);
  expect(storage.kbs.find("kb_1")?.embedder).toBe("e");
  expect(embeddedTexts.some((text) => text.includes("劳动法") && text.includes("试用期"))).toBe(true);
});

test("the same file again changes nothing; other bytes replace it, unchanged passages keep their vectors, the old words leave the disk", async () => {
  embedder = createEmbedder("e");
  await add("a.md", "# 制度\n\n第一条 凤凰计划的报销上限。\n\n第二条 不变的条文在此。\n");
  await settled(["ingest", "purge", "embed"]);
  expect(await add("a.md", "# 制度\n\n第一条 凤凰计划的报销上限。\n\n第二条 不变的条文在此。\n")).toMatchObject({ changed: false });
  const before = embeddedTexts.length;
  await add("a.md", "# 制度\n\n第一条 麒麟计划的报销上限。\n\n第二条 不变的条文在此。\n");
  await settled(["ingest", "purge", "embed"]);
  expect(find("麒麟")).toEqual(["a.md"]);
  expect(find("凤凰")).toEqual([]);
  expect(embeddedTexts.slice(before).filter((text) => text.includes("不变的条文"))).toEqual([]);
  expect(storage.versions.list(documents()[0]?.num as number)).toMatchObject([{ number: 2, state: "current" }]);
  expect(filesWith("凤凰")).toEqual([]);
  expect(storage.checkIntegrity()).toBe("ok");
});

test("a removed document leaves no word, no vector and no byte", async () => {
  embedder = createEmbedder("e");
  await add("secret.md", `# 保密\n\n${"第一条 独角兽密码是紫罗兰。".repeat(40)}\n`);
  await add("other.md", "# 其他\n\n无关的内容。\n");
  await settled(["ingest", "purge", "embed"]);
  expect(filesWith("紫罗兰").length).toBeGreaterThan(0);
  const secret = storage.documents.findByPath(kb.num, "secret.md");
  await ingest.removeDocument(secret as NonNullable<typeof secret>);
  expect(find("紫罗兰")).toEqual([]);
  expect(filesWith("紫罗兰")).toEqual([]);
  expect(filesWith("独角兽")).toEqual([]);
  expect(filesWith("secret.md")).toEqual([]);
  expect(storage.connection.get<{ n: number }>("SELECT count(*) AS n FROM vectors")?.n).toBe(
    storage.connection.get<{ n: number }>("SELECT count(DISTINCT hash) AS n FROM chunks")?.n,
  );
  expect(readdirSync(path.join(dataDir, "blobs")).flatMap((folder) => readdirSync(path.join(dataDir, "blobs", folder)))).toHaveLength(1);
  expect(storage.checkIntegrity()).toBe("ok");
});

test("members of a ZIP are documents of their own; those missing from the next version go", async () => {
  const zip = (files: Record<string, string>): Uint8Array =>
    zipSync(Object.fromEntries(Object.entries(files).map(([name, text]) => [name, new TextEncoder().encode(text)])));
  await add("box.zip", zip({ "inner/a.md": "# 甲\n\n孔雀东南飞。", "b.txt": "白鹭上青天。" }));
  await settled();
  expect(documents().map((row) => row.path)).toEqual(["box.zip", "box.zip/b.txt", "box.zip/inner/a.md"]);
  expect(find("孔雀")).toEqual(["box.zip/inner/a.md"]);
  await add("box.zip", zip({ "inner/a.md": "# 甲\n\n孔雀东南飞。" }));
  await settled();
  expect(documents().map((row) => row.path)).toEqual(["box.zip", "box.zip/inner/a.md"]);
  expect(find("白鹭")).toEqual([]);
  const container = storage.documents.findByPath(kb.num, "box.zip");
  await ingest.removeDocument(container as NonNullable<typeof container>);
  await settled();
  expect(documents()).toEqual([]);
  expect(filesWith("孔雀")).toEqual([]);
});

test("a poisoned file is set aside with its reason, the rest goes on; too large and unsafe names are refused", async () => {
  await add("broken.pdf", "%PDF-1.7 this is no PDF");
  await add("good.md", "# 好\n\n正常的文件。\n");
  await settled();
  expect(documents().map((row) => [row.path, row.state])).toEqual([
    ["broken.pdf", "failed"],
    ["good.md", "words"],
  ]);
  expect(documents()[0]?.error?.code).toMatch(/^document_/);
  expect(await add("broken.pdf", "%PDF-1.7 this is no PDF")).toMatchObject({ changed: false });
  await expect(add("big.md", "x".repeat(2 << 20))).rejects.toMatchObject({ code: "document_too_large" });
  for (const bad of ["../up.md", "a/../../b", "", "a\u0000b"]) await expect(add(bad, "x")).rejects.toMatchObject({ code: "path_unsafe" });
  expect(cleanPath("./a//b\\c.md")).toBe("a/b/c.md");
});

test("the failed job itself can be run again", async () => {
  const file = await add("a.md", "# 甲\n\n火凤凰涅槃。");
  await settled();
  const version = storage.documents.find(file.documentId)?.newestVersion as number;
  // As after a fault of the box: set aside although nothing is wrong with the file.
  storage.documents.update(storage.documents.find(file.documentId)?.num as number, { state: "failed", currentVersion: null });
  storage.versions.update(version, { state: "failed" });
  const job = jobs.list().find((entry) => entry.kind === "ingest");
  storage.jobs.finish(job?.id ?? "", "failed", { code: "internal", message: "x" }, new Date().toISOString());
  jobs.retry(job?.id ?? "");
  await settled();
  expect(documents()[0]).toMatchObject({ state: "words", error: null });
  expect(find("凤凰")).toEqual(["a.md"]);
});

test("a bad new version leaves the old one searchable; retry reads it again", async () => {
  await add("a.txt", "最初的鲲鹏版本。");
  await settled();
  await add("a.txt", new Uint8Array([0x25, 0x50, 0x44, 0x46, 0x2d, 0x31, 0x2e, 0x37, 0x0a, 0, 1, 2]));
  await settled();
  const row = documents()[0];
  expect(row?.state).toBe("failed");
  expect(find("鲲鹏")).toEqual(["a.txt"]);
  ingest.retryDocument(kb, row as NonNullable<typeof row>);
  expect(documents()[0]?.state).toBe("waiting");
  await settled();
  expect(documents()[0]?.state).toBe("failed");
});

test("a base removed while its files are being read leaves nothing", async () => {
  embedder = createEmbedder("e");
  for (let i = 0; i < 30; i++)
    await add(`f/${i}.md`, `# 文${i}\n\n${Array.from({ length: 200 }, (_, n) => `第${n + 1}条 昙花一现${i}。`).join("\n\n")}\n`);
  for (let i = 0; i < 300 && storage.kbs.counts(kb.num, null).chunks === 0; i++) await new Promise((resolve) => setTimeout(resolve, 20));
  await ingest.removeBase(kb);
  await settled(["ingest", "purge", "embed"]);
  for (const table of ["documents", "versions", "texts", "chunks", "chunk_terms", "chunk_vectors", "vectors"]) {
    expect(storage.connection.get<{ n: number }>(`SELECT count(*) AS n FROM ${table}`)?.n, table).toBe(0);
  }
  expect(filesWith("昙花")).toEqual([]);
  await expect(add("late.md", "x")).rejects.toMatchObject({ code: "kb_not_found" });
  expect(storage.checkIntegrity()).toBe("ok");
});

test("editions: the newest that is not in the future is in force", async () => {
  for (const date of ["2019-01-01", "2023-05-01", "2099-01-01"]) await add(`差旅费管理办法(${date}).md`, `# 差旅费管理办法\n\n第一条 ${date} 版。\n`);
  await add("日报(2023-05-01)附.md", "# 日报\n\n今天。\n");
  await settled();
  expect(documents().map((row) => [row.path, row.date, row.edition])).toEqual([
    ["差旅费管理办法(2019-01-01).md", "2019-01-01", "superseded"],
    ["差旅费管理办法(2023-05-01).md", "2023-05-01", "in-force"],
    ["差旅费管理办法(2099-01-01).md", "2099-01-01", null],
    ["日报(2023-05-01)附.md", "2023-05-01", null],
  ]);
  expect(storage.documents.listDueWorks("2026-01-01")).toEqual([]);
  expect(storage.documents.listDueWorks("2099-01-01")).toMatchObject([{ kb: kb.num, work: "差旅费管理办法" }]);
  const inForce = storage.documents.findByPath(kb.num, "差旅费管理办法(2023-05-01).md");
  await ingest.removeDocument(inForce as NonNullable<typeof inForce>);
  expect(storage.documents.findByPath(kb.num, "差旅费管理办法(2019-01-01).md")?.edition).toBe("in-force");
});

test("names and dates of works", () => {
  expect(workKey("中华人民共和国劳动合同法（2012年修正）", "a.pdf")).toBe(workKey("中华人民共和国劳动合同法", "劳动合同法(2007-06-29).md"));
  expect(workKey("适用民法典的解释（一）", "x(2020-12-29).md")).not.toBe(workKey("适用民法典的解释（二）", "x(2024-01-01).md"));
  expect(workKey("日报", "日报.md")).toBe(null);
  expect(workKey("员工手册 第二版", "a.docx")).toBe(workKey("员工手册", "b.docx"));
  expect(workKey("用户手册", "甲/a(2020-01-01).pdf")).not.toBe(workKey("用户手册", "乙/a(2021-01-01).pdf"));
  expect(workKey("差旅费管理办法", "甲/a.pdf")).toBe(workKey("差旅费管理办法（2021年修订）", "乙/b.pdf"));
  expect(dateInName("a/手册_20230501.docx")).toBe("2023-05-01");
  expect(dateInName("编号20231399.md")).toBe(null);
  expect(linkEditions([{ num: 1, date: "2020-01-01", edition: null, supersededBy: null }], "2024-01-01")).toEqual([]);
});

test("an estimate is measured, not guessed", () => {
  let now = 0;
  const pace = createPace(() => now);
  const left = { bytes: 1000, chunks: 50, chunksPerByte: 0.01 };
  expect(pace.etaSeconds(left)).toBe(null);
  for (let i = 0; i < 10; i++, now += 100) pace.wasRead(100); // 1 byte a ms
  expect(pace.etaSeconds(left)).toBe(null); // the vectors' speed is not known
  pace.wasEmbedded(10, 100);
  expect(pace.etaSeconds(left)).toBeCloseTo(1 + (50 + 10) / 100, 1);
  expect(pace.etaSeconds({ bytes: 0, chunks: 0, chunksPerByte: 0.01 })).toBe(null);
});

test("work left by a stopped box is taken up; another embedder serves only when it is complete", async () => {
  await jobs.stop();
  await add("a.md", "# 甲\n\n停机前收下的文件。\n");
  await ingest.close();
  storage.close();
  open();
  await ingest.resume();
  embedder = createEmbedder("e");
  jobs.start();
  await settled(["ingest", "embed"]);
  expect(find("停机")).toEqual(["a.md"]);
  embedder = createEmbedder("f");
  ingest.changeEmbedder(storage.kbs.find("kb_1") as KbRow, "f");
  await settled(["reembed", "embed"]);
  expect(storage.kbs.find("kb_1")?.embedder).toBe("f");
  expect(storage.connection.all("SELECT DISTINCT embedder FROM vectors")).toEqual([{ embedder: "f" }]);
  const counts = storage.kbs.counts(kb.num, null);
  expect(counts.embedded).toBe(counts.chunks);
});
