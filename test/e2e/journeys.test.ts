/** @file What people do in the console, in a real browser against a real box with real models. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { waitFor } from "../start-box.ts";
import { accessibilityProblems, administrator, api, type Session, startSession } from "./session.ts";

let session: Session;
const answerMs = 120_000;

beforeAll(async () => {
  session = await startSession();
  await session.box.ready(240_000);
}, 300_000);
afterAll(async () => await session?.stop());
afterEach(async ({ task }) => {
  if (task.result?.state === "fail") process.stderr.write(`${(await session.photograph(task.name)).join("\n")}\n`);
  await session.closePages();
  expect(session.problems()).toEqual([]);
});

type Base = { readonly id: string; readonly name: string; readonly pending: number; readonly chunks: number; readonly embedded: number };

/** The sample statutes, read and searchable by meaning. */
async function samples(): Promise<Base> {
  const base = await api<Base>(session.box, "POST", "/samples", {});
  return await waitFor(180_000, async () => {
    const now = await api<Base>(session.box, "GET", `/bases/${base.id}`);
    return now.chunks > 0 && now.pending === 0 && now.embedded === now.chunks ? now : null;
  });
}

async function chooseOnly(page: Page, name: string | null): Promise<void> {
  await page.locator(".composer .chip").first().click();
  await page.locator(".menu a").waitFor();
  if (name !== null) await page.locator(".menu [role=checkbox]").filter({ hasText: name }).waitFor();
  for (const box of await page.locator(".menu [role=checkbox]").all()) {
    const wanted = name !== null && (await box.textContent())?.includes(name) === true;
    if (((await box.getAttribute("aria-checked")) === "true") !== wanted) await box.click();
  }
  await page.keyboard.press("Escape");
}

async function ask(page: Page, question: string): Promise<void> {
  await page.getByRole("textbox", { name: "问题" }).fill(question);
  await page.keyboard.press("Enter");
}

test("from set-up to the first cited answer: samples, a question, the sentence marked in its source", async () => {
  const page = await session.open("/chat");
  await page.getByRole("button", { name: "用示例法规试试" }).click();
  await page.getByText("示例法规已就绪").waitFor({ timeout: 120_000 });
  await page.getByRole("button", { name: "试用期最长可以约定多久？" }).click();
  const numeral = page.locator(".answer .cite").first();
  await numeral.waitFor({ timeout: answerMs });
  await page.locator(".answer[data-last]").waitFor({ timeout: answerMs });
  await numeral.hover();
  const quote = (await page.getByRole("tooltip").locator("q").textContent()) ?? "";
  expect(quote.length).toBeGreaterThan(4);
  await numeral.click();
  const mark = page.locator(".source mark").first();
  await mark.waitFor();
  expect(quote).toContain((await mark.textContent()) ?? "-");
  expect(await mark.evaluate((element) => element.getBoundingClientRect().top)).toBeLessThan(850);
  // The address keeps the place: a reload, or a colleague, sees the same sentence.
  expect(page.url()).toMatch(/source=.*start=\d+.*end=\d+/);
  await page.reload();
  await page.locator(".source mark").first().waitFor();
  expect(await accessibilityProblems(page)).toEqual([]);
});

test("a folder with one broken file: the rest is read, the broken one has its reason and can be retried", async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "starbox-folder-"));
  const inside = path.join(folder, "制度");
  fs.mkdirSync(path.join(inside, "考勤"), { recursive: true });
  fs.writeFileSync(path.join(inside, "考勤", "考勤办法.md"), "# 考勤办法\n\n第一条 员工每日上午九点到岗。\n\n第二条 迟到三次记为旷工半天。\n");
  fs.writeFileSync(path.join(inside, "报销.txt"), "差旅报销应在返回后十个工作日内提交，逾期不予受理。");
  fs.writeFileSync(path.join(inside, "损坏.pdf"), Buffer.concat([Buffer.from("%PDF-1.7\n"), Buffer.alloc(2000, 7)]));
  fs.writeFileSync(path.join(inside, ".DS_Store"), "x");
  const page = await session.open("/knowledge");
  await page.getByRole("button", { name: "新建知识库" }).click();
  await page.getByLabel("名称").fill("人事制度");
  await page.getByRole("button", { name: "创建" }).click();
  await page.getByRole("heading", { name: "人事制度" }).waitFor();
  await page.locator("[data-testid=folder]").setInputFiles(inside);
  await page.getByText("已上传 3 个文件").waitFor();
  const broken = page.getByRole("row").filter({ hasText: "损坏.pdf" });
  await page.getByRole("row").filter({ hasText: "document_corrupt" }).waitFor({ timeout: 60_000 });
  const read = page.getByRole("row").filter({ hasText: "考勤/考勤办法.md" });
  await read.getByText(/就绪|可按词检索/).waitFor({ timeout: 60_000 });
  expect(await page.getByText(".DS_Store").count()).toBe(0);
  expect(await accessibilityProblems(page)).toEqual([]);
  // Retry goes through the whole reading again and ends where it must.
  await page.getByRole("row").filter({ hasText: "document_corrupt" }).getByRole("button", { name: "重试" }).click();
  await page.getByRole("row").filter({ hasText: "document_corrupt" }).waitFor({ timeout: 60_000 });
  // A removed file leaves at once and can be had back.
  const row = page.getByRole("row").filter({ hasText: "报销" });
  await row.hover();
  await row.getByRole("button", { name: /删除/ }).click();
  await row.waitFor({ state: "detached" });
  await page.getByRole("button", { name: "撤销" }).click();
  await row.waitFor();
  expect(await broken.count()).toBeLessThanOrEqual(1);
  fs.rmSync(folder, { recursive: true });
});

test("what the documents do not say is refused, with the closest passages, and noted as a gap", async () => {
  const base = await samples();
  const page = await session.open("/chat");
  await chooseOnly(page, base.name);
  const question = "火星基地的食堂周末几点开饭？";
  await ask(page, question);
  await page.getByText("资料里没有写到").waitFor({ timeout: answerMs });
  expect(await page.locator(".answer .cite").count()).toBe(0);
  expect(await accessibilityProblems(page)).toEqual([]);
  await page.getByRole("link", { name: "查看" }).click();
  await page.getByText(question).first().waitFor();
});

test("stop while the answer streams, then answer again", async () => {
  const page = await session.open("/chat");
  await chooseOnly(page, null);
  await ask(page, "请写一篇一千字的文章，介绍长城的历史。");
  const live = page.locator(".answer.live .prose");
  await live.waitFor({ timeout: answerMs });
  await page.getByRole("button", { name: "停止回答" }).click();
  await page.getByText("已停止").first().waitFor();
  await page.getByRole("button", { name: "发送" }).waitFor();
  await page.getByRole("button", { name: "重新回答" }).last().click();
  await live.waitFor({ timeout: answerMs });
  await page.getByRole("button", { name: "停止回答" }).click();
  await page.getByRole("button", { name: "发送" }).waitFor();
  // The question was asked once; answering again did not double it.
  expect(await page.locator(".question").count()).toBe(1);
});

test("rate an answer, correct it with a reason, and find both after a reload", async () => {
  const base = await samples();
  const page = await session.open("/chat");
  await chooseOnly(page, base.name);
  await ask(page, "试用期最长不得超过几个月？");
  await page.locator(".answer[data-last]").waitFor({ timeout: answerMs });
  await page.getByRole("button", { name: "没帮助" }).click();
  await page.getByRole("button", { name: "纠正" }).click();
  await page.getByRole("textbox", { name: "正确的回答" }).fill("试用期最长不得超过六个月。[1]");
  await page.getByRole("button", { name: "不完整" }).click();
  expect(await accessibilityProblems(page)).toEqual([]);
  await page.getByRole("button", { name: "保存" }).click();
  await page.getByText("已纠正").waitFor();
  await page.reload();
  await page.getByText("试用期最长不得超过六个月。").waitFor();
  expect(await page.getByRole("button", { name: "没帮助" }).getAttribute("aria-pressed")).toBe("true");
});

test("the retrieval test shows every hit's rank by words, by meaning and together, and leads to the place", async () => {
  const base = await samples();
  const page = await session.open(`/knowledge/${base.id}/search`);
  await page.getByRole("searchbox", { name: "检索内容" }).fill("试用期工资的最低标准");
  await page.keyboard.press("Enter");
  const hit = page.locator(".hit").first();
  await hit.waitFor();
  expect(await hit.locator(".ranks").textContent()).toMatch(/综合\s*1.*按词.*按语义/s);
  expect(await page.getByRole("status").filter({ hasText: "条结果" }).textContent()).toMatch(/共用 [\d.]+ ms/);
  expect(await accessibilityProblems(page)).toEqual([]);
  await page.getByRole("switch", { name: "只按词" }).click();
  await page.locator(".hit").first().waitFor();
  await hit.getByRole("link").first().click();
  await page.locator("mark").first().waitFor();
});

test("a document's title and date are corrected by hand, and the retrieval test is limited by tag, date and format", async () => {
  const base = await samples();
  const { items } = await api<{ items: readonly { readonly id: string; readonly title: string; readonly type: string }[] }>(
    session.box,
    "GET",
    `/bases/${base.id}/documents?limit=50`,
  );
  const document = items.find(({ title }) => title.includes("劳动合同法")) as (typeof items)[number];
  const page = await session.open(`/documents/${document.id}`);
  await page.getByRole("button", { name: "修改标题和日期" }).click();
  expect(await accessibilityProblems(page)).toEqual([]);
  await page.getByLabel("标题", { exact: true }).fill("劳动合同法（单位自用本）");
  await page.getByLabel("日期", { exact: true }).fill("2031-05-06");
  await page.getByRole("button", { name: "保存" }).click();
  await page.getByRole("heading", { level: 1, name: "劳动合同法（单位自用本）" }).waitFor();
  await page.locator(".facts").getByText("2031-05-06").first().waitFor();
  await api(session.box, "PATCH", `/documents/${document.id}`, { tags: ["人事"] });

  await page.goto(`${session.box.url}/knowledge/${base.id}/search?q=${encodeURIComponent("违反规定应当承担的法律责任")}`);
  await page.locator(".hit").first().waitFor();
  const titles = async (): Promise<readonly string[]> => [...new Set(await page.locator(".hit .hit-place strong").allTextContents())];
  expect((await titles()).length).toBeGreaterThan(1);
  await page.getByLabel("标签", { exact: true }).fill("人事");
  await page.getByLabel("标签", { exact: true }).press("Enter");
  await waitFor(10_000, async () => ((await titles()).join() === "劳动合同法（单位自用本）" ? true : null));
  await page.getByLabel("日期从", { exact: true }).fill("2031-05-07");
  await page.getByText("这些筛选条件下没有结果").waitFor();
  await page.reload(); // the address keeps them
  await page.getByText("这些筛选条件下没有结果").waitFor();
  await page.getByRole("button", { name: "清除筛选" }).click();
  await waitFor(10_000, async () => ((await titles()).length > 1 ? true : null));
  await page.getByLabel("格式", { exact: true }).selectOption("pdf");
  await waitFor(10_000, async () => {
    const found = await titles();
    return found.length > 0 && found.every((title) => items.some((item) => item.title === title && item.type === "pdf")) ? true : null;
  });
});

test("the box: health in a line, models with their state, memory, processes and jobs", async () => {
  const page = await session.open("/box");
  await page.getByRole("heading", { name: "进程" }).waitFor();
  expect(await page.locator(".base-state").textContent()).not.toBe("");
  expect(await page.locator("table.plain tbody tr").count()).toBeGreaterThan(0);
  await page.getByRole("link", { name: "模型", exact: true }).click();
  await page.getByText("默认").first().waitFor();
  expect(await page.getByText(/已载入|已下载/).count()).toBeGreaterThan(0);
  await page.getByRole("link", { name: "任务", exact: true }).click();
  await page.getByRole("heading", { name: "任务" }).or(page.getByText("已结束")).first().waitFor();
  await page.getByRole("link", { name: "人员", exact: true }).click();
  await page.getByText(administrator.email).waitFor();
  await page.getByRole("link", { name: "密钥", exact: true }).click();
  await page.getByRole("button", { name: "新建密钥" }).click();
  await page.getByLabel("用途").fill("客服系统");
  await page.getByRole("button", { name: "创建" }).click();
  const key = (await page.getByText(/^sb-/).first().textContent()) ?? "";
  const models = await fetch(`${session.box.url}/v1/models`, { headers: { authorization: `Bearer ${key}` } });
  expect(models.status).toBe(200);
  await page.getByRole("link", { name: "用量", exact: true }).click();
  await page
    .getByText(/个词元|这段时间没有用量/)
    .first()
    .waitFor();
  await page.getByRole("link", { name: "审计", exact: true }).click();
  await page.getByRole("cell", { name: "新建密钥" }).first().waitFor();
  await page.getByRole("button", { name: "校验" }).click();
  await page.getByRole("status").getByText("没有改动或缺失").waitFor();
  expect(await accessibilityProblems(page)).toEqual([]);
});

test("on a phone, in the dark, in English: chat, source sheet, drawer, palette, signing out", async () => {
  const base = await samples();
  const page = await session.open("/chat", { phone: true, dark: true, lang: "en" });
  await chooseOnly(page, base.name);
  await page.getByRole("textbox", { name: "Question" }).fill("试用期最长可以约定多久？");
  await page.getByRole("button", { name: "Send" }).tap();
  const source = page.locator(".sources button").first();
  await source.waitFor({ timeout: answerMs });
  await source.tap();
  const sheet = page.getByRole("complementary", { name: "Source", exact: true });
  await sheet.locator("mark").first().waitFor();
  expect(await accessibilityProblems(page)).toEqual([]);
  await sheet.getByRole("button", { name: "Close source" }).tap();
  await page.getByRole("button", { name: "Open side bar" }).tap();
  await page.getByRole("complementary", { name: "Side bar" }).getByRole("link", { name: "Knowledge" }).tap();
  await page.getByRole("heading", { name: base.name }).waitFor();
  expect(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth)).toBe(true);
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox").fill("劳动合同法");
  await page.getByRole("option").first().waitFor();
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/(documents|chat)\//);
  await page.getByRole("button", { name: "Open side bar" }).tap();
  await page.getByRole("button", { name: "Sign out" }).tap();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await page.getByLabel("E-mail").fill(administrator.email);
  await page.getByLabel("Password").fill(administrator.password);
  await page.getByRole("button", { name: "Sign in" }).tap();
  await page.waitForURL("**/chat");
});
