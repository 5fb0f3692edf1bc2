/** @file Bad days of the data folder: kill -9 at random moments, a full disk, many files, poison among them. Real processes, real files. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { zipSync } from "fflate";
import { afterEach, beforeEach, expect, test } from "vitest";
import { StarboxError } from "#base";
import type { Storage } from "#storage";
import { assemble, type ChildTask, kbId, markOf, textOf } from "./bad-days-child.ts";
import { expectSound } from "./sound-storage.ts";

const long = process.env["STARBOX_TEST_LONG"] === "1";
const kills = Number(process.env["STARBOX_TEST_KILLS"] ?? (long ? 50 : 5));

let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(path.join(os.tmpdir(), "starbox-bad-"));
});
afterEach(() => {
  rmSync(dataDir, { recursive: true, force: true });
});

const find = (storage: Storage, word: string): string[] =>
  storage.connection
    .all<{ path: string }>(
      "SELECT DISTINCT d.path FROM chunk_words w JOIN chunks c ON c.id = w.rowid JOIN documents d ON d.current_version = c.version WHERE chunk_words MATCH ?",
      `"${word}"`,
    )
    .map((row) => row.path);

function start(task: ChildTask, onLine: (line: string) => void): { readonly child: ChildProcess; readonly ended: Promise<string> } {
  const child = spawn(process.execPath, ["--conditions=starbox-source", path.join(import.meta.dirname, "bad-days-child.ts"), JSON.stringify(task)], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let rest = "";
  let errors = "";
  child.stdout?.on("data", (part: Buffer) => {
    const lines = (rest + part.toString()).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) onLine(line);
  });
  child.stderr?.on("data", (part: Buffer) => (errors += part.toString()));
  return { child, ended: new Promise((resolve) => child.once("close", () => resolve(errors))) };
}

test(`kill -9 at ${kills} moments of reading in: nothing acknowledged is lost, nothing doubled, jobs go on`, {
  timeout: 60_000 + kills * 20_000,
}, async () => {
  const files = 40;
  const rounds = Math.max(2, Math.ceil(kills / 4));
  const acknowledged = new Map<number, number>();
  const lost: string[] = [];
  // A kill may fall between the promise and its line: such a file is "kept" at the next start. One acknowledged twice was lost in between.
  const note = (line: string): void => {
    const [word, file, round] = line.split(" ").map((part, i) => (i === 0 ? part : Number(part))) as [string, number, number];
    if (word !== "ack" && word !== "kept") return;
    if (word === "ack" && (acknowledged.get(file) ?? -1) >= round) lost.push(line);
    acknowledged.set(file, Math.max(round, acknowledged.get(file) ?? 0));
  };
  for (let i = 0; i < kills; i++) {
    let isReady = (): void => undefined;
    const ready = new Promise<void>((resolve) => (isReady = resolve));
    const { child, ended } = start({ dataDir, files, rounds, finish: false }, (line) => (line === "ready" ? isReady() : note(line)));
    await Promise.race([
      ready,
      ended.then((errors) => {
        throw new Error(`the child ended by itself: ${errors}`);
      }),
    ]);
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 1500));
    child.kill("SIGKILL");
    await ended;
  }
  let finished = false;
  const last = start({ dataDir, files, rounds, finish: true }, (line) => (line === "end" ? (finished = true) : note(line)));
  expect(await last.ended).toBe("");
  expect(finished).toBe(true);
  expect(lost).toEqual([]);
  expect(acknowledged.size).toBe(files);

  const box = assemble(dataDir);
  const { storage } = box;
  const kb = box.kb();
  await box.ingest.resume();
  expect(storage.jobs.counts()).toMatchObject({ queued: 0, running: 0, failed: 0 });
  const documents = storage.documents.list(kb.num, null, { limit: 10_000 });
  expect(documents).toHaveLength(files);
  expect(documents.filter((row) => row.state !== "ready")).toEqual([]);
  for (let file = 0; file < files; file++) {
    expect(acknowledged.get(file)).toBe(rounds - 1);
    expect(find(storage, markOf(file, rounds - 1))).toEqual([`f/${file}.md`]);
    if (rounds > 1) expect(find(storage, markOf(file, rounds - 2))).toEqual([]);
  }
  expect(storage.connection.all("SELECT 1 FROM versions WHERE state <> 'current'")).toEqual([]);
  expectSound(storage);
  await box.close();
});

/** A small disk of its own where the machine allows one (root, or a user namespace is not needed). */
function mountSmallDisk(folder: string, megabytes: number): (() => void) | null {
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", folder], { stdio: "ignore" });
    return () => execFileSync("umount", ["-l", folder]);
  } catch {
    return null;
  }
}

test("a full disk: a named error, nothing lost, and the work goes on when there is room again", { timeout: 120_000 }, async () => {
  const unmount = mountSmallDisk(dataDir, 96);
  const box = assemble(dataDir, 1);
  const { storage } = box;
  try {
    const kb = box.kb();
    await box.ingest.resume();
    const ballast = path.join(dataDir, "ballast");
    // Without a disk of our own the database itself gets a ceiling: the same error from the same place.
    const pages = storage.connection.get<{ n: number }>("SELECT page_count AS n FROM pragma_page_count()")?.n ?? 0;
    if (unmount === null) storage.connection.raw.exec(`PRAGMA max_page_count = ${pages + 60}`);
    else writeFileSync(ballast, Buffer.alloc(88 << 20));
    box.jobs.start();
    const accepted: number[] = [];
    let full: unknown;
    for (let file = 0; full === undefined && file < 3000; file++) {
      try {
        await box.ingest.addFile(kb, {
          path: `f/${file}.md`,
          content: { bytes: new TextEncoder().encode(`${textOf(file, 0, -1)}${"补充文字。".repeat(400)}`) },
        });
        accepted.push(file);
      } catch (error) {
        full = error;
      }
    }
    expect(StarboxError.is(full, "disk_full")).toBe(true);
    expect(accepted.length).toBeGreaterThan(0);
    if (unmount === null) storage.connection.raw.exec("PRAGMA max_page_count = 1000000");
    else rmSync(ballast);
    box.jobs.hurry("ingest");
    await box.settled();
    expect(storage.documents.list(kb.num, null, { limit: 10_000 }).map((row) => row.state)).toEqual(accepted.map(() => "ready"));
    for (const file of accepted) expect(find(storage, markOf(file, 0))).toEqual([`f/${file}.md`]);
    expect(readdirSync(path.join(dataDir, "tmp"))).toEqual([]);
    await box.ingest.resume();
    expectSound(storage);
  } finally {
    await box.close();
    unmount?.();
  }
});

test("poison among good files: each set aside with its reason, nothing escapes, the rest is read", { timeout: 60_000 }, async () => {
  const box = assemble(dataDir);
  const { storage } = box;
  const kb = box.kb();
  await box.ingest.resume();
  box.jobs.start();
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  const poison: Record<string, Uint8Array> = {
    "broken.pdf": bytes("%PDF-1.7\nthis is none"),
    "broken.docx": bytes("PK\u0003\u0004 not a zip"),
    "bomb.zip": zipSync({ "a.txt": new Uint8Array(300 << 20) }, { level: 9 }),
    "tricks.zip": zipSync({ "../../escape.md": bytes("# out"), "ok.md": bytes("# in\n\n里面的文字。") }),
    "old.doc": Uint8Array.from([0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1, ...new Array(600).fill(0)]),
    "empty.md": bytes(""),
    "noise.txt": Uint8Array.from({ length: 5000 }, (_, i) => (i * 7919 + (i >> 3) * 104_729) % 256),
  };
  for (const [name, content] of Object.entries(poison)) await box.ingest.addFile(kb, { path: name, content: { bytes: content } });
  for (let i = 0; i < 20; i++) await box.ingest.addFile(kb, { path: `good/${i}.md`, content: { bytes: bytes(textOf(i, 0, -1)) } });
  await expect(box.ingest.addFile(kb, { path: "../outside.md", content: { bytes: bytes("x") } })).rejects.toMatchObject({ code: "path_unsafe" });
  const huge = path.join(dataDir, "tmp", "huge.pdf");
  writeFileSync(huge, "%PDF-1.7");
  truncateSync(huge, 2 ** 31);
  await expect(box.ingest.addFile(kb, { path: "huge.pdf", content: { filePath: huge } })).rejects.toMatchObject({ code: "document_too_large" });
  rmSync(huge);
  await box.settled();
  const states = new Map(storage.documents.list(kb.num, null, { limit: 1000 }).map((row) => [row.path, row]));
  for (let i = 0; i < 20; i++) expect(states.get(`good/${i}.md`)?.state).toBe("ready");
  for (const name of ["broken.pdf", "broken.docx", "bomb.zip", "tricks.zip", "old.doc", "empty.md"]) {
    expect([name, states.get(name)?.state]).toEqual([name, "failed"]);
    expect(states.get(name)?.error?.code, name).not.toBe("internal");
    expect(states.get(name)?.error?.hint, name).toBeTruthy();
  }
  expect(existsSync(path.join(dataDir, "..", "escape.md"))).toBe(false);
  expectSound(storage);
  await box.close();
});

test(`${long ? "10,000" : "300"} small files: each found by its own word`, { timeout: long ? 1_200_000 : 60_000 }, async () => {
  const count = long ? 10_000 : 300;
  const folder = path.join(dataDir, "files");
  mkdirSync(folder);
  const box = assemble(path.join(dataDir, "box"));
  const kb = box.kb();
  await box.ingest.resume();
  box.jobs.start();
  for (let i = 0; i < count; i++) {
    const filePath = path.join(folder, `${i}.txt`);
    writeFileSync(filePath, `第${i}个小文件 ${markOf(i, 7)}。`);
    await box.ingest.addFile(kb, { path: `${i}.txt`, content: { filePath } });
  }
  await box.settled();
  const counts = box.storage.kbs.counts(kb.num, null);
  expect(counts).toMatchObject({ documents: count, pending: 0, failed: 0 });
  expect(counts.embedded).toBe(counts.chunks);
  for (let i = 0; i < count; i += Math.ceil(count / 200)) expect(find(box.storage, markOf(i, 7))).toEqual([`${i}.txt`]);
  expect(box.storage.checkIntegrity()).toBe("ok");
  expect(box.storage.kbs.find(kbId)?.name).toBe("bad days");
  await box.close();
});
