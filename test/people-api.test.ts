/** @file Routes of people, teams, invitations and permissions, and seeing the box as somebody else: 401, 400, 403, 404, then success. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { AuditEvent } from "#contracts";
import { createApp } from "../src/server/app.ts";
import { platformOver, scriptedServices, silentLogger, temporaryPlatform, testSettings } from "./scripted-services.ts";

const trail: AuditEvent[] = [];
const { storage, folder, close } = temporaryPlatform();
const { platform, people } = platformOver(storage, folder, { audit: { record: (event) => void trail.push(event) } });
const services = scriptedServices({
  knowledge: {
    listBases: async (actor) => (actor.viewedBy === undefined ? [] : []),
    readBase: async (actor) => ({ name: actor.name, viewed: actor.viewedBy?.name ?? null }) as never,
  },
});
const closing = new AbortController();
const app = createApp({
  services: { ...services, people },
  platform,
  settings: testSettings,
  logger: silentLogger,
  consoleFolder: null,
  version: "1",
  closing: closing.signal,
});
const operator = { personId: null, name: "operator", role: "operator" } as const;
let adminKey = "";
let memberKey = "";
let memberId = "";
let kbId = "";

async function call(method: string, url: string, options: { key?: string | null; json?: unknown; headers?: Record<string, string> } = {}) {
  const headers: Record<string, string> = { host: "box.lan:8480", ...options.headers };
  if (options.key !== null) headers["authorization"] = `Bearer ${options.key ?? adminKey}`;
  if (options.json !== undefined) headers["content-type"] = "application/json";
  const response = await app.request(
    `http://box.lan:8480${url}`,
    { method, headers, ...(options.json === undefined ? {} : { body: JSON.stringify(options.json) }) },
    { incoming: { socket: { remoteAddress: "10.0.0.9" } } } as never,
  );
  const text = await response.text();
  const value = (text === "" ? {} : JSON.parse(text)) as Record<string, unknown> & { error?: { code: string }; items?: Record<string, unknown>[] };
  return { status: response.status, value };
}

beforeAll(async () => {
  const ada = await people.createPerson(operator, { name: "Ada", email: "ada@example.org", password: "a long password", role: "administrator" });
  const bob = await people.createPerson(operator, { name: "Bob", email: "bob@example.org", password: "a long password", role: "member" });
  memberId = bob.id;
  adminKey = (await platform.keys.create({ personId: ada.id, name: "Ada", role: "administrator" }, { name: "a" })).key;
  memberKey = (await platform.keys.create({ personId: bob.id, name: "Bob", role: "member" }, { name: "b" })).key;
  const at = new Date().toISOString();
  kbId = "kb_1";
  storage.kbs.insert({ id: kbId, name: "制度", description: "", embedder: null, createdAt: at, updatedAt: at });
});
afterAll(() => {
  closing.abort();
  close();
});

test.each([
  ["POST", "/api/invitations", { email: "x@example.org" }, { email: "x" }],
  ["POST", "/api/teams", { name: "T" }, {}],
  ["PATCH", "/api/teams/nope", { name: "T" }, { name: "" }],
  ["DELETE", "/api/teams/nope", undefined, undefined],
  ["DELETE", "/api/invitations/nope", undefined, undefined],
  ["POST", "/api/people/nope/reset", undefined, undefined],
  ["GET", "/api/directory", undefined, undefined],
])("%s %s is for administrators", async (method, url, json, bad) => {
  expect((await call(method, url, { key: null, json })).status).toBe(401);
  if (bad !== undefined) expect((await call(method, url, { json: bad })).status).toBe(400);
  expect((await call(method, url, { key: memberKey, json })).status).toBe(403);
});

test("teams: a tree without circles; what is not there is 404", async () => {
  const top = (await call("POST", "/api/teams", { json: { name: "公司" } })).value as { id: string };
  const below = (await call("POST", "/api/teams", { json: { name: "人事", parentId: top.id } })).value as { id: string };
  expect((await call("POST", "/api/teams", { json: { name: "x", parentId: "nope" } })).status).toBe(404);
  expect((await call("PATCH", `/api/teams/${top.id}`, { json: { parentId: below.id } })).value.error?.code).toBe("conflict");
  expect((await call("PATCH", `/api/teams/${below.id}`, { json: { memberIds: ["nope"] } })).status).toBe(404);
  expect((await call("PATCH", `/api/teams/${below.id}`, { json: { memberIds: [memberId] } })).value).toMatchObject({ memberIds: [memberId] });
  expect((await call("GET", "/api/people")).value.items?.find((item) => item["id"] === memberId)).toMatchObject({ teamIds: [below.id] });
  expect((await call("DELETE", `/api/teams/${top.id}`)).status).toBe(204);
  expect((await call("GET", "/api/teams")).value.items).toEqual([]);
});

test("permissions: seen and changed by those who manage; a base one may not read does not exist", async () => {
  const url = `/api/bases/${kbId}/access`;
  const hidden = await call("GET", url, { key: memberKey });
  const missing = await call("GET", "/api/bases/kb_nobody/access", { key: memberKey });
  expect([hidden.status, JSON.stringify(hidden.value).replaceAll(kbId, "ID")]).toEqual([
    404,
    JSON.stringify(missing.value).replaceAll("kb_nobody", "ID"),
  ]);
  const entries = [{ principal: { kind: "person", id: memberId }, level: "read" }];
  expect((await call("PUT", url, { json: { entries: [{ principal: { kind: "team", id: "nope" }, level: "read" }] } })).status).toBe(404);
  expect((await call("PUT", url, { json: { entries: [{ principal: { kind: "person", id: memberId }, level: "own" }] } })).status).toBe(400);
  expect((await call("PUT", url, { json: { path: "../x", entries } })).value.error?.code).toBe("path_unsafe");
  expect((await call("PUT", url, { json: { path: "人事", entries: [{ principal: { kind: "everyone" }, level: "manage" }] } })).status).toBe(400);
  expect((await call("PUT", url, { json: { entries } })).value).toMatchObject({ path: "", entries: [{ name: "Bob", level: "read" }] });
  expect((await call("PUT", url, { key: memberKey, json: { entries } })).value.error?.code).toBe("forbidden");
  expect((await call("PUT", url, { json: { path: "/人事/薪酬/", entries: [] } })).value).toEqual({ path: "人事/薪酬", entries: [] });
  expect((await call("GET", url)).value.items?.map((item) => item["path"])).toEqual(["", "人事/薪酬"]);
  expect((await call("DELETE", `${url}?path=${encodeURIComponent("人事/薪酬")}`)).status).toBe(204);
  expect((await call("DELETE", `${url}?path=${encodeURIComponent("人事/薪酬")}`)).status).toBe(404);
  expect(trail.map((event) => event.action)).toContain("access.share");
});

test("invitations: seen, withdrawn; an e-mail that is here already is refused", async () => {
  expect((await call("POST", "/api/invitations", { json: { email: "Bob@example.org" } })).value.error?.code).toBe("conflict");
  const made = (await call("POST", "/api/invitations", { json: { email: "new@example.org", role: "editor" } })).value as {
    id: string;
    token: string;
  };
  expect(made.token).toMatch(/^[0-9a-z]{40}$/);
  expect(JSON.stringify((await call("GET", "/api/invitations")).value)).not.toContain(made.token);
  expect((await call("DELETE", `/api/invitations/${made.id}`)).status).toBe(204);
  expect((await call("DELETE", `/api/invitations/${made.id}`)).status).toBe(404);
  expect((await call("POST", "/api/invitations", { json: { email: "x@example.org", role: "api-only" } })).status).toBe(400);
});

test("only the machine's operator resets; sessions and second factors are for those who are signed in", async () => {
  expect((await call("POST", "/api/people/bob@example.org/reset")).value.error?.code).toBe("forbidden");
  for (const [method, url, json] of [
    ["GET", "/api/sessions", undefined],
    ["DELETE", "/api/sessions", undefined],
    ["POST", "/api/second-factor", undefined],
    ["POST", "/api/second-factor/confirm", { code: "123456" }],
  ] as const) {
    expect((await call(method, url, { key: null, json })).status).toBe(401);
    expect((await call(method, url, { key: memberKey, json })).value.error?.code).toBe("forbidden");
  }
  expect((await call("GET", `/api/sessions?person=${memberId}`)).value).toEqual({ items: [] });
});

test("seen as somebody else: their role and name, reading only, no chats, in the trail; members cannot", async () => {
  const as = { "x-starbox-view-as": memberId };
  expect((await call("GET", "/api/session", { headers: as })).value).toMatchObject({
    actor: { name: "Bob", role: "member", viewedBy: { name: "Ada" } },
  });
  expect((await call("GET", "/api/bases/x", { headers: as })).status).not.toBe(403);
  for (const [method, url, json] of [
    ["GET", "/api/chats", undefined],
    ["GET", "/api/keys", undefined],
    ["GET", "/api/people", undefined],
    ["GET", "/api/jobs", undefined],
    ["POST", "/api/bases", { name: "x" }],
    ["DELETE", "/api/bases/x", undefined],
    ["PUT", `/api/bases/${kbId}/access`, { entries: [] }],
    ["PATCH", `/api/people/${memberId}`, { password: "taken over" }],
    ["POST", "/v1/chat/completions", { model: "m", messages: [{ role: "user", content: "q" }] }],
  ] as const)
    expect([url, (await call(method, url, { headers: as, json })).status]).toEqual([url, 403]);
  expect((await call("GET", "/api/bases", { key: memberKey, headers: as })).status).toBe(403);
  expect((await call("GET", "/api/bases", { headers: { "x-starbox-view-as": "nope" } })).status).toBe(404);
  expect(trail.filter((event) => event.action === "view-as.look")).toMatchObject([
    { actor: { name: "Ada" }, subject: { id: memberId }, outcome: "ok" },
  ]);
});
