/** @file A real box and a real browser for the journeys: signing in, pages of any size, language and colour, accessibility checks. */
import { readFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { type StartedBox, startBox, waitFor } from "../start-box.ts";
import { startBrowser } from "./browser.ts";

export type Look = { readonly lang?: "zh" | "en"; readonly dark?: boolean; readonly phone?: boolean };
export const administrator = { name: "王琳", email: "lin@example.com", password: "correct horse battery" } as const;

export type Session = {
  readonly box: StartedBox;
  readonly browser: Browser;
  /** A page of its own, signed in once somebody is; the page fails the test when the browser reports an error. */
  open(path: string, look?: Look): Promise<Page>;
  /** Pictures of the open pages, for a failed test. Returns where they lie. */
  photograph(name: string): Promise<readonly string[]>;
  /** Errors the browser reported since the last call. */
  problems(): readonly string[];
  closePages(): Promise<void>;
  stop(): Promise<void>;
};

export async function startSession(env: Readonly<Record<string, string>> = {}): Promise<Session> {
  const box = await startBox({ env });
  const browser = await startBrowser();
  let problems: string[] = [];
  let contexts: BrowserContext[] = [];
  let cookies: Awaited<ReturnType<BrowserContext["cookies"]>> = [];

  const open = async (at: string, look: Look = {}): Promise<Page> => {
    const context = await browser.newContext({
      viewport: look.phone ? { width: 390, height: 844 } : { width: 1360, height: 850 },
      isMobile: look.phone === true,
      hasTouch: look.phone === true,
      colorScheme: look.dark ? "dark" : "light",
      locale: look.lang === "en" ? "en-GB" : "zh-CN",
      reducedMotion: "reduce",
    });
    contexts.push(context);
    const page = await context.newPage();
    page.setDefaultTimeout(30_000);
    page.on("pageerror", (error) => problems.push(String(error)));
    page.on("console", (message) => {
      // A refused request is told by the page itself; what is left are faults: scripts, policy, React.
      if (message.type() === "error" && !/Failed to load resource/.test(message.text())) problems.push(message.text());
    });
    if (cookies.length === 0) await setUp(page, box);
    else await context.addCookies(cookies);
    cookies = await context.cookies();
    await page.goto(`${box.url}${at}`);
    return page;
  };

  return {
    box,
    browser,
    open,
    photograph: async (name) => {
      const pages = contexts.flatMap((context) => context.pages());
      const files = pages.map((_, index) => path.join(os.tmpdir(), `starbox-${name.replace(/\W+/g, "-").slice(0, 40)}-${index}.png`));
      await Promise.all(pages.map((page, index) => page.screenshot({ path: files[index] ?? "" }).catch(() => undefined)));
      return files;
    },
    problems: () => {
      const found = problems;
      problems = [];
      return found;
    },
    closePages: async () => {
      await Promise.all(contexts.map((context) => context.close().catch(() => undefined)));
      contexts = [];
    },
    stop: async () => {
      await Promise.all(contexts.map((context) => context.close().catch(() => undefined)));
      contexts = [];
      await browser.close();
      await box.stop();
    },
  };
}

/** The first administrator, made on the screen as a person would. */
async function setUp(page: Page, box: StartedBox): Promise<void> {
  await page.goto(box.url);
  await page.waitForURL("**/setup");
  const code = await waitFor(10_000, () => box.setupCode);
  const fields = { code, ...administrator };
  for (const [name, value] of Object.entries(fields)) await page.fill(`#field-${name}`, value);
  await page.click("button[type=submit]");
  await page.waitForURL("**/chat");
}

const axeSource = readFileSync(path.join(import.meta.dirname, "../../node_modules/axe-core/axe.min.js"), "utf8");

/** What axe finds on the page as it stands, in one line a finding. */
export async function accessibilityProblems(page: Page): Promise<readonly string[]> {
  await page.evaluate(axeSource);
  return await page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: { run(): Promise<{ violations: { id: string; help: string; nodes: { html: string; failureSummary?: string }[] }[] }> };
    };
    const { violations } = await axe.run();
    return violations.flatMap((violation) =>
      violation.nodes.map((node) => `${violation.id}: ${violation.help}: ${node.html.slice(0, 200)} ${node.failureSummary?.slice(0, 300) ?? ""}`),
    );
  });
}

/** The box's own API with the operator's token: to prepare what a journey is not about. */
export async function api<T>(box: StartedBox, method: string, at: string, body?: unknown): Promise<T> {
  const response = await fetch(`${box.url}/api${at}`, {
    method,
    headers: { authorization: `Bearer ${box.token}`, ...(body === undefined ? {} : { "content-type": "application/json" }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!response.ok) throw new Error(`${method} ${at}: ${response.status} ${await response.text()}`);
  const text = await response.text();
  return (text === "" ? undefined : JSON.parse(text)) as T;
}
