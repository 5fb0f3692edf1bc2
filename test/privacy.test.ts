/** @file Personal data in a whole box without a model: masked at every door, held, let go by age, exported, and erased without a trace in any table, index or file. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { loadSettings } from "#base";
import type { Actor, AnswerPart, ChatPart, StreamPart } from "#contracts";
import { createPolicies, maskModels } from "#privacy";
import { type Box, openBox } from "../src/app/open-box.ts";
import { waitFor } from "./start-box.ts";

const operator: Actor = { personId: null, name: "operator", role: "operator" };
const mobile = "13800138000";
const secret = "zhengxiaomei-marker";
let dataDir = "";
let box: Box;
let mei: Actor;
let kbId = "";

beforeEach(async () => {
  dataDir = fs.mkdtempSync(path.join(os.tmpdir(), "starbox-privacy-"));
  box = openBox(loadSettings({ data: dataDir, model: "none", embedder: "none", offline: true, logLevel: "info" }, {}), { serving: false });
  await box.start();
  const { services } = box;
  const person = await services.people.createPerson(operator, {
    name: "郑小美",
    email: "zheng.xiaomei@example.org",
    password: "a long password",
    role: "editor",
  });
  mei = { personId: person.id, name: person.name, role: person.role };
  const base = await services.knowledge.createBase(operator, { name: "制度" });
  kbId = base.id;
  await services.people.writeAccess(operator, kbId, "", [{ principal: { kind: "everyone" }, level: "write" }]);
  const text = `# 报销制度\n\n报销由财务部负责，联系电话 ${mobile}，每月二十五日前提交。\n`;
  await services.knowledge.addFile(mei, kbId, { path: "报销.md", content: { bytes: Buffer.from(text) } });
  await waitFor(30_000, async () => ((await services.knowledge.readBase(operator, kbId)).pending === 0 ? true : null));
}, 60_000);
afterEach(async () => {
  await box.close();
  fs.rmSync(dataDir, { recursive: true, force: true });
});

async function answer(question: string): Promise<readonly AnswerPart[]> {
  const parts: AnswerPart[] = [];
  for await (const part of box.services.answers.answer(mei, { kbs: [kbId], messages: [{ role: "user", content: question }] })) parts.push(part);
  return parts;
}
async function chat(content: string): Promise<{ readonly id: string; readonly parts: readonly ChatPart[] }> {
  const { id } = await box.services.chats.createChat(mei, { kbIds: [kbId] });
  const parts: ChatPart[] = [];
  for await (const part of box.services.chats.ask(mei, id, { content })) parts.push(part);
  return { id, parts };
}
/** Every file of the data folder that holds the words, byte for byte; the database's log is emptied first. */
function filesWith(words: readonly string[]): readonly string[] {
  const found: string[] = [];
  const look = (folder: string): void => {
    for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
      const file = path.join(folder, entry.name);
      if (entry.isDirectory()) look(file);
      else if (entry.isFile() && words.some((word) => fs.readFileSync(file).includes(word))) found.push(path.relative(dataDir, file));
    }
  };
  box.storage.checkpoint();
  look(dataDir);
  return found;
}

test("without a policy nothing changes; with one, answers, quotes, chats and what is stored are masked", async () => {
  expect(JSON.stringify(await answer("报销的联系电话是多少？"))).toContain(mobile);
  await box.services.privacy.writeMasks(operator, { output: ["mobile"], stored: ["mobile"] });
  const masked = JSON.stringify(await answer("报销的联系电话是多少？"));
  expect(masked).not.toContain(mobile);
  expect(masked).toContain("138****8000");
  const { id, parts } = await chat(`我的电话是 ${mobile}，报销联系谁？`);
  expect(JSON.stringify(parts)).not.toContain(mobile);
  expect(parts.at(-1)?.type).toBe("finish");
  expect(JSON.stringify(await box.services.chats.readTurns(mei, id))).not.toContain(mobile);
  const hits = await box.services.knowledge.search(mei, kbId, { query: "报销" });
  expect(hits.hits.map((hit) => hit.text).join()).toContain("138****8000");
  // Stored: neither in turns nor in the newest answers; the one from before still is, until the history is masked.
  const stored = (table: string, column: string): string => JSON.stringify(box.storage.connection.all(`SELECT ${column} FROM ${table}`));
  expect(stored("turns", "content || citations || nearest")).not.toContain(mobile);
  expect(stored("chats", "title")).not.toContain(mobile);
  expect(stored("answers", "answer")).toContain(mobile);
  expect((await box.services.privacy.maskHistory(operator)).answers).toBe(1);
  expect(stored("answers", "answer || question")).not.toContain(mobile);
});

test("input is masked before anybody reads it, or sent back unread", async () => {
  await box.services.privacy.writeMasks(operator, { input: ["mobile", "word"], words: ["金桂计划"] });
  await chat(`我的电话是 ${mobile}，金桂计划怎么报销？`);
  const turns = JSON.stringify(box.storage.connection.all("SELECT content FROM turns WHERE role = 'user'"));
  expect(turns).toContain("138****8000");
  expect(turns).not.toMatch(/金桂计划|13800138000/);
  await box.services.privacy.writeMasks(operator, { onInput: "refuse" });
  await expect(answer(`电话 ${mobile}`)).rejects.toMatchObject({ code: "invalid_input", details: { kinds: "mobile" } });
  await expect(box.services.privacy.writeMasks(mei, { input: [] })).rejects.toMatchObject({ code: "forbidden" });
});

test("a model's stream is masked across its pieces, tool calls stay JSON", async () => {
  const kept = new Map<string, string>();
  const policies = createPolicies({ read: (key) => kept.get(key) ?? null, write: (key, value) => kept.set(key, value) });
  policies.writeMasks({ input: ["mobile"], output: ["mobile", "email"] });
  const seen: string[] = [];
  const pieces: StreamPart[] = ["打 138", "00", "13800", "0 或写 a.b@exa", "mple.org。"].map((text) => ({ type: "text-delta", text }));
  const models = maskModels(
    {
      languageModel: async () => ({
        id: "m",
        contextTokens: 10,
        countTokens: async () => 0,
        async *stream(request: { input: unknown }): AsyncGenerator<StreamPart> {
          seen.push(JSON.stringify(request.input));
          yield { type: "start" };
          yield* pieces;
          yield { type: "tool-call", call: { id: "1", name: "call", arguments: `{"to":${mobile},"text":"x ${mobile}"}` } };
          yield { type: "finish", reason: "stop", usage: { promptTokens: 1, completionTokens: 1 } };
        },
      }),
    } as never,
    policies,
  );
  const model = await models.languageModel("m", mei);
  const parts: StreamPart[] = [];
  for await (const part of model.stream({ input: { messages: [{ role: "user", content: mobile }] } })) parts.push(part);
  expect(parts.flatMap((part) => (part.type === "text-delta" ? [part.text] : [])).join("")).toBe("打 138****8000 或写 a***@example.org。");
  const call = parts.find((part) => part.type === "tool-call");
  expect(JSON.parse(call?.type === "tool-call" ? call.call.arguments : "")).toEqual({ to: "138****8000", text: "x 138****8000" });
  expect(seen[0]).not.toContain(mobile);
});

test("retention lets go of what is old; a hold keeps it, and refuses removal and erasure", async () => {
  const { services } = box;
  const { id: old } = await chat("报销联系谁？");
  const { id: fresh } = await chat("报销何时提交？");
  const past = "2020-01-01T00:00:00.000Z";
  box.storage.connection.run("UPDATE chats SET updated_at = ? WHERE id = ?", past, old);
  box.storage.connection.run("UPDATE documents SET updated_at = ?", past);
  box.storage.connection.run("UPDATE usage SET day = '2020-01-01'");
  fs.appendFileSync(path.join(dataDir, "logs", "box.log"), `{"level":30,"time":"${past}","msg":"old"}\n`);
  await services.privacy.writeRetention(operator, { historyDays: 30, uploadsDays: 30, logsDays: 30, usageDays: 30 });
  const hold = await services.privacy.addHold(operator, { kind: "person", subject: mei.personId ?? "", reason: "诉讼" });
  expect(await services.privacy.runRetention(operator)).toMatchObject({ removed: { chats: 0, documents: 0, logLines: 1 }, held: 2 });
  await expect(services.chats.removeChat(mei, old)).rejects.toMatchObject({ code: "conflict", details: { hold: hold.id } });
  await expect(services.people.removePerson(operator, mei.personId ?? "")).rejects.toMatchObject({ code: "conflict" });
  await expect(services.privacy.erasePerson(operator, mei.personId ?? "")).rejects.toMatchObject({ code: "conflict" });
  const [document] = (await services.knowledge.listDocuments(operator, kbId)).items;
  await expect(services.knowledge.removeDocument(operator, document?.id ?? "")).rejects.toMatchObject({ code: "conflict" });
  await expect(services.knowledge.removeBase(operator, kbId)).rejects.toMatchObject({ code: "conflict" });
  await services.privacy.releaseHold(operator, hold.id);
  expect(await services.privacy.runRetention(operator)).toMatchObject({ removed: { chats: 1, documents: 1 }, held: 0 });
  expect((await services.chats.listChats(mei)).map((item) => item.id)).toEqual([fresh]);
  expect((await services.knowledge.listDocuments(operator, kbId)).items).toEqual([]);
  await expect(services.privacy.addHold(operator, { kind: "chat", subject: "nope", reason: "x" })).rejects.toMatchObject({ code: "not_found" });
});

test("a person's data is exported, then erased: no trace in any table, index or file; the audit chain stays whole", async () => {
  const { services, storage } = box;
  const personId = mei.personId ?? "";
  await answer(`${secret} 火星基地的门禁密码是什么？`); // refused: becomes an open question
  await chat(`${secret} 报销联系谁？`);
  await services.keys.create(mei, { name: "mine" });
  await services.usage.writeQuota(operator, { kind: "person", subject: personId, concurrent: 3 });
  fs.appendFileSync(path.join(dataDir, "logs", "box.log"), `{"level":30,"time":"2026-01-01T00:00:00Z","person":"${personId}","msg":"x"}\n`);
  const lines: { table: string }[] = [];
  for await (const line of services.privacy.exportPerson(mei, personId)) lines.push(JSON.parse(line));
  expect([...new Set(lines.map((line) => line.table))].sort()).toEqual([
    "answers",
    "api_keys",
    "audit",
    "chats",
    "documents",
    "people",
    "turns",
    "usage",
  ]);
  expect(JSON.stringify(lines)).toContain(secret);
  expect(JSON.stringify(lines)).not.toMatch(/"hash":"[0-9a-f]{64}","prefix"|password/);
  const words = [personId, "zheng.xiaomei@example.org", secret];
  expect(filesWith(words).length).toBeGreaterThan(0); // so that the search below means something
  const before = storage.usage.sum([])[0];

  const report = await services.privacy.erasePerson(operator, "zheng.xiaomei@example.org");
  expect(report.traces).toEqual([]);
  expect(report.erased).toMatchObject({ people: 1, answers: 2, chats: 1, turns: 2, api_keys: 1, quotas: 1, logs: 1 });
  expect(report.erased["gaps"]).toBeGreaterThan(0);
  // Our own search, over all there is: rows, free pages, FTS shadow tables, blobs, logs.
  expect(filesWith([...words, "郑小美"])).toEqual([]);
  for (const { name } of storage.connection.all<{ name: string }>(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'",
  ))
    expect(JSON.stringify(storage.connection.all(`SELECT * FROM "${name}"`)), name).not.toMatch(new RegExp([...words, "郑小美"].join("|")));
  // What was used stays in the sums; the log is whole; the report itself names nobody.
  expect(storage.usage.sum([])[0]).toEqual(before);
  expect(await services.audit.verify(operator)).toMatchObject({ ok: true });
  expect(await services.privacy.listErasures(operator)).toHaveLength(1);
  await expect(services.privacy.erasePerson(operator, personId)).rejects.toMatchObject({ code: "not_found" });
});

test("members may have their own data and nobody else's", async () => {
  await expect(exported("person_other")).rejects.toMatchObject({ code: "forbidden" });
  await expect(box.services.privacy.erasePerson(mei, mei.personId ?? "")).rejects.toMatchObject({ code: "forbidden" });
  expect((await exported(mei.personId ?? "")).length).toBeGreaterThan(0);
});

async function exported(person: string): Promise<readonly string[]> {
  const lines: string[] = [];
  for await (const line of box.services.privacy.exportPerson(mei, person)) lines.push(line);
  return lines;
}
