/** @file People in the browser: invited by link, in a team, given and refused a base, a second factor, seen through by an administrator. */
import { Secret, TOTP } from "otpauth";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { accessibilityProblems, api, type Session, startSession } from "./session.ts";

let session: Session;
let bob: Page;
const secretBase = "薪酬制度";

beforeAll(async () => {
  session = await startSession({ STARBOX_MODEL: "none", STARBOX_EMBEDDER: "none" });
  await api(session.box, "POST", "/bases", { name: secretBase });
}, 120_000);
afterAll(async () => await session?.stop());
afterEach(async ({ task }) => {
  if (task.result?.state === "fail") process.stderr.write(`${(await session.photograph(task.name)).join("\n")}\n`);
  expect(session.problems()).toEqual([]);
});

/** The open dialog has nothing for axe to find. */
async function expectAccessible(page: Page): Promise<void> {
  expect(await accessibilityProblems(page)).toEqual([]);
}

test("a team, an invitation by link, and the invited person's first minute", async () => {
  const admin = await session.open("/box/teams", { lang: "en" });
  await admin.getByRole("button", { name: "New team" }).first().click();
  await admin.getByLabel("Name", { exact: true }).fill("人事");
  await expectAccessible(admin);
  await admin.getByRole("button", { name: "Save" }).click();
  await admin.getByRole("listitem").filter({ hasText: "人事" }).waitFor();

  await admin.goto(`${session.box.url}/box/people`);
  await admin.getByRole("button", { name: "Invite" }).click();
  await admin.getByLabel("E-mail").fill("bob@example.org");
  await admin.getByLabel("Role", { exact: true }).selectOption("editor");
  await admin.getByRole("checkbox", { name: "人事" }).check();
  await expectAccessible(admin);
  await admin.getByRole("button", { name: "Make the link" }).click();
  const link = (await admin.locator("dialog .mono").textContent()) ?? "";
  expect(link).toMatch(/\/invitation#[0-9a-z]{40}$/);
  await admin.locator("dialog .actions").getByRole("button", { name: "Close" }).click();
  await admin.getByRole("list", { name: "Open invitations" }).getByText("bob@example.org").waitFor();

  const context = await session.browser.newContext({ locale: "en-GB", viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true });
  bob = await context.newPage();
  await bob.goto(link);
  await bob.getByText("bob@example.org").waitFor();
  await expectAccessible(bob);
  await bob.getByLabel("Name").fill("Bob");
  await bob.getByLabel("Password").fill("bob's long password");
  await bob.getByRole("button", { name: "Start" }).click();
  await bob.waitForURL("**/chat");
  await bob.goto(`${session.box.url}/knowledge`);
  await bob.getByText("No base is shared with you yet", { exact: false }).waitFor();
  expect(await bob.getByText(secretBase).count()).toBe(0);
  await bob.goto(link);
  await bob.getByRole("alert").waitFor(); // it works once
});

test("shared with the team in the dialog, the base is there; taken away, it is gone at the next look", async () => {
  const admin = await session.open("/knowledge", { lang: "en" });
  await admin.locator(".base-card").getByRole("link").first().click();
  await admin.getByRole("button", { name: "Share", exact: true }).click();
  await admin.getByLabel("Person or team to add").selectOption({ label: "人事 (1)" });
  await admin.getByRole("button", { name: "Add", exact: true }).click();
  await admin.getByLabel("What 人事 may do").selectOption("write");
  await expectAccessible(admin);
  await admin.getByRole("button", { name: "Save" }).click();
  await admin.locator("dialog").waitFor({ state: "detached" });
  await bob.goto(`${session.box.url}/knowledge`);
  await bob.locator(".base-card").getByText(secretBase).waitFor();
  await bob.locator(".base-card").getByRole("link").first().click();
  await bob.getByRole("button", { name: "Add files" }).waitFor();
  expect(await bob.getByRole("button", { name: "Share", exact: true }).count()).toBe(0);

  await admin.goto(`${session.box.url}/box/permissions`);
  await admin.getByRole("list", { name: "Lists" }).getByText("人事: edit").waitFor();
  await admin.getByRole("button", { name: `Share “${secretBase}”` }).click();
  await admin.getByRole("button", { name: "Remove 人事" }).click();
  await admin.getByRole("button", { name: "Save" }).click();
  await admin.locator("dialog").waitFor({ state: "detached" });
  await bob.goto(`${session.box.url}/knowledge`);
  await bob.getByText("No base is shared with you yet", { exact: false }).waitFor();
});

test("an administrator sees the box as Bob does, is told so all the time, and can stop", async () => {
  const admin = await session.open("/box/people", { lang: "en" });
  await admin.getByRole("button", { name: "See the box as Bob" }).click();
  await admin.getByText("You see the box as Bob does", { exact: false }).waitFor();
  await admin.getByText("No base is shared with you yet", { exact: false }).waitFor();
  await expectAccessible(admin);
  await admin.getByRole("button", { name: "Stop" }).click();
  await admin.waitForURL("**/box/people");
  await admin.getByRole("heading", { name: "People" }).waitFor();
});

test("a second factor is set up with the code on the screen and asked for at the next sign-in", async () => {
  await bob.goto(`${session.box.url}/box/account`);
  await bob.getByRole("button", { name: "Set up a second factor" }).click();
  await bob.getByRole("button", { name: "Begin" }).click();
  const secret = (await bob.locator("dialog code").textContent()) ?? "";
  await bob.getByRole("img", { name: "QR code for the authenticator app" }).waitFor();
  await expectAccessible(bob);
  const totp = new TOTP({ secret: Secret.fromBase32(secret) });
  await bob.getByLabel("Code", { exact: true }).fill(totp.generate());
  await bob.getByRole("button", { name: "Switch on" }).click();
  const recovery = (await bob.locator(".recovery li").first().textContent()) ?? "";
  expect(recovery).toMatch(/^[0-9a-z]{5}-[0-9a-z]{5}$/);
  await bob.getByRole("button", { name: "I have kept them" }).click();

  const context = await session.browser.newContext({ locale: "en-GB" });
  const elsewhere = await context.newPage();
  await elsewhere.goto(`${session.box.url}/signin`);
  await elsewhere.getByLabel("E-mail").fill("bob@example.org");
  await elsewhere.getByLabel("Password").fill("bob's long password");
  await elsewhere.getByRole("button", { name: "Sign in" }).click();
  await elsewhere.getByLabel("Code or recovery code").fill(recovery);
  await expectAccessible(elsewhere);
  await elsewhere.getByRole("button", { name: "Sign in" }).click();
  await elsewhere.waitForURL("**/chat");
  // The other place is seen and ended from the first.
  await bob.goto(`${session.box.url}/box/account`);
  await bob.getByRole("button", { name: "Sign out everywhere else" }).click();
  await elsewhere.goto(`${session.box.url}/knowledge`);
  await elsewhere.waitForURL("**/signin**");
  await context.close();
});
