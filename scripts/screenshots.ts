/** @file Photographs the console for the README: a real box with its samples, every picture named place-language-look. Run: node scripts/launch.mjs script scripts/screenshots.ts */
import fs from "node:fs";
import path from "node:path";
import type { Page } from "playwright-core";
import { api, type Look, type Session, startSession } from "../test/e2e/session.ts";
import { waitFor } from "../test/start-box.ts";
import { shrinkPng } from "./shrink-png.ts";

const folder = path.join(import.meta.dirname, "../docs/pictures");
const maxBytes = 150_000;

type Base = { readonly id: string; readonly name: string; readonly chunks: number; readonly embedded: number; readonly pending: number };

async function shoot(page: Page, name: string): Promise<void> {
  await page.waitForLoadState("networkidle").catch(() => undefined);
  await page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur());
  await page.waitForTimeout(400);
  const file = path.join(folder, `${name}.png`);
  const picture = shrinkPng(await page.screenshot());
  fs.writeFileSync(file, picture);
  const size = picture.length;
  if (size > maxBytes) throw new Error(`${name}.png: at most ${maxBytes} bytes, got ${size}`);
  console.log(`${name}.png ${Math.round(size / 1000)} kB`);
}

async function shootChat(session: Session, base: Base, name: string, look: Look): Promise<void> {
  const page = await session.open("/chat", look);
  await page.locator(".composer .chip").first().click();
  const wanted = page.locator(".menu [role=checkbox]").filter({ hasText: base.name });
  await wanted.waitFor();
  if ((await wanted.getAttribute("aria-checked")) !== "true") await wanted.click();
  await page.keyboard.press("Escape");
  await page.locator(".composer textarea").fill("试用期最长可以约定多久？");
  await page.locator(".composer .send").click();
  await page.locator(".answer[data-last] .cite").first().waitFor({ timeout: 180_000 });
  await page.locator(".sources button").first().click();
  await page.locator(".source mark").first().waitFor();
  await shoot(page, name);
  await page.context().close();
}

const session = await startSession();
try {
  fs.mkdirSync(folder, { recursive: true });
  await session.box.ready(300_000);
  const created = await api<Base>(session.box, "POST", "/samples", {});
  const base = await waitFor(300_000, async () => {
    const now = await api<Base>(session.box, "GET", `/bases/${created.id}`);
    return now.chunks > 0 && now.pending === 0 && now.embedded === now.chunks ? now : null;
  });
  await shootChat(session, base, "chat-zh-light", { lang: "zh" });
  await shootChat(session, base, "chat-en-dark", { lang: "en", dark: true });
  await shootChat(session, base, "chat-zh-phone", { lang: "zh", phone: true });
  const pages = {
    documents: `/knowledge/${base.id}`,
    retrieval: `/knowledge/${base.id}/search?q=${encodeURIComponent("试用期工资的最低标准")}`,
    models: "/box/models",
    box: "/box",
  };
  for (const [name, at] of Object.entries(pages)) {
    for (const lang of ["zh", "en"] as const) {
      const page = await session.open(at, { lang, dark: lang === "en" });
      await page.locator("main h1").first().waitFor();
      await shoot(page, `${name}-${lang}-${lang === "en" ? "dark" : "light"}`);
      await page.context().close();
    }
  }
} finally {
  await session.stop();
}
