/** @file The data folder: lock, migrations, rows, blobs, faults of the disk. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { StarboxError } from "#base";
import { checkDatabase, migrate, nameSqliteError, openConnection, openStorage, readLockHolder, type Storage } from "#storage";

let dataDir: string;
let storage: Storage;
beforeEach(() => {
  dataDir = mkdtempSync(path.join(os.tmpdir(), "starbox-storage-"));
  storage = openStorage(dataDir);
});
afterEach(() => {
  storage.close();
  rmSync(dataDir, { recursive: true });
});

const codeOf = (work: () => unknown): string | undefined => {
  try {
    work();
  } catch (error) {
    return StarboxError.is(error) ? error.code : String(error);
  }
  return undefined;
};

test("a second owner is told who holds the folder, also one in another process", () => {
  expect(codeOf(() => openStorage(dataDir))).toBe("data_locked");
  const script = `import { openStorage } from "#storage"; try { openStorage(process.argv[1]); } catch (error) { process.stdout.write(error.code + " " + error.details.holder.pid); }`;
  const child = spawnSync(process.execPath, ["--conditions=starbox-source", "--input-type=module", "-e", script, dataDir], { encoding: "utf8" });
  expect(child.stdout, child.stderr).toBe(`data_locked ${process.pid}`);
  expect(readLockHolder(dataDir)?.pid).toBe(process.pid);
  storage.close();
  storage = openStorage(dataDir);
});

test("a folder that cannot be used is named as such, not as locked", () => {
  writeFileSync(path.join(dataDir, "file"), "");
  expect(codeOf(() => openStorage(path.join(dataDir, "file", "data")))).toBe("settings_invalid");
  mkdirSync(path.join(dataDir, "taken", "lock.db"), { recursive: true });
  expect(codeOf(() => openStorage(path.join(dataDir, "taken")))).toBe("settings_invalid");
  if (existsSync("/proc/self")) expect(codeOf(() => openStorage("/proc/none/data"))).toBe("settings_invalid");
});

test("a reader sees what the owner wrote, and cannot write", () => {
  storage.settings.write("a", "1");
  const reader = openStorage(dataDir, { readOnly: true });
  expect(reader.settings.read("a")).toBe("1");
  expect(codeOf(() => reader.settings.write("a", "2"))).toBeDefined();
  reader.close();
});

test("a reader in the middle of something delays the emptying of the log, not the box", () => {
  storage.settings.write("a", "1");
  const reader = openStorage(dataDir, { readOnly: true });
  reader.connection.raw.exec("BEGIN");
  expect(reader.settings.read("a")).toBe("1");
  storage.settings.write("a", "2");
  const started = performance.now();
  expect(storage.checkpoint()).toBe(false);
  expect(performance.now() - started).toBeLessThan(1000);
  reader.connection.raw.exec("COMMIT");
  expect(storage.checkpoint()).toBe(true);
  reader.close();
});

test("the integrity check runs beside the box, and says what it found", async () => {
  storage.settings.write("a", "1");
  expect(await checkDatabase(dataDir)).toBe("ok");
  expect(await checkDatabase(path.join(dataDir, "nowhere"))).not.toBe("ok");
});

test("a newer schema is refused by name; migrations run once", () => {
  expect(storage.checkIntegrity()).toBe("ok");
  storage.connection.raw.exec("PRAGMA user_version = 9999");
  expect(codeOf(() => migrate(storage.connection))).toBe("data_corrupt");
});

test("a migration that fails leaves nothing behind", () => {
  const connection = openConnection(path.join(dataDir, "other.db"));
  const broken = {
    number: 1,
    name: "broken",
    up: () => {
      connection.raw.exec("CREATE TABLE half (a)");
      throw new Error("stop");
    },
  };
  expect(() => migrate(connection, [broken])).toThrow("stop");
  expect(connection.all("SELECT name FROM sqlite_master WHERE name = 'half'")).toEqual([]);
  connection.close();
});

test("nested transactions undo only their own part", () => {
  storage.transaction(() => {
    storage.settings.write("kept", "1");
    expect(() =>
      storage.transaction(() => {
        storage.settings.write("lost", "1");
        throw new Error("inner");
      }),
    ).toThrow("inner");
  });
  expect([storage.settings.read("kept"), storage.settings.read("lost")]).toEqual(["1", null]);
});

test("blobs: same bytes once, too large refused without a trace, unused ones go, pinned ones stay", async () => {
  const bytes = new TextEncoder().encode("甲乙丙");
  const first = await storage.blobs.write({ bytes }, { maxBytes: 100 });
  const again = await storage.blobs.write({ stream: new Blob([bytes]).stream() }, { maxBytes: 100 });
  expect(again.sha256).toBe(first.sha256);
  expect(readFileSync(storage.blobs.filePath(first.sha256), "utf8")).toBe("甲乙丙");
  first.release();
  expect(await storage.blobs.remove(first.sha256, () => false)).toBe(false);
  again.release();
  expect(await storage.blobs.remove(first.sha256, () => true)).toBe(false);
  expect(await storage.blobs.remove(first.sha256, () => false)).toBe(true);
  await expect(storage.blobs.write({ bytes }, { maxBytes: 5 })).rejects.toMatchObject({ code: "document_too_large" });
  expect(existsSync(storage.blobs.filePath(first.sha256))).toBe(false);
});

test("a full database is disk_full, and what was committed stays", () => {
  storage.settings.write("before", "1");
  storage.checkpoint();
  const pages = storage.connection.get<{ page_count: number }>("PRAGMA page_count")?.page_count ?? 0;
  storage.connection.raw.exec(`PRAGMA max_page_count = ${pages + 4}`);
  expect(
    codeOf(() =>
      storage.transaction(() => {
        for (let i = 0; i < 1000; i++) storage.settings.write(`k${i}`, "x".repeat(4000));
      }),
    ),
  ).toBe("disk_full");
  storage.connection.raw.exec("PRAGMA max_page_count = 1000000");
  expect(storage.settings.read("before")).toBe("1");
  expect(storage.settings.read("k0")).toBe(null);
  storage.settings.write("after", "1");
  expect(storage.checkIntegrity()).toBe("ok");
  expect(nameSqliteError(Object.assign(new Error(), { code: "ENOSPC" }), "x")).toMatchObject({ code: "disk_full" });
});

test("rows come back as they went in", () => {
  const at = "2026-01-01T00:00:00.000Z";
  const kb = storage.kbs.insert({ id: "kb_1", name: "劳动", description: "", embedder: null, createdAt: at, updatedAt: at });
  const document = storage.documents.insert({
    id: "doc_1",
    kb,
    path: "甲/乙.md",
    folder: "甲",
    title: "乙",
    type: "md",
    tags: ["t"],
    parent: null,
    state: "waiting",
    createdAt: at,
  });
  const version = storage.versions.insert({ id: "ver_1", document, number: 1, sha256: "00", bytes: 3, createdAt: at });
  const chunk = storage.chunks.insert({
    kb,
    document,
    version,
    ordinal: 0,
    start: 0,
    end: 2,
    page: 1,
    context: ["题"],
    label: "第一条",
    text: "内容",
    hash: new Uint8Array(16),
    edited: false,
  });
  storage.versions.update(version, { state: "current", chunks: 1, scanned: [2] });
  storage.documents.update(document, { currentVersion: version, state: "words", error: { code: "internal", message: "x" } });
  expect(storage.documents.find("doc_1")).toMatchObject({ tags: ["t"], state: "words", error: { code: "internal" }, titleByPerson: false });
  expect(storage.versions.findByNum(version)).toMatchObject({ scanned: [2], chunks: 1 });
  expect(storage.chunks.find(chunk)).toMatchObject({ context: ["题"], label: "第一条", embedded: false });
  expect(storage.kbs.counts(kb, null)).toMatchObject({ documents: 1, chunks: 1, sizeBytes: 3, pending: 0, failed: 0 });
  expect(storage.documents.list(kb, null, { limit: 9, folder: "甲", search: "乙" })).toHaveLength(1);
  expect(storage.documents.list(kb, null, { limit: 9, folder: "乙" })).toHaveLength(0);
  storage.vectors.write("e", new Uint8Array(16), new Float32Array([1, 2]));
  expect(storage.vectors.find("e", new Uint8Array(16))).toEqual(new Float32Array([1, 2]));
  storage.texts.write(
    version,
    "一二三四五六",
    JSON.stringify([
      { start: 0, end: 2, page: 1 },
      { start: 2, end: 4, page: 9 },
      { start: 4, end: 6, page: 10 },
    ]),
  );
  expect([0, 1, 2, 3, 5].map((offset) => storage.texts.pageAt(version, offset))).toEqual([1, 1, 9, 9, 10]);
  expect(storage.texts.pageAt(-1, 0)).toBeNull();
  storage.documents.remove(document);
  expect(storage.versions.findByNum(version)).toMatchObject({ document: null, state: "old" });
  expect(storage.checkIntegrity()).toBe("ok");
});

test("chats, turns, gaps, curated answers, answers", () => {
  const at = "2026-01-01T00:00:00.000Z";
  storage.kbs.insert({ id: "kb_1", name: "a", description: "", embedder: null, createdAt: at, updatedAt: at });
  storage.chats.insert({ id: "chat_1", personId: null, title: "", kbIds: ["kb_1"], model: null, headTurnId: null, createdAt: at, updatedAt: at });
  const turn = {
    chatId: "chat_1",
    content: "问",
    citations: [],
    refused: false,
    nearest: [],
    rating: null,
    correction: null,
    correctionReason: null,
    model: null,
    error: null,
    answerId: null,
    open: false,
    createdAt: at,
  } as const;
  storage.chats.insertTurn({ ...turn, id: "t1", parentId: null, role: "user" });
  storage.chats.insertTurn({ ...turn, id: "t2", parentId: "t1", role: "assistant", open: true });
  expect(storage.chats.readBranch("t2").map((row) => row.id)).toEqual(["t1", "t2"]);
  expect(storage.chats.closeOpenTurns({ code: "internal", message: "broken" })).toBe(1);
  expect(storage.chats.findTurn("t2")).toMatchObject({ open: false, error: { message: "broken" } });
  storage.chats.updateTurn("t2", { rating: "up", content: "答" });
  expect(storage.chats.listTurns("chat_1").at(1)).toMatchObject({ rating: "up", content: "答" });
  expect(storage.chats.list(null)).toHaveLength(1);
  storage.gaps.write({ id: "g1", kbId: "kb_1", question: "q", variants: ["q"], count: 1, nearest: [], createdAt: at, lastAskedAt: at });
  expect(storage.gaps.list("kb_1")).toMatchObject([{ kbId: "kb_1", variants: ["q"] }]);
  expect(storage.gaps.resolve("g1", at)).toBe(true);
  expect(storage.gaps.list("kb_1")).toEqual([]);
  storage.curated.write({
    id: "c1",
    kbId: "kb_1",
    question: "q",
    answer: "a",
    documentIds: ["d"],
    createdBy: "p",
    approved: true,
    createdAt: at,
    updatedAt: at,
  });
  expect(storage.curated.find("c1")).toMatchObject({ documentIds: ["d"] });
  expect(storage.curated.remove("c1")).toBe(true);
});
