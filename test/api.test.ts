import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createServer } from "#server";
import { createApp } from "../src/server/app.ts";
import { asked, folder, services, uploads } from "./api-services.ts";
import { rows } from "./api-table.ts";
import { silentLogger, temporaryPlatform, testSettings } from "./scripted-services.ts";

const { platform, people, close } = temporaryPlatform();
const closing = new AbortController();
const consoleFolder = mkdtempSync(path.join(os.tmpdir(), "starbox-console-"));
writeFileSync(path.join(consoleFolder, "index.html"), "<!doctype html><title>Starbox</title>");
const parts = {
  services: { ...services, people, keys: platform.keys },
  platform,
  settings: testSettings,
  logger: silentLogger,
  consoleFolder,
  version: "9.9.9",
  closing: closing.signal,
};
const app = createApp(parts);
let adminKey = "";
let memberKey = "";
let cookie = "";

const fromLan = { incoming: { socket: { remoteAddress: "10.0.0.9" } } } as never;
const fromHere = { incoming: { socket: { remoteAddress: "127.0.0.1" } } } as never;

async function call(
  method: string,
  url: string,
  options: { key?: string | null; json?: unknown; headers?: Record<string, string>; body?: string; env?: never } = {},
) {
  const headers: Record<string, string> = { host: "box.lan:8480", ...options.headers };
  if (options.key !== null) headers.authorization ??= `Bearer ${options.key ?? adminKey}`;
  const json = options.json === undefined ? undefined : JSON.stringify(options.json);
  if (json !== undefined) headers["content-type"] = "application/json";
  const body = json ?? options.body;
  const response = await app.request(
    `http://box.lan:8480${url}`,
    { method, headers, ...(body === undefined ? {} : { body }) },
    options.env ?? fromLan,
  );
  const text = await response.text();
  let value: unknown = text;
  if ((response.headers.get("content-type") ?? "").includes("json")) value = JSON.parse(text);
  return {
    status: response.status,
    headers: response.headers,
    text,
    value: value as Record<string, never> & { error?: { code: string; message: string; hint?: string; zh?: { message: string } } },
  };
}

beforeAll(async () => {
  expect((await call("GET", "/api/session", { key: null })).value).toEqual({ actor: null, setupRequired: true, email: null });
  const wrong = await call("POST", "/api/setup", {
    key: null,
    json: { code: "AAAA-BBBB-CCCC", name: "Ada", email: "ada@example.org", password: "a long password" },
  });
  expect([wrong.status, wrong.value.error?.code]).toEqual([403, "setup_code_wrong"]);
  const done = await call("POST", "/api/setup", {
    key: null,
    json: { code: platform.setupCode(), name: "Ada", email: "ada@example.org", password: "a long password" },
  });
  expect([done.status, done.value]).toMatchObject([201, { actor: { name: "Ada", role: "administrator" }, setupRequired: false }]);
  cookie = done.headers
    .getSetCookie()
    .map((line) => line.split(";")[0])
    .join("; ");
  const ada = (await platform.identify({ authorization: null, cookie, address: "10.0.0.9", loopback: false, userAgent: null }))?.actor;
  if (ada === undefined) throw new Error("no session");
  adminKey = (await platform.keys.create(ada, { name: "admin" })).key;
  const bob = await people.createPerson(ada, { name: "Bob", email: "bob@example.org", password: "12345678", role: "member" });
  memberKey = (await platform.keys.create({ personId: bob.id, name: "Bob", role: "member" }, { name: "member" })).key;
});
afterAll(() => {
  closing.abort();
  close();
  for (const each of [folder, consoleFolder]) rmSync(each, { recursive: true, force: true });
});

describe.each(rows)("$route", (row) => {
  const split = (route: string): [string, string] => route.split(" ", 2) as [string, string];
  const body = row.json === undefined ? {} : { json: row.json };

  test("401, 400, 403, 404, success", async () => {
    const [method, route] = split(row.route);
    const anonymous = await call(method, route, { key: null, ...body });
    expect([anonymous.status, anonymous.value.error?.code]).toEqual([401, "unauthorized"]);
    expect(anonymous.headers.get("www-authenticate")).toBe("Bearer");
    if (row.bad !== undefined) {
      const bad = await call(method, route, { json: row.bad });
      expect([bad.status, bad.value.error?.code]).toEqual([400, "invalid_input"]);
      expect(bad.value.error?.zh?.message).toMatch(/\p{Script=Han}/u);
    }
    if (row.admin) {
      const member = await call(method, route, { key: memberKey, ...body });
      expect([member.status, member.value.error?.code]).toEqual([403, "forbidden"]);
    }
    if (row.missing !== undefined) {
      const [, other] = split(row.missing);
      const nowhere = await call(method, other, body);
      expect(nowhere.status).toBe(404);
      expect(nowhere.value.error?.hint).toBeTruthy();
    }
    const key = route.includes("/KEY") ? ((await call("POST", "/api/keys", { json: { name: "t" } })).value as unknown as { id: string }).id : "";
    const good = await call(method, route.replace("KEY", key), {
      ...body,
      ...(row.admin ? {} : { key: route.includes("KEY") ? adminKey : memberKey }),
    });
    expect(good.status, good.text).toBe(row.ok);
  });
});

test("every route of the description is in the table above or has its own test", async () => {
  const document = (await call("GET", "/api/openapi.json", { key: null })).value as unknown as {
    openapi: string;
    paths: Record<string, Record<string, { operationId: string; responses: Record<string, unknown> }>>;
  };
  expect(document.openapi).toBe("3.1.0");
  const own = [
    "GET /api/session",
    "POST /api/setup",
    "POST /api/auth/sign-in/email",
    "POST /api/auth/sign-out",
    "GET /api/events",
    "GET /api/p/{}",
    "POST /api/p/{}/ask",
    "PUT /api/bases/{}/files",
    "POST /api/bases/{}/files",
    "PATCH /api/people/{}",
    // test/people-api.test.ts
    "POST /api/people/{}/reset",
    "POST /api/invitations",
    "DELETE /api/invitations/{}",
    "POST /api/invitation",
    "POST /api/invitation/accept",
    "POST /api/teams",
    "PATCH /api/teams/{}",
    "DELETE /api/teams/{}",
    "GET /api/bases/{}/access",
    "PUT /api/bases/{}/access",
    "DELETE /api/bases/{}/access",
    "GET /api/sessions",
    "DELETE /api/sessions",
    "DELETE /api/sessions/{}",
    "POST /api/account/password", // test/sign-in.test.ts
    "POST /api/second-factor",
    "POST /api/second-factor/confirm",
    "POST /api/second-factor/remove",
    "GET /api/auth/ways",
    "GET /api/auth/oidc/start",
    "GET /api/auth/oidc/callback",
    "DELETE /api/people/{}",
  ];
  const normal = (route: string) =>
    route.replace(/\?.*/, "").replace(/\/(kb_1|doc_1|cur_1|gap_1|chat_1|turn_2|ans_1|job_1|backup_1|page_1|hold_1|ada|tiny|KEY|7)(?=\/|$)/g, "/{}");
  const known = new Set([...own, ...rows.map((row) => normal(row.route))]);
  const ids = new Set<string>();
  let count = 0;
  for (const [route, item] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(item)) {
      expect(known, `${method} ${route}`).toContain(`${method.toUpperCase()} ${route.replace(/\{\w+\}/g, "{}")}`);
      expect(ids).not.toContain(operation.operationId);
      ids.add(operation.operationId);
      count++;
    }
  }
  expect(count).toBe(known.size);
  const page = await call("GET", "/api/docs", { key: null });
  expect(page.text).toContain("/api/bases/{id}/search");
  expect(page.text).not.toContain("<script");
});

test("uploads: raw bytes and forms are streamed; unsafe paths and large files are refused by name", async () => {
  uploads.length = 0;
  const put = await call("PUT", `/api/bases/kb_1/files?path=${encodeURIComponent("法规/a b.md")}`, { body: "正文" });
  expect([put.status, put.value]).toEqual([201, { path: "法规/a b.md", documentId: "doc_1", changed: true }]);
  expect(uploads).toEqual([{ path: "法规/a b.md", text: "正文" }]);
  for (const bad of ["../x.md", "/etc/passwd", "a/../../b", "a//b", "C:\\x", "a\u0000b"]) {
    const refused = await call("PUT", `/api/bases/kb_1/files?path=${encodeURIComponent(bad)}`, { body: "x" });
    expect([refused.status, refused.value.error?.code]).toEqual([400, "path_unsafe"]);
  }
  const large = await call("PUT", "/api/bases/kb_1/files?path=x", { body: "x".repeat((1 << 20) + 1) });
  expect([large.status, large.value.error?.code]).toEqual([413, "document_too_large"]);
  expect((await call("PUT", "/api/bases/nope/files?path=x", { body: "x" })).status).toBe(404);
  expect((await call("PUT", "/api/bases/kb_1/files", { body: "x" })).status).toBe(400);
  expect((await call("PUT", "/api/bases/kb_1/files?path=x", { key: null, body: "x" })).status).toBe(401);

  uploads.length = 0;
  const form = new FormData();
  form.append("file", new File(["一"], "目录/一.txt"));
  form.append("file", new File(["x".repeat((1 << 20) + 10)], "big.txt"));
  form.append("file", new File(["二"], "../二.txt"));
  form.append("note", "ignored");
  form.append("file", new File(["三"], "三.txt"));
  const response = await app.request(
    "http://box.lan:8480/api/bases/kb_1/files",
    { method: "POST", body: form, headers: { authorization: `Bearer ${adminKey}`, host: "box.lan:8480" } },
    fromLan,
  );
  const result = (await response.json()) as { items: { path: string; documentId?: string; error?: { code: string } }[] };
  expect(response.status).toBe(201);
  expect(result.items.map((item) => [item.path, item.error?.code ?? item.documentId])).toEqual([
    ["目录/一.txt", "doc_1"],
    ["big.txt", "document_too_large"],
    ["../二.txt", "path_unsafe"],
    ["三.txt", "doc_1"],
  ]);
  expect(uploads.map((item) => item.path)).toEqual(["目录/一.txt", "三.txt"]);
  expect((await call("POST", "/api/bases/kb_1/files", { body: "x" })).status).toBe(400);
});

test("originals come as downloads no browser runs, in ranges too", async () => {
  const whole = await call("GET", "/api/documents/doc_1/original");
  expect(whole.text).toBe("0123456789");
  expect(whole.headers.get("content-type")).toBe("application/octet-stream");
  expect(whole.headers.get("content-disposition")).toBe(
    `attachment; filename="___.html"; filename*=UTF-8''%E5%8A%B3%E5%8A%A8%22%E6%B3%95.html`.replace("___", "__" + "__"),
  );
  expect(whole.headers.get("content-security-policy")).toContain("sandbox");
  expect(whole.headers.get("x-content-type-options")).toBe("nosniff");
  const part = await call("GET", "/api/documents/doc_1/original", { headers: { range: "bytes=2-4" } });
  expect([part.status, part.text, part.headers.get("content-range")]).toEqual([206, "234", "bytes 2-4/10"]);
  expect((await call("GET", "/api/documents/doc_1/original", { headers: { range: "bytes=50-" } })).status).toBe(416);
});

test("asking streams its parts, fails by name in the stream, and stops when the reader leaves", async () => {
  const good = await call("POST", "/api/chats/chat_1/ask", { json: { content: "q" } });
  expect(good.headers.get("content-type")).toContain("text/event-stream");
  expect(
    good.text
      .split("\n\n")
      .filter(Boolean)
      .map((line) => (JSON.parse(line.slice(6)) as { type: string }).type),
  ).toEqual(["turn-start", "text-delta", "finish"]);
  const broken = await call("POST", "/api/chats/chat_1/ask", { json: { content: "break" } });
  expect(JSON.parse(broken.text.trim().split("\n\n").at(-1)?.slice(6) ?? "")).toEqual({
    type: "error",
    error: { code: "engine_crashed", message: "The engine died.", hint: "Try again." },
  });
  const response = await app.request(
    "http://box.lan:8480/api/chats/chat_1/ask",
    {
      method: "POST",
      body: JSON.stringify({ content: "wait" }),
      headers: { authorization: `Bearer ${adminKey}`, "content-type": "application/json" },
    },
    fromLan,
  );
  const reader = response.body?.getReader();
  await reader?.read();
  await reader?.cancel();
  expect(asked.signal?.aborted).toBe(true);
  const streamed = await call("POST", "/api/ask", { json: { kbs: ["法规"], question: "q" }, headers: { accept: "text/event-stream" } });
  expect(streamed.text).toContain('"type":"finish"');
});

test("sign-in, sign-out, CSRF", async () => {
  const own = { origin: "http://box.lan:8480" };
  expect((await call("GET", "/api/session", { key: null, headers: { cookie } })).value).toMatchObject({
    actor: { name: "Ada" },
    email: "ada@example.org",
  });
  expect((await call("POST", "/api/bases", { key: null, headers: { cookie, ...own }, json: { name: "x" } })).status).toBe(201);
  for (const headers of [
    { origin: "http://evil.example" },
    { origin: "null" },
    { origin: "http://box.lan:9999" },
    {},
    { "sec-fetch-site": "cross-site" },
  ]) {
    const refused = await call("POST", "/api/bases", { key: null, headers: { cookie, ...headers }, json: { name: "x" } });
    expect([refused.status, refused.value.error?.code]).toEqual([403, "csrf_failed"]);
  }
  const other = await call("POST", "/api/auth/sign-in/email", {
    key: null,
    headers: { origin: "http://evil.example" },
    json: { email: "ada@example.org", password: "a long password" },
  });
  expect(other.status).toBe(403);
  const plain = await call("POST", "/api/bases", { body: '{"name":"x"}', headers: { "content-type": "text/plain" } });
  expect(plain.status).toBe(400);

  const wrong = await call("POST", "/api/auth/sign-in/email", { key: null, json: { email: "ada@example.org", password: "wrong" } });
  expect([wrong.status, wrong.value.error?.code]).toEqual([401, "unauthorized"]);
  const again = await call("POST", "/api/auth/sign-in/email", {
    key: null,
    headers: own,
    json: { email: "ada@example.org", password: "a long password" },
  });
  const session = again.headers
    .getSetCookie()
    .map((line) => line.split(";")[0])
    .join("; ");
  expect(again.status).toBe(200);
  expect((await call("POST", "/api/auth/sign-out", { key: null, headers: { cookie: session, ...own }, json: {} })).status).toBe(204);
  expect((await call("GET", "/api/bases", { key: null, headers: { cookie: session } })).status).toBe(401);
  expect((await call("POST", "/api/setup", { key: null, json: { code: "x", name: "M", email: "m@example.org", password: "12345678" } })).status).toBe(
    409,
  );
});

test("a forged X-Forwarded-For does not dodge the limit", async () => {
  const attempt = async (i: number) =>
    await call("POST", "/api/auth/sign-in/email", {
      key: null,
      headers: { "x-forwarded-for": `1.2.3.${i}`, "x-starbox-address": `1.2.3.${i}` },
      json: { email: `nobody${i}@example.org`, password: "wrong" },
      env: { incoming: { socket: { remoteAddress: "10.0.0.66" } } } as never,
    });
  for (let i = 0; i < 10; i++) expect((await attempt(i)).status).toBe(401);
  const last = await attempt(11);
  expect([last.status, last.value.error?.code]).toEqual([429, "busy"]);
  expect(Number(last.headers.get("retry-after"))).toBeGreaterThan(0);
});

test("people: change and remove", async () => {
  const person = (await call("POST", "/api/people", { json: { name: "Cy", email: "cy@example.org", password: "12345678" } })).value as unknown as {
    id: string;
  };
  expect((await call("PATCH", `/api/people/${person.id}`, { key: memberKey, json: { role: "administrator" } })).status).toBe(403);
  expect((await call("PATCH", `/api/people/${person.id}`, { json: { role: "administrator", name: "Cyd" } })).value).toMatchObject({
    name: "Cyd",
    role: "administrator",
  });
  expect((await call("PATCH", "/api/people/nope", { json: { name: "x" } })).status).toBe(404);
  expect((await call("DELETE", `/api/people/${person.id}`, { key: memberKey })).status).toBe(403);
  expect((await call("DELETE", `/api/people/${person.id}`)).status).toBe(204);
  expect((await call("DELETE", `/api/people/${person.id}`)).status).toBe(404);
});

test("health, readiness, metrics", async () => {
  expect((await call("GET", "/healthz", { key: null })).value).toEqual({ status: "ok" });
  const ready = await call("GET", "/readyz", { key: null });
  expect([ready.status, ready.value]).toEqual([503, { ready: false, missing: [{ what: "embedder", detail: "pulling", etaSeconds: 3 }] }]);
  expect((await call("GET", "/metrics", { key: null })).status).toBe(401);
  expect((await call("GET", "/metrics", { key: memberKey })).status).toBe(403);
  expect((await call("GET", "/metrics")).text).toContain("starbox_uptime_seconds");
  const local = { host: "127.0.0.1:8480" };
  expect((await call("GET", "/metrics", { key: null, env: fromHere, headers: local })).status).toBe(200);
  expect((await call("GET", "/metrics", { key: null, env: fromHere, headers: { ...local, "x-forwarded-for": "10.0.0.9" } })).status).toBe(401);
  expect((await call("GET", "/metrics", { key: null, env: fromHere, headers: { host: "evil.example" } })).status).toBe(401);
});

test("pages: index for addresses of the app, headers, 304, unknown routes named", async () => {
  const page = await call("GET", "/chat/some-id", { key: null, headers: { accept: "text/html" } });
  expect([page.status, page.text]).toEqual([200, "<!doctype html><title>Starbox</title>"]);
  expect(page.headers.get("content-security-policy")).toContain("script-src 'self'");
  expect(page.headers.get("content-security-policy")).not.toContain("unsafe-inline");
  const again = await call("GET", "/", { key: null, headers: { "if-none-match": page.headers.get("etag") ?? "" } });
  expect(again.status).toBe(304);
  expect((await call("GET", "/..%2f..%2fetc/passwd", { key: null })).status).toBe(404);
  expect((await call("GET", "/api/nothing")).value.error?.code).toBe("not_found");
  expect((await call("GET", "/api/nothing", { key: null })).status).toBe(401);
  const list = await call("GET", "/api/bases");
  expect((await call("GET", "/api/bases", { headers: { "if-none-match": list.headers.get("etag") ?? "none" } })).status).toBe(304);
});

test("over a real socket: events, an upload cut off, slow heads, port in use, an orderly end", async () => {
  const server = createServer(services, platform, testSettings, silentLogger);
  const url = await server.listen();
  await expect(createServer(services, platform, { ...testSettings, port: Number(new URL(url).port) }, silentLogger).listen()).rejects.toMatchObject({
    code: "port_in_use",
  });
  const events = await fetch(`${url}/api/events`, { headers: { authorization: `Bearer ${adminKey}` } });
  const reader = events.body?.getReader();
  const first = new TextDecoder().decode((await reader?.read())?.value);
  expect(first).toContain("event: jobs\ndata: {");

  uploads.length = 0;
  await new Promise<void>((resolve) => {
    const request = http.request(`${url}/api/bases/kb_1/files?path=cut.md`, {
      method: "PUT",
      headers: { authorization: `Bearer ${adminKey}`, "content-length": "1000" },
    });
    request.on("error", () => undefined);
    request.on("close", () => resolve());
    request.write("only a part");
    setTimeout(() => request.destroy(), 100);
  });
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(uploads).toEqual([]);

  const raw = net.connect(Number(new URL(url).port), "127.0.0.1");
  raw.on("error", () => undefined);
  raw.write("GET /healthz HTTP/1.1\r\nHost: x\r\n");
  const closed = new Promise<void>((resolve) => raw.on("close", () => resolve()));
  await server.close();
  await closed;
  await expect(fetch(`${url}/healthz`)).rejects.toThrow();
});
