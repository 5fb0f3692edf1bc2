/** @file The queue on a real database: order, retries, yielding, cancel, picking up after a crash. */
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { StarboxError } from "#base";
import type { JobContext, JobHandler, JobRunner } from "#contracts";
import { createJobRunner } from "#jobs";
import { openStorage, type Storage } from "#storage";

let dataDir: string;
let storage: Storage;
let runner: JobRunner;
beforeEach(() => {
  dataDir = mkdtempSync(path.join(os.tmpdir(), "starbox-jobs-"));
  storage = openStorage(dataDir);
  runner = createJobRunner({ store: storage.jobs });
});
afterEach(async () => {
  await runner.stop();
  storage.close();
  rmSync(dataDir, { recursive: true });
});

const handler = (kind: JobHandler["kind"], run: JobHandler["run"], concurrency = 1): JobHandler => ({ kind, concurrency, run });
const job = (kind: JobHandler["kind"], subject: string, more: object = {}) => ({
  kind,
  subject,
  kbId: null,
  payload: { subject },
  unit: "bytes",
  ...more,
});
const until = async (condition: () => boolean): Promise<void> => {
  for (let i = 0; !condition(); i++) {
    if (i > 400) throw new Error("nothing happened in 4 s");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
};
const states = (): Record<string, string> => Object.fromEntries(runner.list().map((info) => [info.subject, info.state]));

test("somebody waiting first, then small before large, words before vectors", async () => {
  const order: string[] = [];
  const note = async (context: JobContext): Promise<void> => void order.push(context.payload.subject as string);
  runner.register(handler("embed", note));
  runner.register(handler("ingest", note));
  runner.add(job("embed", "vectors"));
  runner.add(job("ingest", "large", { size: 100 }));
  runner.add(job("ingest", "small", { size: 1 }));
  runner.add(job("ingest", "now", { size: 1000, priority: 0 }));
  runner.start();
  await until(() => order.length === 4);
  expect(order).toEqual(["now", "small", "large", "vectors"]);
});

test("one open job a key; a second after the first is done", async () => {
  let runs = 0;
  runner.register(handler("embed", async () => void runs++));
  expect(runner.add(job("embed", "a", { key: "k" }))).toBe(true);
  expect(runner.add(job("embed", "a", { key: "k" }))).toBe(false);
  runner.start();
  await until(() => runs === 1 && runner.counts().running === 0 && runner.counts().queued === 0);
  expect(runner.add(job("embed", "a", { key: "k" }))).toBe(true);
  await until(() => runs === 2);
});

test("a fault that may pass is tried again; poisoned input fails with its reason and the rest goes on", async () => {
  let tries = 0;
  runner.register(
    handler("ingest", async ({ payload }) => {
      if (payload.subject === "poison") throw new StarboxError("document_corrupt", "Broken zip.");
      if (payload.subject === "later" && ++tries === 1) throw new StarboxError("disk_full", "Full.");
    }),
  );
  for (const name of ["poison", "later", "good"]) runner.add(job("ingest", name));
  runner.start();
  await until(() => states().later === "done");
  expect(states()).toEqual({ poison: "failed", later: "done", good: "done" });
  expect(runner.list({ state: "failed" })[0]?.error).toMatchObject({ code: "document_corrupt", message: "Broken zip." });
  expect(runner.list({ state: "done" }).find((info) => info.subject === "later")?.attempts).toBe(2);
});

test("coming back later does not count as an attempt; hurry makes it due", async () => {
  let runs = 0;
  runner.register(handler("embed", async () => (++runs === 1 ? { againInMs: 60_000 } : undefined)));
  runner.add(job("embed", "a"));
  runner.start();
  await until(() => runs === 1 && states().a === "queued");
  runner.hurry("embed");
  await until(() => states().a === "done");
  expect(runner.list()[0]?.attempts).toBe(1);
});

test("vectors make way for words", async () => {
  const seen: string[] = [];
  runner.register(
    handler("embed", async (context) => {
      seen.push("embed");
      if (seen.length === 1) runner.add(job("ingest", "file"));
      return context.shouldYield() ? { againInMs: 0 } : undefined;
    }),
  );
  runner.register(handler("ingest", async () => void seen.push("ingest")));
  runner.add(job("embed", "vectors"));
  runner.start();
  await until(() => states().vectors === "done");
  expect(seen).toEqual(["embed", "ingest", "embed"]);
});

test("cancel and retry, waiting and running", async () => {
  const wait = ({ signal }: JobContext): Promise<void> => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  runner.register(
    handler("ingest", async (context) => (context.attempt === 1 && context.payload.subject === "running" && !tried ? wait(context) : undefined)),
  );
  let tried = false;
  runner.add(job("ingest", "running", { priority: 0 }));
  runner.add(job("ingest", "waiting"));
  runner.start();
  await until(() => states().running === "running");
  const idOf = (subject: string): string => runner.list().find((info) => info.subject === subject)?.id ?? "";
  runner.cancel(idOf("waiting"));
  runner.cancel(idOf("running"));
  await until(() => states().running === "cancelled" && states().waiting === "cancelled");
  tried = true;
  runner.retry(idOf("running"));
  await until(() => states().running === "done");
  expect(() => runner.cancel("job_x")).toThrow("no job");
});

test("what a dead process was running is taken up again, progress and an estimate are shown", async () => {
  runner.add(job("ingest", "a", { total: 100 }));
  storage.jobs.claim(["ingest"], "dead process", Date.now(), new Date().toISOString());
  let release = (): void => undefined;
  runner.register(
    handler("ingest", async (context) => {
      context.progress(10);
      await new Promise((resolve) => setTimeout(resolve, 250));
      context.progress(50);
      await new Promise<void>((resolve) => (release = resolve));
    }),
  );
  runner.start();
  await until(() => runner.list()[0]?.progress.done === 50);
  const { progress } = runner.list()[0] ?? {};
  expect(progress?.etaSeconds).toBeGreaterThan(0.1);
  expect(progress?.etaSeconds).toBeLessThan(2);
  release();
  await until(() => states().a === "done");
});

test("closing puts running work back", async () => {
  runner.register(handler("ingest", ({ signal }) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)))));
  runner.add(job("ingest", "a"));
  runner.start();
  await until(() => states().a === "running");
  await runner.stop();
  expect(states().a).toBe("queued");
});

test("a job that becomes due while the queue is being read is not forgotten", async () => {
  // A clock that moves at every look: for one of these delays the job is not due at the claim and due right after it.
  let clock = 0;
  await runner.stop();
  runner = createJobRunner({ store: storage.jobs, now: () => clock++ });
  let runs = 0;
  runner.register(handler("purge", async () => void runs++));
  runner.start();
  for (let delayMs = 1; delayMs <= 40; delayMs++) {
    runner.add(job("purge", `after ${delayMs}`, { delayMs }));
    await until(() => runs === delayMs);
  }
});
