/** @file Questions and chats through a whole box's services on real documents: citations, refusals, branches, what a crash leaves, real models. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadSettings } from "#base";
import type { Actor, Answer, ChatPart, ChatTurn } from "#contracts";
import { createAnswerer } from "#knowledge";
import { type Box, openBox } from "../src/app/open-box.ts";
import { openTestModels, type TestModels, testToolModel } from "./real-models.ts";

const dataDir = fs.mkdtempSync(path.join(os.tmpdir(), "starbox-answer-"));
const operator: Actor = { personId: null, name: "operator", role: "operator" };
const someone: Actor = { personId: "person_1", name: "李雷", role: "member" };
const settings = loadSettings({ data: dataDir, model: "none", embedder: "none", logLevel: "silent" });
let box: Box;
let kbId = "";

const river =
  "恆河是印度北部的大河，全長2,525公里。該河發源於喜馬拉雅山南坡的甘戈特里冰川。「恆河治理計劃」於1985年由總理拉吉夫·甘地推動，但是成效不彰。";

async function open(): Promise<void> {
  box = openBox(settings, { serving: false });
  await box.start();
}

beforeAll(async () => {
  await open();
  const { knowledge } = box.services;
  ({ id: kbId } = await knowledge.createBase(operator, { name: "手册", readers: "everyone" }));
  const law = path.join(import.meta.dirname, "../samples/劳动合同法(2012-12-28).md");
  await knowledge.addFile(operator, kbId, { path: "恒河.txt", content: { bytes: new TextEncoder().encode(river) } });
  await knowledge.addFile(operator, kbId, { path: "劳动合同法(2012-12-28).md", content: { filePath: law } });
  while ((await knowledge.readBase(operator, kbId)).pending > 0) await new Promise((resolve) => setTimeout(resolve, 100));
}, 120_000);
afterAll(async () => {
  await box?.close();
  fs.rmSync(dataDir, { recursive: true, force: true });
});

async function ask(question: string): Promise<Answer> {
  for await (const part of box.services.answers.answer(operator, { kbs: ["手册"], messages: [{ role: "user", content: question }] }))
    if (part.type === "finish") return part.answer;
  throw new Error("no answer");
}

test("a lay question about a statute gets the article's sentence, word for word from the text", async () => {
  const answer = await ask("试用期最长多久？");
  expect(answer.refused).toBe(false);
  expect(answer.text).toContain("第十九条");
  expect(answer.text).toContain("试用期不得超过六个月");
  for (const citation of answer.citations) {
    const { text } = await box.services.knowledge.readText(operator, citation.documentId, citation.versionId);
    expect(text.slice(citation.start, citation.end)).toBe(citation.quote);
  }
  for (const line of answer.text.split("\n")) expect(line.match(/\[\d+\]/g)?.length).toBe(1);
});

test("Simplified question, Traditional document: the short answer in the document's letters", async () => {
  const answer = await ask("恒河发源于哪一座冰川？");
  expect(answer.text).toMatch(/甘戈特里冰川\[1\]$/);
  expect(answer.citations[0]?.quote).toBe("該河發源於喜馬拉雅山南坡的甘戈特里冰川。");
});

test("lineage is kept; refusals become gaps, likes beside likes", async () => {
  const answer = await ask("恒河的长度是多少公里？");
  expect(answer.id).toBeDefined();
  const kept = await box.services.answers.readLineage(operator, answer.id ?? "");
  expect(kept.lineage.passages[0]?.versionId).toBe(answer.citations[0]?.versionId);
  await expect(box.services.answers.readLineage(someone, answer.id ?? "")).rejects.toMatchObject({ code: "not_found" });
  for (const question of ["食堂几点开门？", "食堂幾點開門", "食堂周末几点开门？", "火星上有没有水？"])
    expect((await ask(question)).refused).toBe(true);
  const gaps = await box.services.knowledge.listGaps(operator, kbId);
  expect(gaps.map((gap) => [gap.question, gap.count])).toEqual([
    ["食堂几点开门？", 3],
    ["火星上有没有水？", 1],
  ]);
  expect(gaps[0]?.variants).toContain("食堂周末几点开门？");
});

test("a fixed answer of the knowledge owner wins", async () => {
  const { id } = await box.services.knowledge.writeCurated(operator, kbId, { question: "食堂几点开门？", answer: "早上七点半。" });
  expect(await ask("請問食堂幾點開門？")).toMatchObject({ origin: "curated", text: "早上七点半。", refused: false });
  await box.services.knowledge.removeCurated(operator, id);
});

test("bases and questions that are not there are named errors", async () => {
  const first = async (kbs: readonly string[], content: string): Promise<unknown> => {
    for await (const part of box.services.answers.answer(operator, { kbs, messages: [{ role: "user", content }] })) return part;
    return null;
  };
  await expect(first(["没有"], "试用期？")).rejects.toMatchObject({ code: "kb_not_found" });
  await expect(first([], "试用期？")).rejects.toMatchObject({ code: "invalid_input" });
  await expect(first([kbId], "  ")).rejects.toMatchObject({ code: "invalid_input" });
});

async function say(actor: Actor, chatId: string, input: Parameters<Box["services"]["chats"]["ask"]>[2]): Promise<ChatPart[]> {
  const parts: ChatPart[] = [];
  for await (const part of box.services.chats.ask(actor, chatId, input)) parts.push(part);
  return parts;
}
const last = (parts: readonly ChatPart[]): ChatTurn => {
  const part = parts.at(-1);
  if (part?.type !== "finish") throw new Error(`expected a finish, got ${JSON.stringify(part)}`);
  return part.turn;
};

test("a chat: titled, continued, edited, asked again, rated, corrected, private", async () => {
  const { chats } = box.services;
  const chat = await chats.createChat(someone, { kbIds: ["手册"] });
  const first = last(await say(someone, chat.id, { content: "劳动合同期限一年以上不满三年的，试用期最长多久？" }));
  expect(first.citations.length).toBeGreaterThan(0);
  expect((await chats.listChats(someone))[0]?.title).toMatch(/^劳动合同期限/);
  expect(await chats.listChats(operator)).toEqual([]);
  await expect(say(operator, chat.id, { content: "？" })).rejects.toMatchObject({ code: "not_found" });
  const second = last(await say(someone, chat.id, { content: "恒河发源于哪一座冰川？" }));
  const turns = await chats.readTurns(someone, chat.id);
  expect(turns.map((turn) => turn.role)).toEqual(["user", "assistant", "user", "assistant"]);
  await chats.rateTurn(someone, second.id, "down");
  await chats.correctTurn(someone, second.id, { text: "甘戈特里冰川（北坡）", reason: "更准确" });
  expect((await chats.readTurns(someone, chat.id)).at(-1)).toMatchObject({ rating: "down", correction: "甘戈特里冰川（北坡）" });
  const retried = last(await say(someone, chat.id, { retryTurnId: second.id }));
  expect(retried).toMatchObject({ parentId: second.parentId, content: second.content, rating: null });
  const edited = last(await say(someone, chat.id, { content: "恒河的长度是多少公里？", replaceTurnId: turns[2]?.id ?? "" }));
  const branch = await chats.readTurns(someone, chat.id);
  expect(branch.map((turn) => turn.content)).toEqual([turns[0]?.content, turns[1]?.content, "恒河的长度是多少公里？", edited.content]);
});

test("both turns are rows before the first word; who leaves or crashes leaves them, marked", async () => {
  const { chats } = box.services;
  const chat = await chats.createChat(someone, { kbIds: ["手册"] });
  for await (const part of chats.ask(someone, chat.id, { content: "试用期最长多久？" })) {
    expect(part.type).toBe("turn-start");
    expect((await chats.readTurns(someone, chat.id)).map((turn) => turn.role)).toEqual(["user", "assistant"]);
    break;
  }
  expect((await chats.readTurns(someone, chat.id))[1]?.error?.code).toBe("cancelled");
  // What kill -9 leaves is an open turn: opening the box again closes it.
  const parts = chats.ask(someone, chat.id, { content: "恒河多长？" })[Symbol.asyncIterator]();
  await parts.next();
  await box.close();
  await open();
  const turns = await box.services.chats.readTurns(someone, chat.id);
  expect(turns.at(-2)?.content).toBe("恒河多长？");
  expect(turns.at(-1)).toMatchObject({ role: "assistant", error: { code: "interrupted" } });
});

test("without documents and without a model a chat says what is missing", async () => {
  const { chats } = box.services;
  const chat = await chats.createChat(someone, { kbIds: [] });
  const part = (await say(someone, chat.id, { content: "你好" })).at(-1);
  expect(part?.type === "error" && part.error.code).toMatch(/^model_not_(?:ready|found)$/);
  expect((await chats.readTurns(someone, chat.id)).map((turn) => turn.content)).toEqual(["你好", ""]);
});

test("a real model reads the evidence: its vote is among the document's own words", { timeout: 600_000 }, async () => {
  const opened: TestModels = await openTestModels([testToolModel]);
  try {
    const answerer = createAnswerer({
      retriever: { retrieve: (request) => box.services.knowledge.search(operator, kbId, { query: request.query, limit: request.limit }) },
    });
    const model = await opened.models.languageModel(testToolModel);
    let answer: Answer | null = null;
    for await (const part of answerer.answer({
      kbIds: [kbId],
      messages: [{ role: "user", content: "「恆河治理計劃」是由誰推動的？" }],
      viewer: { person: null, access: "everything" },
      model,
    }))
      if (part.type === "finish") answer = part.answer;
    expect(answer?.text).toContain("甘地");
    expect(river).toContain(answer?.text.replace(/\[\d+\]/g, "") ?? "-");
    expect(answer?.lineage.model === testToolModel ? (answer?.usage.promptTokens ?? 0) > 100 : answer?.origin === "extracted").toBe(true);
  } finally {
    await opened.close();
  }
});
