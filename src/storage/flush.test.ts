/** @file A flush covers everything written before it was asked for, one sync serves many, and a disk that fails is told to each of them. */
import fs from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { openConnection } from "./connection.ts";
import { createFlush } from "./flush.ts";

let folder = "";
beforeEach(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), "starbox-flush-"));
});
afterEach(async () => {
  await fs.rm(folder, { recursive: true, force: true });
});

/** Every sync of a file: when it began and when it was over. */
function watchSyncs(): { readonly began: number[]; readonly ended: number[] } {
  const began: number[] = [];
  const ended: number[] = [];
  const open = fs.open;
  vi.spyOn(fs, "open").mockImplementation(async (...args: Parameters<typeof open>) => {
    const file = await open(...args);
    const datasync = file.datasync.bind(file);
    file.datasync = async () => {
      began.push(performance.now());
      await new Promise((resolve) => setTimeout(resolve, 20));
      await datasync();
      ended.push(performance.now());
    };
    return file;
  });
  return { began, ended };
}

test("who asks while a sync runs waits for one that began afterwards; a hundred share it", async () => {
  const file = path.join(folder, "log");
  await fs.writeFile(file, "x");
  const syncs = watchSyncs();
  const flushed = createFlush(file);
  const first = flushed();
  await new Promise((resolve) => setTimeout(resolve, 10));
  const asked = performance.now();
  await Promise.all(Array.from({ length: 100 }, flushed));
  const done = performance.now();
  await first;
  expect(syncs.began).toHaveLength(2);
  expect(syncs.began[0]).toBeLessThan(asked);
  expect(syncs.began[1]).toBeGreaterThan(asked);
  expect(syncs.ended[1]).toBeLessThan(done);
  await flushed();
  expect(syncs.began).toHaveLength(3);
});

test("a disk that fails is told to who waits, and the next one is asked anew", async () => {
  const file = path.join(folder, "log");
  const flushed = createFlush(file);
  await expect(flushed()).rejects.toThrow("ENOENT");
  await fs.writeFile(file, "x");
  await flushed();
});

test("a connection syncs the log its rows are in", async () => {
  const syncs = watchSyncs();
  const connection = openConnection(path.join(folder, "box.db"));
  connection.run("CREATE TABLE t (n)");
  connection.transaction(() => connection.run("INSERT INTO t VALUES (1)"), { durable: false });
  await connection.flushed();
  expect(syncs.ended).toHaveLength(1);
  connection.close();
});
