/**
 * @file Makes test/fixtures/schemas/NUMBER: a small populated data folder of the schema as it is now, as a backup. Run once for each schema
 * that ships, before the next migration is added; never made again, so that every later version is tested against what people have.
 */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { loadSettings } from "#base";
import { createPlatform } from "#platform";
import { databaseDoor } from "../src/app/nights.ts";
import { openBox } from "../src/app/open-box.ts";
import { createBackup } from "../src/operations/index.ts";
import { readSchemaVersion } from "../src/storage/index.ts";
import { projectRoot } from "./source-files.ts";

const operator = { personId: null, name: "operator", role: "operator" } as const;
const dataDir = fs.mkdtempSync(path.join(os.tmpdir(), "starbox-fixture-"));
const settings = loadSettings({ data: dataDir, model: "none", embedder: "none", offline: true });
const box = openBox(settings, { serving: false });
await box.start();
const { knowledge, chats } = box.services;
const base = await knowledge.createBase(operator, { name: "制度", description: "人事与信息安全" });
for (const name of fs
  .readdirSync(path.join(projectRoot, "samples"))
  .filter((file) => /\.(md|txt)$/.test(file))
  .slice(0, 3))
  await knowledge.addFile(operator, base.id, {
    path: `样例/${name}`,
    content: { filePath: path.join(projectRoot, "samples", name) },
    tags: ["样例"],
  });
const text = "# 值班规定\n\n第一条 值班电话为 8100，夜间值班两人一组。\n\n第二条 交接班须填写登记簿。\n";
await knowledge.addFile(operator, base.id, { path: "值班规定.md", content: { bytes: new TextEncoder().encode(text) } });
await knowledge.addFile(operator, base.id, {
  path: "值班规定.md",
  content: { bytes: new TextEncoder().encode(`${text}\n第三条 自五月一日起施行。\n`) },
});
await knowledge.writeDictionary(operator, base.id, { words: ["登记簿"], synonyms: [["值班", "轮值"]] });
await knowledge.writeCurated(operator, base.id, { question: "值班电话是多少", answer: "8100" });
for (;;) {
  const { pending } = await knowledge.readBase(operator, base.id);
  if (pending === 0) break;
  await new Promise((resolve) => setTimeout(resolve, 100));
}
const platform = createPlatform({ store: box.storage.people, settings, audit: box.audit, revocations: box.revocations });
const local = { authorization: null, cookie: null, address: "127.0.0.1", loopback: true, userAgent: null };
const ada = await platform.setUp({ code: platform.setupCode() ?? "", name: "Ada", email: "ada@example.org", password: "a fixture password" }, local);
await box.services.people.createPerson(ada.actor, { name: "Bob", email: "bob@example.org", password: "another password", role: "member" });
await platform.keys.create(ada.actor, { name: "fixture" });
const chat = await chats.createChat(ada.actor, { kbIds: [base.id] });
for await (const _ of chats.ask(ada.actor, chat.id, { content: "值班电话是多少？" })); // the curated answer: needs no model
const schema = readSchemaVersion(box.storage.connection);
await box.close();
const folder = path.join(projectRoot, "test", "fixtures", "schemas", String(schema).padStart(3, "0"));
if (fs.existsSync(folder)) throw new Error(`${folder} is there: a fixture is never made again`);
await createBackup({ dataDir, folder, passphrase: null, withModels: false, version: box.version, database: databaseDoor });
fs.rmSync(dataDir, { recursive: true });
process.stdout.write(`${folder}\n`);
