/** @file Rights that are taken away while something is open, approval before readers see it, reviews, archives, editions: over a whole box. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { strToU8, zipSync } from "fflate";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadSettings } from "#base";
import type { Actor, ChatPart } from "#contracts";
import { type Box, openBox } from "../src/app/open-box.ts";

const dataDir = fs.mkdtempSync(path.join(os.tmpdir(), "starbox-care-"));
const operator: Actor = { personId: null, name: "operator", role: "operator" };
let box: Box;
let kbId = "";
let reader: Actor;
let editor: Actor;
let owner: Actor;

beforeAll(async () => {
  box = openBox(loadSettings({ data: dataDir, model: "none", embedder: "none", logLevel: "silent" }), { serving: false });
  await box.start();
  const { people } = box.services;
  const person = async (name: string, role: "member" | "editor" | "knowledge-owner"): Promise<Actor> => {
    const made = await people.createPerson(operator, { name, email: `${name}@example.org`, role });
    return { personId: made.id, name, role };
  };
  [reader, editor, owner] = [await person("reader", "member"), await person("editor", "editor"), await person("owner", "knowledge-owner")];
  kbId = (await box.services.knowledge.createBase(owner, { name: "制度" })).id;
  await share("", [
    [owner, "manage"],
    [editor, "write"],
    [reader, "read"],
  ]);
}, 60_000);
afterAll(async () => {
  await box?.close();
  fs.rmSync(dataDir, { recursive: true, force: true });
});

async function share(at: string, entries: readonly (readonly [Actor, "read" | "write" | "manage"])[]): Promise<void> {
  const list = entries.map(([actor, level]) => ({ principal: { kind: "person" as const, id: actor.personId ?? "" }, level }));
  await box.services.people.writeAccess(owner, kbId, at, list);
}

async function add(actor: Actor, at: string, content: string | Uint8Array): Promise<string> {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  const { documentId } = await box.services.knowledge.addFile(actor, kbId, { path: at, content: { bytes } });
  while (
    box.storage.kbs.counts(box.storage.kbs.find(kbId)?.num ?? 0, null).pending > 0 ||
    ["waiting", "reading"].includes(box.storage.documents.find(documentId)?.state ?? "")
  )
    await new Promise((resolve) => setTimeout(resolve, 50));
  return documentId;
}
const code = async (work: Promise<unknown>): Promise<string> =>
  await work.then(
    () => "done",
    (error: { code?: string }) => error.code ?? String(error),
  );

test("a team's key reads what the team may read, and nobody else's chats", async () => {
  const { people, knowledge, chats } = box.services;
  const team = await people.createTeam(operator, { name: "客服" });
  const robot: Actor = { personId: null, name: "key", role: "api-only", teamId: team.id, key: { id: "k", models: null, bases: null, write: false } };
  expect(await knowledge.listBases(robot)).toEqual([]);
  const base = await knowledge.createBase(owner, { name: "客服手册" });
  const teamWrites = { principal: { kind: "team", id: team.id }, level: "write" } as const;
  expect(await code(people.writeAccess(owner, base.id, "", [teamWrites]))).toBe("conflict"); // nobody would manage it
  await people.writeAccess(owner, base.id, "", [teamWrites, { principal: { kind: "person", id: owner.personId ?? "" }, level: "manage" }]);
  expect((await knowledge.listBases(robot)).map((item) => [item.name, item.level])).toEqual([["客服手册", "read"]]);
  expect(await code(knowledge.addFile(robot, base.id, { path: "x.md", content: { bytes: new Uint8Array([65]) } }))).toBe("forbidden");
  expect((await knowledge.listBases({ ...robot, key: { id: "k", models: null, bases: ["kb_other"], write: true } })).length).toBe(0);
  const mine = await chats.createChat(operator, { kbIds: [] });
  expect(await chats.listChats(robot)).toEqual([]);
  expect(await code(chats.readTurns(robot, mine.id))).toBe("not_found");
  await people.removeTeam(operator, team.id);
  expect(await knowledge.listBases(robot)).toEqual([]);
  await knowledge.removeBase(owner, base.id);
});

test("a new base is seen by whoever made it; only knowledge owners and administrators make one", async () => {
  const { knowledge } = box.services;
  const own = await knowledge.createBase(owner, { name: "我的" });
  expect(own.level).toBe("manage");
  expect((await knowledge.listBases(reader)).map((base) => base.name)).toEqual(["制度"]);
  expect(await code(knowledge.createBase(editor, { name: "不行" }))).toBe("forbidden");
  expect(await code(knowledge.updateBase(editor, kbId, { name: "x" }))).toBe("forbidden");
  expect(await code(knowledge.removeBase(editor, kbId))).toBe("forbidden");
  expect(await code(knowledge.removeBase(reader, own.id))).toBe("kb_not_found");
  await knowledge.removeBase(owner, own.id);
});

test("an archive's list holds for its members, and for what is read out of it later", async () => {
  const zip = zipSync({ "甲.md": strToU8("# 甲\n\n归档口令是海棠。\n"), "内/乙.md": strToU8("# 乙\n\n第二口令是木槿。\n") });
  await share("档案/包.zip", [[editor, "read"]]);
  const id = await add(editor, "档案/别的.md", "# 别的\n\n公开内容。\n");
  await add(owner, "档案/包.zip", zip);
  const { knowledge } = box.services;
  expect(await code(knowledge.readDocument(reader, id))).toBe("done");
  const seen = async (actor: Actor) => (await knowledge.listDocuments(actor, kbId, { folder: "档案" })).items.map((item) => item.path);
  expect(await seen(reader)).toEqual(["档案/别的.md"]);
  expect(await seen(editor)).toEqual(["档案/别的.md", "档案/包.zip", "档案/包.zip/内/乙.md", "档案/包.zip/甲.md"]);
  const { hits } = await knowledge.search(reader, kbId, { query: "归档口令 海棠 木槿", lexicalOnly: true });
  expect(JSON.stringify(hits)).not.toMatch(/海棠|木槿/);
});

test("an old answer no longer quotes what may no longer be read, nor does a follow-up know it", async () => {
  const id = await add(owner, "差旅.md", "# 差旅规定\n\n第一条 出差每日补助一百二十元。\n");
  const { chats, answers } = box.services;
  const chat = await chats.createChat(reader, { kbIds: [kbId] });
  for await (const _ of chats.ask(reader, chat.id, { content: "出差每日补助多少元？" }));
  const before = await chats.readTurns(reader, chat.id);
  expect(before[1]?.content).toContain("一百二十元");
  const answerId = box.storage.chats.findTurn(before[1]?.id ?? "")?.answerId ?? "";
  expect((await answers.readLineage(reader, answerId)).text).toContain("一百二十元");
  await share("差旅.md", [[owner, "read"]]);
  const after = JSON.stringify([await chats.readTurns(reader, chat.id), await answers.readLineage(reader, answerId)]);
  expect(after).not.toMatch(/一百二十|差旅/);
  expect(await code(answers.readLineage(editor, answerId))).toBe("not_found");
  await box.services.people.removeAccess(owner, kbId, "差旅.md");
  expect((await chats.readTurns(reader, chat.id))[1]?.content).toContain("一百二十元");
  expect((await box.services.knowledge.readDocument(reader, id)).level).toBe("read");
});

test("a right taken away ends an answer that is being written; the person's removal ends every stream of theirs", async () => {
  await add(owner, "食堂.md", "# 食堂规定\n\n第一条 午餐十一点半开始供应。\n");
  const { chats } = box.services;
  const chat = await chats.createChat(reader, { kbIds: [kbId] });
  const parts: ChatPart[] = [];
  for await (const part of chats.ask(reader, chat.id, { content: "午餐几点开始供应？" })) {
    parts.push(part);
    // The question is kept and the passages are about to be read: now the base is closed to the reader.
    if (part.type === "turn-start")
      await share("", [
        [owner, "manage"],
        [editor, "write"],
      ]);
  }
  expect(parts.at(-1)).toMatchObject({ type: "error", error: { code: expect.stringMatching(/forbidden|kb_not_found/) } });
  expect(JSON.stringify(parts)).not.toContain("十一点半");
  expect(JSON.stringify(await chats.readTurns(reader, chat.id))).not.toContain("十一点半");
  await share("", [
    [owner, "manage"],
    [editor, "write"],
    [reader, "read"],
  ]);

  const stream = box.services.answers
    .answer(reader, { kbs: [kbId], messages: [{ role: "user", content: "午餐几点开始供应？" }] })
    [Symbol.asyncIterator]();
  expect((await stream.next()).value).toMatchObject({ type: "retrieved" });
  await share("食堂.md", [[owner, "read"]]);
  expect(await code(stream.next())).toBe("forbidden");

  const leaving = await box.services.people.createPerson(operator, { name: "leaver", email: "leaver@example.org", role: "member" });
  const [signal] = box.revocations.signalsOf({
    actor: { personId: leaving.id, name: "leaver", role: "member" },
    email: null,
    via: "key",
    setCookies: [],
  });
  await box.services.people.removePerson(operator, leaving.id);
  expect(signal?.aborted).toBe(true);
});

test("approval: what editors add waits, with its name, count and content; what managers add does not; new versions wait too", async () => {
  const { knowledge, answers } = box.services;
  const before = (await knowledge.readBase(reader, kbId)).documents;
  await knowledge.updateBase(owner, kbId, { approval: true });
  expect((await knowledge.readBase(reader, kbId)).documents).toBe(before);
  const id = await add(editor, "年会.md", "# 年会方案\n\n第一条 年会定在腊月十八。\n");
  const version = box.storage.documents.find(id)?.currentVersion ?? 0;
  expect((await knowledge.readDocument(editor, id)).approved).toBe(false);
  expect(await code(knowledge.readDocument(reader, id))).toBe("document_not_found");
  expect(await code(knowledge.readText(reader, id, box.storage.versions.findByNum(version)?.id))).toBe("document_not_found");
  expect((await knowledge.readBase(reader, kbId)).documents).toBe(before);
  const asked = async (actor: Actor): Promise<string> => {
    const parts: unknown[] = [];
    for await (const part of answers.answer(actor, { kbs: [kbId], messages: [{ role: "user", content: "年会定在哪一天？" }] })) parts.push(part);
    return JSON.stringify(parts);
  };
  expect(await asked(reader)).not.toContain("腊月十八");
  expect(await asked(owner)).toContain("腊月十八");
  expect(await code(knowledge.approveDocument(editor, id, true))).toBe("forbidden");
  expect((await knowledge.listDocuments(owner, kbId, { state: "unapproved" })).items.map((item) => item.path)).toEqual(["年会.md"]);
  await knowledge.approveDocument(owner, id, true);
  expect(await asked(reader)).toContain("腊月十八");
  await add(editor, "年会.md", "# 年会方案\n\n第一条 年会定在正月初八。\n");
  // The approved one goes on answering, for everybody, until somebody decides.
  for (const actor of [reader, editor, owner]) {
    expect(await asked(actor)).toContain("腊月十八");
    expect(await asked(actor)).not.toContain("正月初八");
  }
  const next = (await knowledge.readDocument(editor, id)).waiting;
  expect(next).toMatchObject({ version: 2 });
  expect((await knowledge.readDocument(reader, id)).waiting).toBeNull();
  expect((await knowledge.readDocument(reader, id)).version).toBe(1);
  expect(await code(knowledge.readText(reader, id, next?.versionId))).toBe("not_found");
  expect((await knowledge.readText(editor, id, next?.versionId)).text).toContain("正月初八");
  const waits = async (actor: Actor) => (await knowledge.listDocuments(actor, kbId, { state: "unapproved" })).items.map((item) => item.path);
  expect([await waits(owner), await waits(editor), await waits(reader)]).toEqual([["年会.md"], ["年会.md"], []]);
  // Turned down: it is gone, what was there stays. The same bytes may come again.
  await knowledge.approveDocument(owner, id, false);
  expect(await asked(reader)).toContain("腊月十八");
  expect((await knowledge.readDocument(owner, id)).waiting).toBeNull();
  await add(editor, "年会.md", "# 年会方案\n\n第一条 年会定在正月初八。\n");
  await knowledge.approveDocument(owner, id, true);
  expect(await asked(reader)).toContain("正月初八");
  expect(await asked(reader)).not.toContain("腊月十八");
  // Nothing is left waiting where approval is switched off.
  await add(editor, "年会.md", "# 年会方案\n\n第一条 年会定在元宵节。\n");
  expect(await asked(reader)).toContain("正月初八");
  await knowledge.updateBase(owner, kbId, { approval: false });
  expect(await asked(reader)).toContain("元宵节");
  await knowledge.updateBase(owner, kbId, { approval: true });
  await add(owner, "通知.md", "# 通知\n\n第一条 周五放假。\n");
  expect((await knowledge.listDocuments(reader, kbId, { search: "通知" })).items).toHaveLength(1);
  const fixed = await knowledge.writeCurated(editor, kbId, { question: "会议室怎么订", answer: "找前台小周。" });
  expect(fixed.approved).toBe(false);
  expect(await knowledge.listCurated(reader, kbId)).toEqual([]);
  const fixedAnswer = async (): Promise<string> => {
    for await (const part of answers.answer(reader, { kbs: [kbId], messages: [{ role: "user", content: "会议室怎么订" }] }))
      if (part.type === "finish") return part.answer.origin;
    return "";
  };
  expect(await fixedAnswer()).not.toBe("curated");
  await knowledge.approveCurated(owner, fixed.id);
  expect(await fixedAnswer()).toBe("curated");
  await knowledge.updateBase(owner, kbId, { approval: false });
});

test("a new archive waits with all it holds: members stay findable until it is approved, and only then do lost ones go", async () => {
  const { knowledge } = box.services;
  const zip = (files: Record<string, string>) => zipSync(Object.fromEntries(Object.entries(files).map(([name, text]) => [name, strToU8(text)])));
  await knowledge.updateBase(owner, kbId, { approval: true });
  const id = await add(owner, "合集.zip", zip({ "甲.md": "# 甲\n\n车位共四十个。\n", "乙.md": "# 乙\n\n门禁卡每年换发。\n" }));
  const found = async (query: string) =>
    (await knowledge.search(reader, kbId, { query, lexicalOnly: true })).hits
      .filter((hit) => hit.document.startsWith("合集.zip"))
      .map((hit) => hit.text);
  await add(editor, "合集.zip", zip({ "甲.md": "# 甲\n\n车位共六十个。\n", "丙.md": "# 丙\n\n快递柜在北门。\n" }));
  expect((await found("车位共多少个")).join()).toContain("四十");
  expect((await found("门禁卡换发")).join()).toContain("每年");
  expect((await found("快递柜在哪里")).join()).not.toContain("北门");
  await knowledge.approveDocument(owner, id, true);
  expect((await found("车位共多少个")).join()).toContain("六十");
  expect((await found("快递柜在哪里")).join()).toContain("北门");
  expect((await found("门禁卡换发")).join()).not.toContain("每年");
  await knowledge.updateBase(owner, kbId, { approval: false });
});

test("a fixed answer that rests on documents is given only to those who may read them all", async () => {
  const { knowledge, answers } = box.services;
  const id = await add(owner, "薪酬.md", "# 薪酬\n\n第一条 年终奖为三个月工资。\n");
  await knowledge.writeCurated(owner, kbId, { question: "年终奖是几个月工资", answer: "三个月。", documentIds: [id] });
  const origin = async (): Promise<string> => {
    for await (const part of answers.answer(reader, { kbs: [kbId], messages: [{ role: "user", content: "年终奖是几个月工资" }] }))
      if (part.type === "finish") return part.answer.origin;
    return "";
  };
  expect(await origin()).toBe("curated");
  await share("薪酬.md", [[owner, "read"]]);
  expect(await origin()).toBe("refused");
  expect((await knowledge.listCurated(reader, kbId)).map((item) => item.question)).not.toContain("年终奖是几个月工资");
});

test("a later edition that is hidden is not named beside the earlier one", async () => {
  const { knowledge } = box.services;
  const [old, later] = [
    await add(owner, "值班办法(2020-01-01).md", "# 值班办法\n\n（2020年1月1日通过）\n\n第一条 值班每周一次。\n"),
    await add(owner, "值班办法(2024-01-01).md", "# 值班办法\n\n（2024年1月1日通过）\n\n第一条 值班每月一次。\n"),
  ];
  expect((await knowledge.readDocument(reader, old)).edition?.others.map((item) => item.documentId)).toEqual([later]);
  await share("值班办法(2024-01-01).md", [[owner, "read"]]);
  expect(JSON.stringify(await knowledge.readDocument(reader, old))).not.toContain(later);
  const { hits } = await knowledge.search(reader, kbId, { query: "值班每周一次", lexicalOnly: true });
  expect(hits.some((hit) => hit.documentId === old)).toBe(true);
  expect(JSON.stringify(hits)).not.toContain(later);
});

test("a review that is due reminds its owner and those who manage, nobody else", async () => {
  const { knowledge } = box.services;
  const id = await add(owner, "消防.md", "# 消防\n\n第一条 每月检查。\n");
  await knowledge.updateDocument(editor, id, { ownerId: editor.personId, reviewAt: "2026-01-01" });
  expect(await code(knowledge.updateDocument(editor, id, { ownerId: "nobody" }))).toBe("not_found");
  expect(await code(knowledge.updateDocument(reader, id, { reviewAt: null }))).toBe("forbidden");
  for (const actor of [editor, owner])
    expect((await knowledge.listReviews(actor)).map((item) => [item.documentId, item.owner?.name])).toEqual([[id, "editor"]]);
  expect(await knowledge.listReviews(reader)).toEqual([]);
  await knowledge.updateDocument(editor, id, { reviewAt: "2999-01-01" });
  expect(await knowledge.listReviews(editor)).toEqual([]);
});
