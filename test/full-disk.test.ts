/** @file A real small disk: uploads are refused by name while the database still has room, everything else works, and room brings them back. Needs root (a tmpfs). */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { loadSettings } from "#base";
import { type Box, openBox } from "../src/app/open-box.ts";

const operator = { personId: null, name: "operator", role: "operator" } as const;
const isRoot = process.platform === "linux" && process.getuid?.() === 0;

test.skipIf(!isRoot)("a disk of 96 MB", { timeout: 60_000 }, async () => {
  const dataDir = fs.mkdtempSync(path.join(os.tmpdir(), "starbox-full-"));
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=96m", "tmpfs", dataDir]);
  let box: Box | null = null;
  try {
    box = openBox(loadSettings({ data: dataDir, model: "none", embedder: "none", offline: true, diskWarnMb: 60, diskRefuseMb: 40 }), {
      serving: false,
    });
    const { knowledge, operations } = box.services;
    const base = await knowledge.createBase(operator, { name: "满" });
    expect((await operations.storage()).level).toBe("ok");
    const levels = new Set<string>();
    let refused: { code?: string; message?: string } | null = null;
    let added = 0;
    for (let i = 0; i < 100 && refused === null; i++) {
      await knowledge.addFile(operator, base.id, { path: `${i}.bin`, content: { bytes: randomBytes(1 << 20) } }).then(
        () => added++,
        (error: { code: string }) => (refused = error),
      );
      levels.add((await operations.storage()).level);
    }
    expect(refused).toMatchObject({ code: "disk_full" });
    expect(added).toBeGreaterThan(20);
    expect([...levels]).toEqual(["ok", "low", "full"]);
    // The database goes on: rows, settings, a chat, a check.
    await knowledge.writeDictionary(operator, base.id, { words: ["满"], synonyms: [] });
    await operations.writeSchedule({ at: "03:15" });
    expect((await box.services.chats.createChat(operator, { kbIds: [] })).id).toBeTruthy();
    expect(box.storage.checkIntegrity()).toBe("ok");
    const { items } = await knowledge.listDocuments(operator, base.id, { limit: 200 });
    expect(items).toHaveLength(added);
    fs.writeFileSync(path.join(dataDir, "ballast"), "");
    execFileSync("mount", ["-o", "remount,size=160m", dataDir]);
    expect(
      (await knowledge.addFile(operator, base.id, { path: "again.md", content: { bytes: new TextEncoder().encode("# 又\n\n可以了。\n") } })).changed,
    ).toBe(true);
  } finally {
    await box?.close();
    execFileSync("umount", ["-l", dataDir]);
    fs.rmSync(dataDir, { recursive: true, force: true });
  }
});
