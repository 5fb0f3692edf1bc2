/** @file `starbox people` and `kb share` against a running box, and with a member's key: the command line gets what its key may have. */
import { spawn } from "node:child_process";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type StartedBox, startBox } from "./start-box.ts";

const root = path.dirname(import.meta.dirname);
let box: StartedBox;
let memberKey = "";

type Ran = { readonly code: number; readonly lines: readonly Record<string, unknown>[]; readonly err: string };

async function run(env: Readonly<Record<string, string>>, args: readonly string[]): Promise<Ran> {
  const child = spawn(
    process.execPath,
    ["--conditions=starbox-source", "--disable-warning=ExperimentalWarning", path.join(root, "src/app/main.ts"), "--lang", "en", ...args, "--json"],
    { env: { ...process.env, STARBOX_DATA: box.dataDir, ...env }, stdio: ["ignore", "pipe", "pipe"] },
  );
  let out = "";
  let err = "";
  child.stdout.on("data", (part: Buffer) => (out += part.toString()));
  child.stderr.on("data", (part: Buffer) => (err += part.toString()));
  const code = await new Promise<number>((resolve) => child.once("close", (status) => resolve(status ?? -1)));
  return {
    code,
    err,
    lines: out
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Record<string, unknown>),
  };
}
const asOperator = (...args: string[]): Promise<Ran> => run({ STARBOX_URL: "", STARBOX_KEY: "" }, args);
const asMember = (...args: string[]): Promise<Ran> => run({ STARBOX_URL: box.url, STARBOX_KEY: memberKey }, args);

beforeAll(async () => {
  box = await startBox({ env: { STARBOX_MODEL: "none", STARBOX_EMBEDDER: "none" } });
}, 120_000);
afterAll(async () => await box?.stop());

test("people, teams and sharing from the machine; the member's key sees what was shared, and no more after it was taken away", async () => {
  const invited = await asOperator("people", "invite", "ada@example.org", "--role", "editor");
  expect(invited, invited.err).toMatchObject({
    code: 0,
    lines: [{ email: "ada@example.org", role: "editor", link: expect.stringMatching(/\/invitation#/) }],
  });
  const token = String(invited.lines[0]?.["token"]);
  const accepted = await fetch(`${box.url}/api/invitation/accept`, {
    method: "POST",
    headers: { "content-type": "application/json", origin: box.url },
    body: JSON.stringify({ token, name: "Ada", password: "a long password" }),
  });
  expect(accepted.status).toBe(201);
  const cookie = accepted.headers
    .getSetCookie()
    .map((line) => line.split(";")[0])
    .join("; ");
  const made = await fetch(`${box.url}/api/keys`, {
    method: "POST",
    headers: { "content-type": "application/json", origin: box.url, cookie },
    body: JSON.stringify({ name: "cli" }),
  });
  memberKey = ((await made.json()) as { key: string }).key;

  expect((await asOperator("people", "list")).lines).toMatchObject([{ email: "ada@example.org", role: "editor", secondFactor: false }]);
  expect((await asOperator("people", "role", "ada@example.org", "member")).lines).toMatchObject([{ role: "member" }]);
  expect((await asOperator("people", "team-add", "人事")).code).toBe(0);
  expect((await asOperator("people", "team-add", "薪酬组", "--under", "人事")).code).toBe(0);
  expect((await asOperator("people", "team-members", "薪酬组", "--add", "ada@example.org")).lines[0]?.["memberIds"]).toHaveLength(1);
  expect((await asOperator("kb", "create", "制度")).err).toContain("kb share 制度 everyone read");
  expect((await asMember("kb", "list")).lines).toEqual([]);
  const hidden = await asMember("kb", "status", "制度");
  const missing = await asMember("kb", "status", "不存在");
  expect([hidden.code, hidden.err.replaceAll("制度", "X")]).toEqual([1, missing.err.replaceAll("不存在", "X")]);

  expect((await asOperator("kb", "share", "制度", "team:人事", "read")).code).toBe(0);
  expect((await asMember("kb", "list")).lines).toMatchObject([{ name: "制度", level: "read" }]);
  expect((await asMember("kb", "share", "制度", "everyone", "read")).err).toContain("error forbidden");
  expect((await asMember("people", "list")).err).toContain("error forbidden");
  expect((await asOperator("kb", "access", "制度")).lines).toMatchObject([{ path: "", entries: [{ name: "人事", level: "read" }] }]);
  expect((await asOperator("kb", "share", "制度", "team:人事", "--none")).code).toBe(0);
  expect((await asMember("kb", "list")).lines).toEqual([]);

  const reset = await asOperator("people", "reset", "ada@example.org");
  expect(reset.lines[0]?.["password"]).toMatch(/^[0-9a-z]{4}(-[0-9a-z]{4}){3}$/);
  expect((await fetch(`${box.url}/api/bases`, { headers: { cookie } })).status).toBe(401);
  expect((await asMember("people", "reset", "ada@example.org")).err).toContain("error forbidden");
}, 120_000);

test("approval, approve, reviews and inherit: what waits is listed and let through, a narrowed folder follows its base again", async () => {
  expect((await asOperator("kb", "create", "审批")).code).toBe(0);
  expect((await asOperator("kb", "share", "审批", "everyone", "read")).code).toBe(0);
  expect((await asOperator("people", "add", "ed@example.org", "--name", "Ed", "--role", "editor")).code).toBe(0);
  const people = (await asOperator("people", "list")).lines;
  const ed = people.find((person) => person["email"] === "ed@example.org")?.["id"];
  const call = async (method: string, at: string, body: unknown, key = box.token): Promise<Record<string, unknown>> =>
    (await (
      await fetch(`${box.url}/api${at}`, {
        method,
        headers: { authorization: `Bearer ${key}`, "content-type": typeof body === "string" ? "text/plain" : "application/json" },
        body: typeof body === "string" ? body : JSON.stringify(body),
      })
    ).json()) as Record<string, unknown>;
  const key = String((await call("POST", "/keys", { name: "ed", personId: ed }))["key"]);
  const asEd = (...args: string[]): Promise<Ran> => run({ STARBOX_URL: box.url, STARBOX_KEY: key }, args);
  expect((await asOperator("kb", "share", "审批", "ed@example.org", "write")).code).toBe(0);

  expect((await asOperator("kb", "approval", "审批", "maybe")).code).toBe(2);
  expect((await asEd("kb", "approval", "审批", "on")).err).toContain("error forbidden");
  expect((await asOperator("kb", "approval", "审批", "on")).lines).toMatchObject([{ name: "审批", approval: true }]);
  const added = await call(
    "PUT",
    `/bases/${encodeURIComponent("审批")}/files?path=${encodeURIComponent("薪酬/表.md")}`,
    "# 表\n\n基本工资三千元。\n",
    key,
  );
  const documentId = String(added["documentId"]);
  expect((await asOperator("kb", "approve", "审批")).lines).toMatchObject([{ path: "薪酬/表.md", approved: false }]);
  expect((await asEd("kb", "approve", "审批", "薪酬/表.md")).err).toContain("error forbidden");
  expect((await asOperator("kb", "approve", "审批", "没有.md")).err).toContain("error document_not_found");
  expect((await asOperator("kb", "approve", "审批", "薪酬/表.md")).lines).toMatchObject([{ path: "薪酬/表.md", approved: true }]);
  expect((await asOperator("kb", "approve", "审批")).lines).toEqual([]);
  expect((await asOperator("kb", "approve", "审批", "薪酬/表.md", "--withdraw")).lines).toMatchObject([{ approved: false }]);

  expect((await asOperator("kb", "reviews")).lines).toEqual([]);
  await call("PATCH", `/documents/${documentId}`, { reviewAt: "2026-01-01" });
  expect((await asOperator("kb", "reviews")).lines).toMatchObject([{ path: "薪酬/表.md", base: "审批", reviewAt: "2026-01-01" }]);

  expect((await asOperator("kb", "share", "审批", "ed@example.org", "read", "--at", "薪酬")).code).toBe(0);
  expect((await asOperator("kb", "access", "审批")).lines).toHaveLength(2);
  expect((await asEd("kb", "inherit", "审批", "薪酬")).err).toContain("error forbidden");
  expect((await asOperator("kb", "inherit", "审批", "薪酬")).lines).toEqual([{ path: "薪酬", inherits: true }]);
  expect((await asOperator("kb", "access", "审批")).lines).toHaveLength(1);
  // Who was turned away stands in the audit trail, whether a route or a service did it; a repeat within the minute is one line.
  const refused = (await asOperator("audit", "list", "--limit", "200")).lines.flatMap((line) =>
    line["outcome"] === "refused" ? [line["action"]] : [],
  );
  for (const action of ["knowledge.updateBase", "knowledge.approveDocument", "api.listPeople"]) expect(refused).toContain(action);
  expect(refused.filter((action) => action === "knowledge.approveDocument")).toHaveLength(1);
}, 120_000);
