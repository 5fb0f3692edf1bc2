/** @file Nights and visitors in the browser: a backup is made, seen and rehearsed; a chat page is made, opened by a stranger, framed where it may be, and switched off. */
import http from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { waitFor } from "../start-box.ts";
import { accessibilityProblems, api, type Session, startSession } from "./session.ts";

let session: Session;
let house: http.Server;
let houseUrl = "";
let framed = "";

beforeAll(async () => {
  session = await startSession({ STARBOX_MODEL: "none", STARBOX_EMBEDDER: "none" });
  const base = await api<{ id: string }>(session.box, "POST", "/samples", {});
  await waitFor(120_000, async () => {
    const { pending, chunks } = await api<{ pending: number; chunks: number }>(session.box, "GET", `/bases/${base.id}`);
    return chunks > 0 && pending === 0 ? true : null;
  });
  // A site of the house that shows the page inside its own.
  house = http.createServer((_, response) => {
    response.setHeader("content-type", "text/html");
    response.end(`<!doctype html><html lang="en"><title>House</title><body>${framed}</body></html>`);
  });
  await new Promise<void>((resolve) => house.listen(0, "127.0.0.1", resolve));
  houseUrl = `http://127.0.0.1:${(house.address() as AddressInfo).port}`;
}, 200_000);
afterAll(async () => {
  house?.close();
  await session?.stop();
});
afterEach(async ({ task }) => {
  if (task.result?.state === "fail") process.stderr.write(`${(await session.photograph(task.name)).join("\n")}\n`);
  await session.closePages();
});

test("a backup is made while the box serves, is listed, and its restore is rehearsed; the schedule stays as set", async () => {
  const page = await session.open("/box/backups", { lang: "en" });
  await page.getByText("No backup yet").waitFor();
  await page.getByRole("button", { name: "Back up now" }).click();
  const row = page.getByRole("list", { name: "Backups" }).getByRole("listitem");
  await row.waitFor();
  expect(await row.textContent()).toMatch(/\d MB, .* new/);
  await row.getByRole("button", { name: /Rehearse/ }).click();
  await page.getByText("Restore rehearsed", { exact: false }).waitFor({ timeout: 60_000 });
  expect(await page.getByText("originals", { exact: true }).count()).toBe(1);
  await page.getByRole("switch", { name: "Every night" }).click();
  await page.getByLabel("At", { exact: true }).fill("03:15");
  await page.getByLabel("At", { exact: true }).blur();
  await waitFor(10_000, async () => {
    const state = await api<{ schedule: { enabled: boolean; at: string } }>(session.box, "GET", "/backups/state");
    return state.schedule.enabled && state.schedule.at === "03:15" ? true : null;
  });
  await page.reload();
  await page.getByRole("switch", { name: "Every night", checked: true }).waitFor();
  expect(await page.getByLabel("At", { exact: true }).inputValue()).toBe("03:15");
  expect(await accessibilityProblems(page)).toEqual([]);
  // A second one holds next to nothing new; the first can be taken away, and had back.
  await page.getByRole("button", { name: "Back up now" }).click();
  await row.nth(1).waitFor();
  await row
    .nth(1)
    .getByRole("button", { name: /Remove/ })
    .click();
  await page.getByRole("button", { name: "Undo" }).click();
  await row.nth(1).waitFor();
  expect(session.problems()).toEqual([]);
});

test("a chat page is made, a stranger asks and gets sources, a site of the house may frame it and no other; switched off it says so", async () => {
  const admin = await session.open("/box/pages", { lang: "en" });
  await admin.getByRole("button", { name: "New page" }).first().click();
  await admin.getByLabel("Name", { exact: true }).fill('Front desk "A"');
  await admin.getByLabel("Greeting").fill("Good day! What would you like to know?");
  await admin.getByRole("checkbox", { name: "示例法规" }).check();
  await admin.locator("#page-origins").fill(houseUrl);
  expect(await accessibilityProblems(admin)).toEqual([]);
  await admin.getByRole("button", { name: "Save" }).click();
  const row = admin.getByRole("listitem").filter({ hasText: "Front desk" });
  const address = (await row.getByRole("link").textContent()) ?? "";
  expect(address).toMatch(/\/p\/[\w-]{22}$/);

  const context = await session.browser.newContext({ locale: "en-GB", viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true });
  const stranger = await context.newPage();
  await stranger.goto(address);
  await stranger.getByText("Good day!", { exact: false }).waitFor();
  await stranger.getByLabel("Your question").fill("试用期最长可以约定多久？");
  await stranger.keyboard.press("Enter");
  await stranger.getByText("六个月", { exact: false }).first().waitFor();
  await stranger.getByText("[1] ", { exact: false }).first().waitFor();
  expect(await accessibilityProblems(stranger)).toEqual([]);
  expect(await stranger.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth)).toBe(true);

  framed = `<iframe src="${address}" title="ask" width="420" height="640"></iframe>`;
  await stranger.goto(houseUrl);
  await stranger.frameLocator("iframe").getByText("Good day!", { exact: false }).waitFor();
  await stranger.goto(houseUrl.replace("127.0.0.1", "localhost"));
  await stranger.waitForTimeout(500);
  expect(await stranger.frameLocator("iframe").getByText("Good day!", { exact: false }).count()).toBe(0);

  await row.getByRole("button", { name: /Edit/ }).click();
  await admin.getByRole("checkbox", { name: "Switched on" }).uncheck();
  await admin.getByRole("button", { name: "Save" }).click();
  await row.getByText("off", { exact: true }).waitFor();
  await stranger.goto(address);
  await stranger.getByRole("heading", { name: "This page is not there" }).waitFor();
  // What the visitor used stands beside the page's name.
  await admin.goto(`${session.box.url}/box/usage`);
  await admin.locator("select").last().selectOption("key");
  await admin.getByRole("rowheader", { name: "Page: Front desk" }).waitFor();
  await context.close();
});
