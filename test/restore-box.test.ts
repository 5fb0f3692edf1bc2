/** @file A backup taken over HTTP from a serving box, encrypted, restored by the command line into an empty folder: the same answers, people and rights. */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, expect, test } from "vitest";
import type { KnowledgeBaseInfo } from "#contracts";
import { testEmbedder } from "./real-models.ts";
import { type StartedBox, startBox, testModelFolder, waitFor } from "./start-box.ts";

const root = path.join(import.meta.dirname, "..");
let box: StartedBox | null = null;
let folder = "";
afterEach(async () => {
  if (box !== null && box.process.exitCode === null) await box.stop();
  box = null;
  if (folder !== "") fs.rmSync(folder, { recursive: true, force: true });
});

async function call(on: StartedBox, method: string, route: string, body?: string | object): Promise<Response> {
  const json = typeof body === "object";
  return await fetch(`${on.url}${route}`, {
    method,
    headers: { authorization: `Bearer ${on.token}`, ...(json ? { "content-type": "application/json" } : {}) },
    ...(body === undefined ? {} : { body: json ? JSON.stringify(body) : body }),
  });
}
type Asked = {
  readonly text: string;
  readonly refused: boolean;
  readonly citations: readonly { readonly document: string; readonly quote: string }[];
};
const questions = ["试用期最长多久？", "年休假有几天？", "值班电话是多少？", "月球上有几家食堂？"];
async function answers(on: StartedBox): Promise<readonly Asked[]> {
  const found: Asked[] = [];
  for (const question of questions) {
    const { text, refused, citations } = (await (await call(on, "POST", "/api/ask", { kbs: ["制度", "示例法规"], question })).json()) as Asked;
    found.push({ text, refused, citations: citations.map(({ document, quote }) => ({ document, quote })) });
  }
  return found;
}

test("the same answers from a restored folder", { timeout: 300_000 }, async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "starbox-restore-"));
  const keyFile = path.join(folder, "key");
  fs.writeFileSync(keyFile, "a passphrase of some length\n");
  const env = {
    STARBOX_MODEL: "none",
    STARBOX_EMBEDDER: testEmbedder,
    STARBOX_BACKUPS: path.join(folder, "backups"),
    STARBOX_BACKUP_KEY_FILE: keyFile,
    STARBOX_OFFLINE: "1",
  };
  box = await startBox({ dataDir: path.join(folder, "one"), env });
  await box.ready();
  const person = { name: "Ada", email: "ada@example.org", password: "a long password" };
  expect((await call(box, "POST", "/api/setup", { ...person, code: box.setupCode })).status).toBe(201);
  await call(box, "POST", "/api/bases", { name: "制度" });
  await call(box, "PUT", `/api/bases/${encodeURIComponent("制度")}/files?path=a.md`, "# 值班\n\n第一条 值班电话为 8100。\n");
  const samples = fs.readdirSync(path.join(root, "samples")).filter((name) => /劳动合同法|年休假/.test(name));
  expect(samples.length).toBeGreaterThanOrEqual(2);
  await call(box, "POST", "/api/bases", { name: "示例法规" });
  for (const name of samples)
    await fetch(`${box.url}/api/bases/${encodeURIComponent("示例法规")}/files?path=${encodeURIComponent(name)}`, {
      method: "PUT",
      headers: { authorization: `Bearer ${box.token}` },
      body: new Uint8Array(fs.readFileSync(path.join(root, "samples", name))),
    });
  const on = box;
  for (const name of ["制度", "示例法规"])
    await waitFor(180_000, async () => {
      const { pending, chunks, embedded } = (await (await call(on, "GET", `/api/bases/${encodeURIComponent(name)}`)).json()) as KnowledgeBaseInfo;
      return pending === 0 && chunks > 0 && embedded === chunks ? true : null;
    });
  const before = await answers(box);
  const chain = (await (await call(box, "GET", "/api/audit/status")).json()) as { rows: number; fingerprint: string };
  expect(chain.rows).toBeGreaterThan(3);
  expect(before.map(({ refused }) => refused)).toEqual([false, false, false, true]);
  expect((await call(box, "POST", "/api/backups", {})).status).toBe(201);
  await box.stop();

  const two = path.join(folder, "two");
  const restored = spawnSync(
    process.execPath,
    [
      "--conditions=starbox-source",
      path.join(root, "src/app/main.ts"),
      "restore",
      path.join(folder, "backups"),
      "--key-file",
      keyFile,
      "--data",
      two,
      "--json",
    ],
    { encoding: "utf8", env: { PATH: process.env["PATH"] ?? "", HOME: folder } },
  );
  expect(restored.status, restored.stderr).toBe(0);
  expect(JSON.parse(restored.stdout)).toMatchObject({ encrypted: true, setAside: null });
  fs.rmSync(path.join(folder, "one"), { recursive: true });
  box = await startBox({ dataDir: two, env: { ...env, STARBOX_MODEL_FOLDER: testModelFolder() } });
  await box.ready();
  expect(await answers(box)).toEqual(before);
  // The audit log goes on: the same signing key, the chain whole from before the backup to now.
  const verified = (await (await call(box, "POST", "/api/audit/verify", {})).json()) as { ok: boolean; rows: number };
  expect(verified).toMatchObject({ ok: true });
  expect(verified.rows).toBeGreaterThan(chain.rows);
  expect(((await (await call(box, "GET", "/api/audit/status")).json()) as typeof chain).fingerprint).toBe(chain.fingerprint);
  const signIn = await fetch(`${box.url}/api/auth/sign-in/email`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ email: person.email, password: person.password }),
  });
  expect(signIn.status).toBe(200);
});
