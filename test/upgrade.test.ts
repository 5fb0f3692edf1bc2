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
import { openBox } from "../src/app/open-box.ts";
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

test("there is a fixture of the first schema", () => expect(schemas).toContain("010"));

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
      expect(await platform.keys.list(ada.actor)).toHaveLength(1);
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
