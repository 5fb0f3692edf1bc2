/** @file Backups of a real data folder: consistent while written to, small the second time, sealed by choice, restored whole or not at all. */
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openStorage, type Storage } from "#storage";
import { databaseDoor } from "../../app/nights.ts";
import { createBackup } from "./backup.ts";
import { listBackups, rehearseRestore, restoreBackup } from "./restore.ts";
import { chooseKept, rotate, withFolderLock } from "./snapshots.ts";
import { openVault } from "./vault.ts";

let folder = "";
let dataDir = "";
let backups = "";
let storage: Storage | null;
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), "starbox-backup-"));
  dataDir = path.join(folder, "data");
  backups = path.join(folder, "backups");
  storage = openStorage(dataDir);
});
afterEach(() => {
  storage?.close();
  rmSync(folder, { recursive: true, force: true });
});

const at = "2026-01-01T00:00:00.000Z";
const options = (passphrase: string | null = null) => ({
  dataDir,
  folder: backups,
  passphrase,
  withModels: false,
  version: "1",
  database: databaseDoor,
});
const restore = (into: string, more: Partial<Parameters<typeof restoreBackup>[0]> = {}) =>
  restoreBackup({ folder: backups, passphrase: null, dataDir: into, id: null, force: false, database: databaseDoor, ...more });

/** A document of these words, as uploading makes it. */
async function add(name: string, words: string): Promise<string> {
  const box = storage as Storage;
  const kb = box.kbs.find("kb_1")?.num ?? box.kbs.insert({ id: "kb_1", name: "法规", description: "", embedder: null, createdAt: at, updatedAt: at });
  const blob = await box.blobs.write({ bytes: new TextEncoder().encode(words) }, { maxBytes: 1 << 24 });
  box.transaction(() => {
    const document = box.documents.insert({
      id: `doc_${name}`,
      kb,
      path: name,
      folder: "",
      title: name,
      type: "md",
      tags: [],
      parent: null,
      state: "waiting",
      createdAt: at,
    });
    box.versions.insert({ id: `ver_${name}`, document, number: 1, sha256: blob.sha256, bytes: blob.bytes, createdAt: at });
  });
  blob.release();
  return blob.sha256;
}

const filesBelow = (where: string): string[] =>
  readdirSync(where, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name));

test("a backup taken while rows and files are being added restores to one moment; the second one stores only what is new", async () => {
  for (let i = 0; i < 30; i++) await add(`before${i}`, `第${i}条 ${randomBytes(20_000).toString("base64")}`);
  writeFileSync(path.join(dataDir, "session.secret"), "s3cret", { mode: 0o600 });
  writeFileSync(path.join(dataDir, "operator.token"), "tok");
  writeFileSync(
    path.join(dataDir, "models", "tiny.json"),
    JSON.stringify({ id: "tiny", sha256: "ab", sizeBytes: 5, source: "pypi", file: "sha256-ab.gguf" }),
  );
  writeFileSync(path.join(dataDir, "models", "sha256-ab.gguf"), "model");
  let going = true;
  const writer = (async () => {
    for (let i = 0; going && i < 500; i++) {
      await add(`during${i}`, `正在写入 ${i} ${"y".repeat(500)}`);
      await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  const first = await createBackup(options());
  going = false;
  await writer;
  const middle = await createBackup(options());
  await add("after", "备份之后");
  const second = await createBackup(options());
  expect(second.sizeBytes).toBeGreaterThan(middle.sizeBytes);
  expect(second.storedBytes).toBeLessThan((first.storedBytes + middle.storedBytes) / 2);
  expect(first.models).toEqual([{ id: "tiny", sha256: "ab", sizeBytes: 5, source: "pypi" }]);

  const into = path.join(folder, "machine2");
  const done = await restore(into, { id: first.id });
  expect(done.missingModels.map(({ id }) => id)).toEqual(["tiny"]);
  expect(readFileSync(path.join(into, "session.secret"), "utf8")).toBe("s3cret");
  expect(existsSync(path.join(into, "operator.token"))).toBe(false);
  expect(existsSync(path.join(into, "models", "sha256-ab.gguf"))).toBe(false);
  const restored = openStorage(into);
  const rows = restored.connection.all<{ num: number; path: string }>("SELECT num, path FROM documents");
  expect(rows.length).toBeGreaterThanOrEqual(30);
  expect(rows.some((row) => row.path === "after")).toBe(false);
  for (const row of rows) {
    const { sha256 } = restored.connection.get<{ sha256: string }>("SELECT sha256 FROM versions WHERE document = ?", row.num) ?? { sha256: "" };
    expect(restored.blobs.has(sha256), row.path).toBe(true);
  }
  expect(restored.checkIntegrity()).toBe("ok");
  restored.close();
  const last = openStorage((await restore(path.join(folder, "machine3"))) && path.join(folder, "machine3"));
  expect(last.connection.all<{ path: string }>("SELECT path FROM documents").some((row) => row.path === "after")).toBe(true);
  last.close();
});

test("sealed: nothing readable lies in the folder, the wrong passphrase and a changed byte are told by name", async () => {
  await add("secret.md", "机密内容 TOPSECRETWORD ".repeat(50));
  writeFileSync(path.join(dataDir, "session.secret"), "HIDDENSECRET");
  const made = await createBackup(options("correct horse battery"));
  expect(made.encrypted).toBe(true);
  for (const file of filesBelow(backups)) {
    const bytes = readFileSync(file).toString("latin1");
    expect(bytes).not.toContain("TOPSECRETWORD");
    expect(bytes).not.toContain("HIDDENSECRET");
    expect(bytes.slice(0, 4)).not.toBe("\x28\xb5\x2f\xfd"); // zstd's own mark: would be open
  }
  await expect(restore(path.join(folder, "a"))).rejects.toMatchObject({ code: "backup_invalid" });
  await expect(restore(path.join(folder, "a"), { passphrase: "wrong horse battery" })).rejects.toMatchObject({ code: "backup_invalid" });
  await restore(path.join(folder, "b"), { passphrase: "correct horse battery" });
  expect(readFileSync(path.join(folder, "b", "session.secret"), "utf8")).toBe("HIDDENSECRET");
  const piece = filesBelow(path.join(backups, "pieces"))[0] as string;
  const bytes = readFileSync(piece);
  bytes[bytes.length - 1]! ^= 1;
  writeFileSync(piece, bytes);
  await expect(restore(path.join(folder, "c"), { passphrase: "correct horse battery" })).rejects.toMatchObject({ code: "backup_invalid" });
  expect(existsSync(path.join(folder, "c"))).toBe(false);
});

test("a used folder is refused, in use even with --force; with --force it is set aside whole, models and backups stay", async () => {
  await add("a.md", "甲");
  await createBackup(options());
  writeFileSync(path.join(dataDir, "models", "sha256-ab.gguf"), "model");
  mkdirSync(path.join(dataDir, "backups"));
  await expect(restore(dataDir)).rejects.toMatchObject({ code: "conflict" });
  await expect(restore(dataDir, { force: true })).rejects.toMatchObject({ code: "data_locked" });
  storage?.close();
  storage = null;
  const { setAside } = await restore(dataDir, { force: true });
  expect(existsSync(path.join(setAside ?? "", "box.db"))).toBe(true);
  expect(existsSync(path.join(dataDir, "models", "sha256-ab.gguf"))).toBe(true);
  expect(existsSync(path.join(dataDir, "backups"))).toBe(true);
});

test("a rehearsal finds a missing piece, a missing original and rows that are not those of the backup", async () => {
  await add("a.md", "甲".repeat(1000));
  const made = await createBackup(options());
  const rehearse = async () => {
    const workFolder = path.join(folder, "rehearsal");
    const report = await rehearseRestore({ folder: backups, passphrase: null, id: null, database: databaseDoor, workFolder, now: Date.now });
    expect(existsSync(workFolder)).toBe(false);
    return report;
  };
  expect(await rehearse()).toMatchObject({ ok: true, backupId: made.id });
  const door = { ...databaseDoor, describe: (file: string) => ({ ...databaseDoor.describe(file), blobs: ["ff".repeat(32)] }) };
  const lacking = await rehearseRestore({
    folder: backups,
    passphrase: null,
    id: null,
    database: door,
    workFolder: path.join(folder, "r"),
    now: Date.now,
  });
  expect(lacking.checks.find((check) => check.name === "originals")?.ok).toBe(false);
  rmSync(filesBelow(path.join(backups, "pieces"))[0] as string);
  expect(await rehearse()).toMatchObject({ ok: false });
});

test("rotation keeps the newest of days, weeks and months, frees the others' pieces, and what is kept can be restored", async () => {
  const many = Array.from({ length: 400 }, (_, day) => ({ id: String(day), at: new Date(Date.UTC(2026, 0, 1 + day, 2)).toISOString() }));
  const kept = [...chooseKept(many, { keepDaily: 7, keepWeekly: 4, keepMonthly: 6 })].map(Number).sort((a, b) => b - a);
  expect(kept.slice(0, 7)).toEqual([399, 398, 397, 396, 395, 394, 393]);
  expect(kept.length).toBeGreaterThanOrEqual(12);
  expect(kept.length).toBeLessThanOrEqual(17);
  expect(chooseKept(many, { keepDaily: 0, keepWeekly: 0, keepMonthly: 0 })).toEqual(new Set(["399"]));

  const day = 86_400_000;
  for (let i = 0; i < 4; i++) {
    await add(`day${i}`, `第${i}天 ${Math.random()} ${"z".repeat(5000)}`);
    await createBackup({ ...options(), now: () => Date.UTC(2026, 0, 1) + i * day });
  }
  const vault = await openVault(backups, { passphrase: null, create: false });
  const before = filesBelow(path.join(backups, "pieces")).length;
  expect((await rotate(vault, { keepDaily: 2, keepWeekly: 0, keepMonthly: 0 })).removed).toBe(2);
  expect(filesBelow(path.join(backups, "pieces")).length).toBeLessThan(before);
  const left = await listBackups(backups, null);
  expect(left).toHaveLength(2);
  for (const { id } of left) await restore(path.join(folder, `r${id}`), { id });
});

test("one writer a folder; a dead one's lock is not waited for", async () => {
  await withFolderLock(backups, async () => {
    await expect(withFolderLock(backups, async () => 1)).rejects.toMatchObject({ code: "busy" });
  });
  writeFileSync(path.join(backups, "writing.lock"), "999999999");
  expect(await withFolderLock(backups, async () => 2)).toBe(2);
});
