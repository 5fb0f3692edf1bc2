/** @file The audit log: whole when nobody touched it; every kind of tampering is found and named; a person can go without breaking it. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Actor } from "#contracts";
import { openStorage, type Storage } from "#storage";
import { type AuditLog, openAuditLog } from "./log.ts";

let folder = "";
let storage: Storage;
let log: AuditLog;
const ada: Actor = { personId: "person_ada", name: "Ada", role: "administrator" };
const operator: Actor = { personId: null, name: "operator", role: "operator" };
const open = (): void => {
  storage = openStorage(folder);
  log = openAuditLog({ store: storage.audit, dataDir: folder, hostname: "box" });
};
const close = (): void => {
  log.close();
  storage.close();
};
const add = (count: number, action = "key.create"): void => {
  for (let i = 0; i < count; i++) log.record({ actor: ada, action, subject: { kind: "key", id: `key_${i}` }, outcome: "ok", details: { n: i } });
};
/** What somebody with a shell and sqlite3 could do. */
const tamper = (sql: string): void => {
  close();
  const raw = new DatabaseSync(path.join(folder, "box.db"));
  raw.exec("DROP TRIGGER audit_unchanged; DROP TRIGGER audit_kept;");
  raw.exec(sql);
  raw.close();
  open();
};
const verify = async () => await log.service.verify(operator);
const named = async (): Promise<readonly string[]> =>
  (await verify()).problems.map(({ kind, from, to }) => `${kind} ${from}${from === to ? "" : `-${to}`}`);

beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), "starbox-audit-"));
  open();
});
afterEach(() => {
  close();
  rmSync(folder, { recursive: true, force: true });
});

test("rows are whole, over a restart too, and cannot be changed through the database", async () => {
  add(300);
  add(5, "answer.ask");
  expect(await verify()).toMatchObject({ ok: true, rows: 305, from: 1, to: 305 });
  expect(() => storage.connection.run("UPDATE audit SET action = 'x' WHERE seq = 3")).toThrow(/append-only/);
  expect(() => storage.connection.run("DELETE FROM audit WHERE seq = 3")).toThrow(/append-only/);
  close();
  open();
  add(1);
  expect(await verify()).toMatchObject({ ok: true, rows: 306 });
});

test.each([
  ["a changed row", "UPDATE audit SET details = '{\"n\":99}' WHERE seq = 7", ["changed 7"]],
  ["a changed row in the middle of many", "UPDATE audit SET outcome = 'failed' WHERE seq IN (4, 9)", ["changed 4", "changed 9"]],
  ["rows taken out", "DELETE FROM audit WHERE seq BETWEEN 5 AND 6", ["missing 5-6"]],
  ["the first row taken out", "DELETE FROM audit WHERE seq = 1", ["missing 1"]],
  ["the last rows taken out", "DELETE FROM audit WHERE seq > 10", ["missing 11-12"]],
  ["who did it, rewritten", "UPDATE audit_personal SET data = replace(data, 'Ada', 'Eve') WHERE seq = 3", ["personal-part-changed 3"]],
  ["who did it, taken out without an erasure", "DELETE FROM audit_personal WHERE seq = 3", ["personal-part-missing 3"]],
])("%s", async (_what, sql, expected) => {
  add(12);
  expect((await verify()).ok).toBe(true);
  tamper(sql);
  const problems = await named();
  expect(problems.filter((problem) => expected.includes(problem))).toEqual(expected);
  // Later rows do not hide it.
  add(3);
  expect(await named()).toEqual(expect.arrayContaining([...expected]));
});

test("a row changed with its hash, and the whole chain rewritten after it, lacks the signatures", async () => {
  add(12);
  const { hashRow } = await import("./chain.ts");
  close();
  const raw = new DatabaseSync(path.join(folder, "box.db"));
  raw.exec("DROP TRIGGER audit_unchanged");
  let prev: string | null = null;
  for (const row of raw.prepare("SELECT * FROM audit ORDER BY seq").all() as unknown as (Parameters<typeof hashRow>[0] & { hash: string })[]) {
    const next = row.seq === 8 ? { ...row, details: '{"n":1000}' } : { ...row };
    const linked = prev === null || row.seq < 8 ? next : { ...next, prev };
    const hash = hashRow(linked);
    raw.prepare("UPDATE audit SET details = ?, prev = ?, hash = ? WHERE seq = ?").run(linked.details, linked.prev, hash, row.seq);
    prev = hash;
  }
  raw.close();
  open();
  expect(await named()).toEqual(expect.arrayContaining(["changed 8", "changed 12"]));
  expect(await named()).not.toContain("changed 7");
});

test("a row slipped in, and a head taken away or forged", async () => {
  add(5);
  tamper("INSERT INTO audit SELECT 6, at, 'key.revoke', outcome, kind, subject, details, actor, person, hash, 'aa', seal FROM audit WHERE seq = 5");
  expect((await named()).some((problem) => /^(added|changed) 6$/.test(problem))).toBe(true);
  close();
  writeFileSync(path.join(folder, "audit.head"), '{"seq":2,"seal":"AA"}');
  storage = openStorage(folder);
  // Looked at before the box writes a new one.
  const { openSeals } = await import("./seal.ts");
  expect(openSeals(folder).readHead()).toBe("broken");
  log = openAuditLog({ store: storage.audit, dataDir: folder, hostname: "box" });
  expect((await log.service.list(operator, { action: "audit.broken" })).items.length).toBeGreaterThan(0);
});

test("what a kill leaves between a row and the head is taken up", async () => {
  add(3);
  const { openSeals } = await import("./seal.ts");
  const seals = openSeals(folder);
  const head = seals.readHead();
  add(2);
  if (typeof head === "object") seals.writeHead(head); // as if the process had died before its last two heads
  storage.close();
  open();
  add(1);
  expect(await verify()).toMatchObject({ ok: true, rows: 6 });
});

test("a row inside a transaction that is undone leaves no gap", async () => {
  add(2);
  expect(() =>
    storage.transaction(() => {
      add(1);
      throw new Error("undone");
    }),
  ).toThrow("undone");
  add(2);
  expect(await verify()).toMatchObject({ ok: true, rows: 4 });
});

test("an erased person's name is gone, the chain is whole, and the row tells why", async () => {
  add(2);
  log.record({ actor: operator, action: "person.create", subject: { kind: "person", id: "person_ada" }, outcome: "ok" });
  log.record({ actor: null, address: "10.0.0.7", action: "session.start", subject: null, outcome: "refused", details: { email: "ada@example.org" } });
  expect(log.erasePerson("person_ada", ["ada@example.org"], operator)).toBe(4);
  const left = storage.connection.all<{ data: string }>("SELECT data FROM audit_personal").map((row) => row.data);
  expect(left.join()).not.toMatch(/ada/i);
  expect(await verify()).toMatchObject({ ok: true, rows: 5 });
  const { items } = await log.service.list(operator, {});
  expect(items.map((entry) => [entry.action, entry.actor?.name ?? null])).toEqual([
    ["audit.erase", "operator"],
    ["session.start", ""],
    ["person.create", "operator"],
    ["key.create", null],
    ["key.create", null],
  ]);
  expect(items[2]?.subject).toEqual({ kind: "person", id: "erased" });
});

test("old rows go by retention, and the log is whole from there", async () => {
  let now = Date.parse("2026-01-01T00:00:00Z");
  log.close();
  log = openAuditLog({ store: storage.audit, dataDir: folder, hostname: "box", now: () => now });
  add(10);
  now += 10 * 86_400_000;
  add(4);
  expect(log.pruneBefore("2026-01-05T00:00:00Z", operator)).toBe(10);
  expect(await verify()).toMatchObject({ ok: true, rows: 5, from: 11, to: 15 });
  tamper("DELETE FROM audit WHERE seq = 11");
  expect(await named()).toContain("missing 11");
});

test("members read nothing of it", async () => {
  const member: Actor = { personId: "p", name: "Bob", role: "member" };
  await expect(log.service.list(member, {})).rejects.toMatchObject({ code: "forbidden" });
  await expect(log.service.verify({ ...ada, key: { id: "k", models: null, bases: ["kb"], write: true } })).rejects.toMatchObject({
    code: "forbidden",
  });
});
