/** @file Chat pages over a real box: a visitor sees what everyone may read, of the page's bases, and nothing when it is switched off. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadSettings } from "#base";
import type { AnswerPart } from "#contracts";
import { type Box, openBox } from "../src/app/open-box.ts";

const operator = { personId: null, name: "operator", role: "operator" } as const;
let dataDir = "";
let box: Box;
beforeAll(async () => {
  dataDir = fs.mkdtempSync(path.join(os.tmpdir(), "starbox-pages-"));
  box = openBox(loadSettings({ data: dataDir, model: "none", embedder: "none", offline: true }), { serving: false });
  await box.start();
  const { knowledge } = box.services;
  for (const [name, readers, text] of [
    ["公开", "everyone", "# 食堂\n\n食堂每天七点开放。\n"],
    ["另一个", "everyone", "# 停车\n\n停车场凭证 PARK-55 入内。\n"],
    ["内部", undefined, "# 保险柜\n\n保险柜密码是 ORCHID-7731。\n"],
  ] as const) {
    const base = await knowledge.createBase(operator, { name, ...(readers === undefined ? {} : { readers }) });
    await knowledge.addFile(operator, base.id, { path: "a.md", content: { bytes: new TextEncoder().encode(text) } });
    while ((await knowledge.readBase(operator, base.id)).pending > 0) await new Promise((resolve) => setTimeout(resolve, 50));
  }
}, 60_000);
afterAll(async () => {
  await box.close();
  fs.rmSync(dataDir, { recursive: true, force: true });
});

const all = async (parts: AsyncIterable<AnswerPart>): Promise<string> => {
  let text = "";
  for await (const part of parts) text += JSON.stringify(part);
  return text;
};
const ask = async (id: string, question: string): Promise<string> => await all(box.services.pages.ask(id, question, new AbortController().signal));
const input = { name: "前台", greeting: "", origins: [], enabled: true };

test("answers from its bases, of which only what everyone may read", async () => {
  const { pages } = box.services;
  const open = await pages.create(operator, { ...input, kbIds: ["公开", "内部"] });
  expect(open.id.length).toBeGreaterThanOrEqual(22);
  expect(await ask(open.id, "食堂几点开放？")).toContain("七点");
  expect(await ask(open.id, "保险柜密码是什么？")).not.toContain("ORCHID");
  expect(await ask(open.id, "停车场凭证")).not.toContain("PARK-55");
  const closed = await pages.create(operator, { ...input, kbIds: ["内部"] });
  await expect(ask(closed.id, "保险柜密码是什么？")).rejects.toMatchObject({ code: "kb_not_found" });
});

test("switched off or removed it is not there; sites are sites", async () => {
  const { pages } = box.services;
  const page = await pages.create(operator, { ...input, kbIds: ["公开"], origins: ["https://Intranet.example/"] });
  expect(page.origins).toEqual(["https://intranet.example"]);
  for (const origin of ["*", "javascript:alert(1)", "https://a.example/path", "https://a.example; script-src *"])
    await expect(pages.update(operator, page.id, { origins: [origin] }), origin).rejects.toMatchObject({ code: "invalid_input" });
  await pages.update(operator, page.id, { enabled: false });
  expect(await pages.open(page.id)).toBeNull();
  await expect(ask(page.id, "食堂")).rejects.toMatchObject({ code: "not_found" });
  await pages.remove(operator, page.id);
  await expect(pages.update(operator, page.id, { enabled: true })).rejects.toMatchObject({ code: "not_found" });
});

test("what visitors ask is counted for the page, which may have a quota; output masks hold there too", async () => {
  const { pages, usage, privacy } = box.services;
  const page = await pages.create(operator, { ...input, name: "计数", kbIds: ["公开"] });
  await ask(page.id, "食堂几点开放？");
  const mine = async () => (await usage.sum(operator, { by: ["key"] })).find((row) => row.keyId === `page:${page.id}`);
  expect(await mine()).toMatchObject({ requests: 1 });
  await usage.writeQuota(operator, { kind: "key", subject: `page:${page.id}`, requestsPerDay: 2 });
  await privacy.writeMasks(operator, { words: ["七点"], output: ["word"] });
  let text = "";
  for await (const part of pages.ask(page.id, "食堂几点开放？", new AbortController().signal)) if (part.type === "text-delta") text += part.text;
  expect(text).toContain("食堂每天");
  expect(text).not.toContain("七点");
  await expect(ask(page.id, "食堂几点开放？")).rejects.toMatchObject({ code: "quota_exceeded" });
  expect(await mine()).toMatchObject({ requests: 2 });
});
