/** @file Questions and answers are in the log when that is switched on, masked as people see them, and then doctor and the audit trail say so; off, no word of them. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, expect, test } from "vitest";
import { loadSettings } from "#base";
import { openBox } from "./open-box.ts";

const operator = { personId: null, name: "operator", role: "operator" } as const;
let folder = "";
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

test.each([true, false])("contents in the log: %s", async (isOn) => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "starbox-contents-"));
  const settings = loadSettings({ data: folder, model: "none", embedder: "none", offline: true, logContents: isOn });
  const box = openBox(settings, { serving: true });
  await box.start();
  const { knowledge, answers, chats, audit, system, privacy } = box.services;
  await privacy.writeMasks(operator, { output: ["mobile"] });
  const base = await knowledge.createBase(operator, { name: "制度" });
  const bytes = new TextEncoder().encode("# 食堂\n\n食堂每天七点开放，订餐请打 13812345678。\n");
  await knowledge.addFile(operator, base.id, { path: "a.md", content: { bytes } });
  while ((await knowledge.readBase(operator, base.id)).pending > 0) await new Promise((resolve) => setTimeout(resolve, 20));
  for await (const _ of answers.answer(operator, { kbs: [base.id], messages: [{ role: "user", content: "食堂几点开放，订餐打什么电话？" }] }));
  const chat = await chats.createChat(operator, { kbIds: [base.id] });
  for await (const _ of chats.ask(operator, chat.id, { content: "食堂每天几点开放？" }));
  const check = (await system.doctor()).find((item) => item.name === "contents");
  expect(check?.ok).toBe(!isOn);
  expect((await audit.list(operator, { action: "contents.log" })).items).toHaveLength(isOn ? 1 : 0);
  await box.close();
  await new Promise((resolve) => setTimeout(resolve, 100));
  const log = fs.readFileSync(path.join(folder, "logs/box.log"), "utf8");
  expect(log).not.toContain("13812345678");
  if (isOn) expect(log).toMatch(/"question":"食堂每天几点开放？".*七点/);
  else expect(log).not.toMatch(/食堂|七点/);
});
