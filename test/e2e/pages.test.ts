/** @file Every page in both languages, light and dark, wide and narrow: nothing for axe to find, nothing sticks out, and the first load stays small. No model needed. */
import { gzipSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { waitFor } from "../start-box.ts";
import { accessibilityProblems, api, type Look, type Session, startSession } from "./session.ts";

let session: Session;
let pages: Readonly<Record<string, string>>;

beforeAll(async () => {
  session = await startSession({ STARBOX_MODEL: "none", STARBOX_EMBEDDER: "none" });
  const base = await api<{ id: string }>(session.box, "POST", "/samples", {});
  const documents = await waitFor(120_000, async () => {
    const { items } = await api<{ items: { id: string; state: string; chunks: number }[] }>(session.box, "GET", `/bases/${base.id}/documents`);
    return items.length > 0 && items.every((item) => item.chunks > 0 || item.state === "failed") ? items : null;
  });
  const team = await api<{ id: string }>(session.box, "POST", "/teams", { name: "人事" });
  await api(session.box, "POST", "/teams", { name: "薪酬组", parentId: team.id });
  await api(session.box, "PUT", `/bases/${base.id}/access`, { path: "人事", entries: [{ principal: { kind: "team", id: team.id }, level: "read" }] });
  const { token } = await api<{ token: string }>(session.box, "POST", "/invitations", { email: "new@example.org" });
  // Of everything the nights and the keys show, some: an empty page hides its faults.
  const backup = await api<{ id: string }>(session.box, "POST", "/backups", {});
  await api(session.box, "POST", `/backups/${backup.id}/rehearsal`, {});
  const chatPage = await api<{ id: string }>(session.box, "POST", "/pages", {
    name: "前台问答",
    greeting: "您好，有什么可以帮您？",
    kbIds: [base.id],
    origins: ["https://intranet.example", "https://a-rather-long-name-of-a-site.example.org:8443"],
    enabled: true,
  });
  await api(session.box, "POST", "/pages", { name: "Visitors", greeting: "", kbIds: [base.id], origins: [], enabled: false });
  await api(session.box, "POST", "/keys", { name: "helpdesk", access: "read", bases: [base.id] });
  await api(session.box, "PUT", "/quotas", { kind: "everyone", requestsPerMinute: 60, tokensPerDay: 100_000 });
  await api(session.box, "POST", `/bases/${base.id}/search`, { query: "试用期" });
  const document = documents.find((item) => item.chunks > 3)?.id ?? "";
  pages = {
    chat: "/chat",
    bases: "/knowledge",
    documents: `/knowledge/${base.id}`,
    retrieval: `/knowledge/${base.id}/search?q=${encodeURIComponent("试用期")}`,
    gaps: `/knowledge/${base.id}/gaps`,
    answers: `/knowledge/${base.id}/answers`,
    dictionary: `/knowledge/${base.id}/dictionary`,
    text: `/documents/${document}?start=40&end=80`,
    chunks: `/documents/${document}?view=chunks`,
    box: "/box",
    models: "/box/models",
    jobs: "/box/jobs",
    people: "/box/people",
    teams: "/box/teams",
    permissions: "/box/permissions",
    account: "/box/account",
    invitation: `/invitation#${token}`,
    "spent invitation": "/invitation#no-such-token",
    "sign-in": "/signin",
    backups: "/box/backups",
    pages: "/box/pages",
    "chat page": `/p/${chatPage.id}`,
    "chat page that is not there": "/p/no-such-page",
    keys: "/box/keys",
    usage: "/box/usage",
    audit: "/box/audit",
    privacy: "/box/privacy",
    "no such page": "/nowhere",
  };
}, 200_000);
afterAll(async () => await session?.stop());
afterEach(async ({ task }) => {
  if (task.result?.state === "fail") process.stderr.write(`${(await session.photograph(task.name)).join("\n")}\n`);
  await session.closePages();
  expect(session.problems()).toEqual([]);
});

const looks: Readonly<Record<string, Look>> = {
  "Chinese, light": { lang: "zh" },
  "English, dark": { lang: "en", dark: true },
  "phone, Chinese, dark": { lang: "zh", dark: true, phone: true },
  "phone, English, light": { lang: "en", phone: true },
};

test.each(Object.entries(looks))("every page is accessible and fits: %s", async (_, look) => {
  const page = await session.open("/chat", look);
  const found: Record<string, readonly string[]> = {};
  for (const [name, at] of Object.entries(pages)) {
    await page.goto(`${session.box.url}${at}`);
    await page.waitForLoadState("networkidle").catch(() => undefined);
    await page.locator("main").first().waitFor();
    const problems = [...(await accessibilityProblems(page))];
    if (await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth)) problems.push("the page is wider than the screen");
    // A key that has no words shows itself.
    const raw =
      /\b(common|chat|kb|documents|document|box|backups|pages|privacy|audit|usage|account|signin|invitation|models|jobs|people|keys|gaps|state|error|share|permissions|teams|invite|factor|sessions|care|role)\.[a-z][A-Za-z.]+\b/.exec(
        await page.locator("body").innerText(),
      );
    if (raw !== null && !/\.(md|docx|pdf|xlsx|txt|db)$/.test(raw[0])) problems.push(`words missing: ${raw[0]}`);
    if (problems.length > 0) found[name] = problems;
  }
  expect(found).toEqual({});
});

test("the first load of chat: at most 220 kB of compressed JavaScript, all from the box itself", async () => {
  const page = await session.open("/nowhere");
  await page.waitForLoadState("networkidle");
  let bytes = 0;
  const elsewhere: string[] = [];
  page.on("response", (response) => {
    if (!response.url().startsWith(session.box.url)) elsewhere.push(response.url());
    if (response.request().resourceType() === "script")
      void response.body().then(
        (body) => (bytes += gzipSync(body, { level: 9 }).length),
        () => undefined,
      );
  });
  await page.goto(`${session.box.url}/chat`);
  await page.locator(".composer").waitFor();
  await page.waitForTimeout(500);
  expect(bytes).toBeGreaterThan(50_000);
  expect(bytes).toBeLessThan(220_000);
  expect(elsewhere).toEqual([]);
});

test("everything by keyboard: skip link first, visible focus, palette, menu with arrows", async () => {
  const page = await session.open("/box", { lang: "en" });
  await page.getByRole("heading", { name: "Processes" }).waitFor();
  await page.keyboard.press("Tab");
  expect(await page.evaluate(() => document.activeElement?.textContent)).toBe("Skip to content");
  await page.keyboard.press("Tab");
  expect(await page.evaluate(() => getComputedStyle(document.activeElement as Element).outlineStyle)).not.toBe("none");
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox").fill("models");
  await page.keyboard.press("Enter");
  await page.waitForURL("**/box/models");
  await page.goto(`${session.box.url}/chat`);
  // The only base there is counts as chosen; its name on the chip says that the bases are known.
  await page.locator(".composer .chip.on").focus();
  await page.keyboard.press("Enter");
  await page.locator(".menu [role=checkbox]").first().waitFor();
  expect(await page.evaluate(() => document.activeElement?.getAttribute("role"))).toBe("checkbox");
  await page.keyboard.press("Space");
  await page.keyboard.press("ArrowDown");
  expect(await page.evaluate(() => document.activeElement?.tagName)).toBe("A");
  await page.keyboard.press("Escape");
  await page.locator(".menu [role=checkbox]").first().waitFor({ state: "detached" });
});
