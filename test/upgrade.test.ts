/** @file Data folders of every schema that shipped (test/fixtures/schemas), opened by this version: everything is there and works, and the way back too. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { loadSettings } from "#base";
import { restoreBackup } from "#operations";
import { createPlatform } from "#platform";
import {
  describeDatabase,
  keepCopy,
  listKeptCopies,
  type Migration,
  migrate,
  openConnection,
  openStorage,
  readSchemaVersion,
  returnToCopy,
} from "#storage";
import { databaseDoor } from "../src/app/nights.ts";
import { type Box, openBox } from "../src/app/open-box.ts";
import { migrations } from "../src/storage/migrations/index.ts";
import { expectSound } from "./sound-storage.ts";

const fixtures = path.join(import.meta.dirname, "fixtures/schemas");
const schemas = fs.readdirSync(fixtures);
const operator = { personId: null, name: "operator", role: "operator" } as const;
const here = { authorization: null, cookie: null, address: "127.0.0.1", loopback: true, userAgent: null };

let folder = "";
let dataDir = "";
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "starbox-upgrade-"));
  dataDir = path.join(folder, "data");
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

const restore = async (schema: string) =>
  await restoreBackup({ folder: path.join(fixtures, schema), passphrase: null, dataDir, id: null, force: false, database: databaseDoor });

test("there is a fixture of every schema since the first that shipped", () =>
  expect(schemas).toEqual(
    migrations
      .map(({ number }) => number)
      .filter((number) => number >= 10)
      .sort((a, b) => a - b)
      .map((number) => String(number).padStart(3, "0")),
  ));

test.each(schemas)(
  "a populated folder of schema %s: rows, words, sign-in, key and chat are there; a copy from before is kept; back is back",
  async (schema) => {
    await restore(schema);
    const before = describeDatabase(path.join(dataDir, "box.db"));
    expect(before.schema).toBe(Number(schema));
    const settings = loadSettings({ data: dataDir, model: "none", embedder: "none", offline: true });
    const box = openBox(settings, { serving: false });
    try {
      await box.start();
      const after = readSchemaVersion(box.storage.connection);
      expect(after).toBeGreaterThanOrEqual(before.schema);
      for (const [table, count] of Object.entries(before.rows)) {
        if (["migrations", "jobs", "setup_code"].includes(table)) continue;
        const now = box.storage.connection.get<{ n: number }>(`SELECT count(*) AS n FROM ${table}`)?.n;
        expect(now, table).toBeGreaterThanOrEqual(count);
      }
      expectSound(box.storage);
      const { knowledge, chats } = box.services;
      const base = await knowledge.readBase(operator, "制度");
      const { hits } = await knowledge.search(operator, base.id, { query: "值班电话", limit: 3, lexicalOnly: true });
      expect(hits[0]?.text).toContain("8100");
      expect(hits[0]?.document).toBe("值班规定.md");
      const platform = createPlatform({ store: box.storage.people, settings, audit: box.audit, revocations: box.revocations });
      expect(platform.setupRequired()).toBe(false);
      const ada = await platform.signIn({ email: "ada@example.org", password: "a fixture password" }, here);
      expect(ada.actor).toMatchObject({ name: "Ada", role: "administrator" });
      const own = await platform.keys.list(ada.actor);
      expect(own.map((key) => key.name)).toContain("fixture");
      await expectLater(box, before.schema, own.length);
      const [chat] = await chats.listChats(ada.actor);
      expect((await chats.readTurns(ada.actor, chat?.id ?? "")).map((turn) => turn.role)).toEqual(["user", "assistant"]);
      const added = await knowledge.addFile(operator, base.id, {
        path: "新.md",
        content: { bytes: new TextEncoder().encode("# 新\n\n升级后添加。\n") },
      });
      expect(added.changed).toBe(true);
      expect(listKeptCopies(dataDir).map((copy) => copy.schema)).toEqual(after === before.schema ? [] : [before.schema]);
    } finally {
      await box.close();
    }
    if (listKeptCopies(dataDir).length === 0) return;
    const { setAside } = returnToCopy(dataDir);
    expect(fs.existsSync(setAside)).toBe(true);
    expect(describeDatabase(path.join(dataDir, "box.db"))).toEqual(before);
  },
);

/** What came after the first schema is there too, and means what it meant. */
async function expectLater(box: Box, schema: number, keys: number): Promise<void> {
  const { people, usage, pages, knowledge, privacy } = box.services;
  const base = await knowledge.readBase(operator, "制度");
  const bob = (await people.listPeople(operator)).find((person) => person.email === "bob@example.org");
  const asBob = { personId: bob?.id ?? "", name: "Bob", role: bob?.role ?? "member" } as const;
  expect(await box.services.audit.verify(operator)).toMatchObject({ ok: true });
  expect(bob?.role).toBe(schema >= 20 ? "editor" : "member");
  if (schema >= 20) {
    expect((await people.listTeams(operator)).map((team) => [team.name, team.memberIds.length])).toEqual([
      ["人事", 0],
      ["薪酬组", 1],
    ]);
    // Everyone reads the base; the folder's list narrows that to a team, and grants no more than the base does.
    expect((await knowledge.listDocuments(asBob, base.id, { folder: "样例" })).items.map((item) => item.level)).toEqual(["read", "read", "read"]);
    const outsider = { personId: "nobody", name: "Eve", role: "member" } as const;
    expect((await knowledge.listDocuments(outsider, base.id, { folder: "样例" })).items).toEqual([]);
    expect((await knowledge.listReviews(asBob)).map((review) => review.path)).toEqual(["值班规定.md"]);
    expect(base.approval).toBe(true);
  }
  if (schema >= 21) expect((await people.listInvitations(operator)).map((item) => item.email)).toEqual(["new@example.org"]);
  if (schema >= 30) expect(keys).toBe(2);
  if (schema >= 31) {
    expect((await usage.sum(operator, { teamId: "team_a" }))[0]).toMatchObject({ requests: 1, promptTokens: 20 });
    expect((await usage.sum(operator, {}))[0]).toMatchObject({ requests: 2, promptTokens: 61 });
  }
  if (schema >= 32) expect((await box.services.audit.list(operator, { action: "document.add", personId: asBob.personId })).items).toHaveLength(1);
  if (schema >= 33) expect(await privacy.listHolds(operator)).toHaveLength(1);
  if (schema >= 40) expect((await pages.list(operator)).map((page) => page.name)).toEqual(["前台"]);
  if (schema >= 42) expect((await usage.sum(operator, { teamId: "team_b" }))[0]).toMatchObject({ requests: 1, promptTokens: 41 });
}

test("several migrations are one step: when the last one fails the folder is what it was, to the row, and a copy lies beside it", async () => {
  await restore("010");
  const file = path.join(dataDir, "box.db");
  const before = describeDatabase(file);
  const connection = openConnection(file);
  const step = (number: number, sql: string): Migration => ({ number, name: `m${number}`, up: (to) => to.raw.exec(sql) });
  const known = connection.all<{ number: number }>("SELECT number FROM migrations").map(({ number }) => step(number, ""));
  keepCopy(connection, dataDir);
  expect(() => migrate(connection, [...known, step(9001, "CREATE TABLE half (a); DELETE FROM chats;"), step(9002, "SYNTAX ERROR")])).toThrow();
  connection.close();
  expect(describeDatabase(file)).toEqual(before);
  const [copy] = listKeptCopies(dataDir);
  expect(describeDatabase(copy?.file ?? "").rows).toEqual(before.rows);
  // And through: the same steps without the fault, then back.
  const again = openConnection(file);
  migrate(again, [...known, step(9001, "CREATE TABLE whole (a); DELETE FROM chats;")]);
  again.close();
  expect(describeDatabase(file).schema).toBe(9001);
  expect(() => openStorage(dataDir)).toThrow(/schema 9001/);
  returnToCopy(dataDir);
  expect(describeDatabase(file)).toEqual(before);
  openStorage(dataDir).close();
});
