import { Readable } from "node:stream";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newId, StarboxError } from "#base";
import type { AnswerPart, ChatPart, ChatTurn, DocumentInfo, KnowledgeBaseInfo, RetrieveResult } from "#contracts";
import { createServer } from "#server";
import { createApp } from "../src/server/app.ts";
import { scriptedServices, silentLogger, temporaryPlatform, testSettings } from "./scripted-services.ts";

const at = "2026-01-01T00:00:00.000Z";
const base: KnowledgeBaseInfo = { id: "kb_1", name: "法规", description: "", embedder: null, documents: 1, chunks: 2, pending: 0, failed: 0, embedded: 0, etaSeconds: null, sizeBytes: 10, createdAt: at, updatedAt: at };
const doc: DocumentInfo = { id: "doc_1", kbId: "kb_1", path: "a/b.md", title: "b", type: "md", state: "words", pages: null, scannedPages: [], chunks: 2, embedded: 0, sizeBytes: 10, sha256: "x", version: 1, date: null, edition: null, tags: [], warnings: [], error: null, createdAt: at, updatedAt: at };
const chunk = { id: 7, ordinal: 0, start: 0, end: 5, page: null, context: [], label: null, text: "第一条", edited: false, embedded: false };
const found: RetrieveResult = { query: "q", hits: [], ms: { embed: 0, lexical: 1, dense: 0, fuse: 0, total: 1 }, mode: "words" };
const curated = { id: "cur_1", kbId: "kb_1", question: "q", answer: "a", createdBy: "Ada", updatedAt: at };
const chat = { id: "chat_1", title: "", kbIds: [], model: null, createdAt: at, updatedAt: at };
const turn: ChatTurn = { id: "turn_2", parentId: "turn_1", role: "assistant", content: "好", citations: [], refused: false, nearest: [], rating: null, correction: null, model: null, error: null, createdAt: at };
const model = { id: "tiny", kind: "language", state: "ready", sizeBytes: 1, sha256: null, memoryBytes: null, sources: [], engine: "e", licence: "MIT", languages: ["en"], quantisation: null, contextTokens: 10, isDefault: true } as const;
const answer = { question: "q", query: "q", text: "a [1]", refused: false, citations: [], origin: "extracted", confidence: 1, usage: { promptTokens: 1, completionTokens: 1 }, ms: { retrieve: 1, firstToken: 1, total: 1 }, lineage: { model: null, adapter: null, promptVersion: "1", passages: [] } } as const;
const job = { id: "job_1", kind: "ingest", subject: "a.md", kbId: "kb_1", state: "running", progress: { done: 1, total: 2, unit: "pages", etaSeconds: 3 }, attempts: 1, error: null, createdAt: at, updatedAt: at } as const;

const missing = (code: "kb_not_found" | "document_not_found" | "not_found" | "model_not_found") => new StarboxError(code, "not there", { hint: "look elsewhere", zh: { message: "没有" } });
const gone = (id: unknown, code: Parameters<typeof missing>[0]): void => {
  if (id === "nope" || id === 404) throw missing(code);
};
const folder = mkdtempSync(path.join(os.tmpdir(), "starbox-api-"));
const original = path.join(folder, "original");
writeFileSync(original, "0123456789");
const uploads: { path: string; text: string }[] = [];

async function readAll(stream: ReadableStream<Uint8Array>): Promise<string> {
  let text = "";
  for await (const piece of Readable.fromWeb(stream as Parameters<typeof Readable.fromWeb>[0])) text += Buffer.from(piece as Uint8Array).toString("utf8");
  return text;
}

let asked: AbortSignal | undefined;
const services = scriptedServices({
  knowledge: {
    listBases: async () => [base],
    readBase: async (_, id) => (gone(id, "kb_not_found"), base),
    createBase: async (_, input) => ({ ...base, ...input }),
    updateBase: async (_, __, patch) => ({ ...base, ...patch }),
    removeBase: async () => undefined,
    addFile: async (_, __, file) => {
      if (!("stream" in file.content)) throw new Error("expected a stream");
      uploads.push({ path: file.path, text: await readAll(file.content.stream) });
      return { path: file.path, documentId: "doc_1", changed: true };
    },
    listDocuments: async () => ({ items: [doc], nextCursor: null }),
    readDocument: async (_, id) => (gone(id, "document_not_found"), doc),
    updateDocument: async (_, id, patch) => (gone(id, "document_not_found"), { ...doc, ...(patch.title === undefined ? {} : { title: patch.title }) }),
    removeDocument: async (_, id) => gone(id, "document_not_found"),
    retryDocument: async (_, id) => gone(id, "document_not_found"),
    readText: async (_, id) => (gone(id, "document_not_found"), { versionId: "v1", text: "第一条", blocks: [{ kind: "paragraph", start: 0, end: 3, page: null }], pages: null }),
    openOriginal: async (_, id) => (gone(id, "document_not_found"), { filePath: original, type: "text/html", name: '劳动"法.html', sizeBytes: 10 }),
    listChunks: async (_, id) => (gone(id, "document_not_found"), [chunk]),
    updateChunk: async (_, id) => (gone(id, "not_found"), chunk),
    splitChunk: async (_, id) => (gone(id, "not_found"), [chunk, chunk]),
    mergeChunk: async (_, id) => (gone(id, "not_found"), chunk),
    search: async () => found,
    readDictionary: async () => ({ words: ["试用期"], synonyms: [["试用期", "见习期"]] }),
    writeDictionary: async () => undefined,
    listCurated: async () => [curated],
    writeCurated: async () => curated,
    removeCurated: async (_, id) => gone(id, "not_found"),
    listGaps: async () => [],
    resolveGap: async (_, id) => gone(id, "not_found"),
    addSamples: async () => base,
  },
  answers: {
    async *answer(): AsyncIterable<AnswerPart> {
      yield { type: "text-delta", text: "a [1]" };
      yield { type: "finish", answer };
    },
    readLineage: async (_, id) => (gone(id, "not_found"), answer),
  },
  chats: {
    listChats: async () => [chat],
    createChat: async () => chat,
    updateChat: async (_, id) => (gone(id, "not_found"), chat),
    removeChat: async (_, id) => gone(id, "not_found"),
    readTurns: async (_, id) => (gone(id, "not_found"), [turn]),
    async *ask(_, id, input): AsyncIterable<ChatPart> {
      gone(id, "not_found");
      asked = input.signal;
      yield { type: "turn-start", userTurnId: "turn_1", assistantTurnId: "turn_2" };
      if (input.content === "wait") await new Promise<void>((resolve) => input.signal?.addEventListener("abort", () => resolve(), { once: true }));
      if (input.content === "break") throw new StarboxError("engine_crashed", "The engine died.", { hint: "Try again." });
      yield { type: "text-delta", text: "好" };
      yield { type: "finish", turn, title: "t" };
    },
    rateTurn: async (_, id) => gone(id, "not_found"),
    correctTurn: async (_, id) => gone(id, "not_found"),
  },
  models: {
    list: async () => [model],
    pull: async (id) => (gone(id, "model_not_found"), model),
    cancelPull: async (id) => gone(id, "model_not_found"),
    import: async () => model,
    verify: async (id) => (gone(id, "model_not_found"), { id, ok: true, expected: "a", found: "a" }),
    remove: async (id) => gone(id, "model_not_found"),
  },
  system: {
    ready: async () => ({ ready: false, missing: [{ what: "embedder", detail: "pulling", etaSeconds: 3 }] }),
    info: async () => ({ version: "1", commit: null, uptimeSeconds: 1, machine: { cpu: "c", cores: 2, memoryBytes: 1, freeMemoryBytes: 1, platform: "l", gpu: null }, disk: { totalBytes: 1, freeBytes: 1, dataBytes: 1 }, processes: [], queue: [], jobs: { running: 0, queued: 0, failed: 0 }, dataFolder: "/d" }),
    doctor: async () => [{ name: "n", ok: true, found: "f", hint: "" }],
    listJobs: async () => [job],
    cancelJob: async (id) => gone(id, "not_found"),
    retryJob: async (id) => gone(id, "not_found"),
    metrics: async () => "starbox_uptime_seconds 1\n",
  },
});

const { platform, close } = temporaryPlatform();
const closing = new AbortController();
const consoleFolder = mkdtempSync(path.join(os.tmpdir(), "starbox-console-"));
writeFileSync(path.join(consoleFolder, "index.html"), "<!doctype html><title>Starbox</title>");
const parts = { services, platform, settings: testSettings, logger: silentLogger, consoleFolder, version: "9.9.9", closing: closing.signal };
const app = createApp(parts);
let adminKey = "";
let memberKey = "";
let cookie = "";

const fromLan = { incoming: { socket: { remoteAddress: "10.0.0.9" } } } as never;
const fromHere = { incoming: { socket: { remoteAddress: "127.0.0.1" } } } as never;

async function call(method: string, url: string, options: { key?: string | null; json?: unknown; headers?: Record<string, string>; body?: string; env?: never } = {}) {
  const headers: Record<string, string> = { host: "box.lan:8480", ...options.headers };
  if (options.key !== null) headers.authorization ??= `Bearer ${options.key ?? adminKey}`;
  const json = options.json === undefined ? undefined : JSON.stringify(options.json);
  if (json !== undefined) headers["content-type"] = "application/json";
  const body = json ?? options.body;
  const response = await app.request(`http://box.lan:8480${url}`, { method, headers, ...(body === undefined ? {} : { body }) }, options.env ?? fromLan);
  const text = await response.text();
  let value: unknown = text;
  if ((response.headers.get("content-type") ?? "").includes("json")) value = JSON.parse(text);
  return { status: response.status, headers: response.headers, text, value: value as Record<string, never> & { error?: { code: string; message: string; hint?: string; zh?: { message: string } } } };
}

beforeAll(async () => {
  expect((await call("GET", "/api/session", { key: null })).value).toEqual({ actor: null, setupRequired: true, email: null });
  const wrong = await call("POST", "/api/setup", { key: null, json: { code: "AAAA-BBBB-CCCC", name: "Ada", email: "ada@example.org", password: "a long password" } });
  expect([wrong.status, wrong.value.error?.code]).toEqual([403, "setup_code_wrong"]);
  const done = await call("POST", "/api/setup", { key: null, json: { code: platform.setupCode(), name: "Ada", email: "ada@example.org", password: "a long password" } });
  expect([done.status, done.value]).toMatchObject([201, { actor: { name: "Ada", role: "administrator" }, setupRequired: false }]);
  cookie = done.headers.getSetCookie().map((line) => line.split(";")[0]).join("; ");
  const ada = (await platform.identify({ authorization: null, cookie, address: "10.0.0.9", loopback: false, userAgent: null }))?.actor;
  if (ada === undefined) throw new Error("no session");
  adminKey = (await platform.createKey(ada, { name: "admin" })).key;
  const bob = await platform.createPerson(ada, { name: "Bob", email: "bob@example.org", password: "12345678", role: "member" });
  memberKey = (await platform.createKey({ personId: bob.id, name: "Bob", role: "member" }, { name: "member" })).key;
});
afterAll(() => {
  closing.abort();
  close();
  for (const each of [folder, consoleFolder]) rmSync(each, { recursive: true, force: true });
});

/** [method, path with real ids, good body, bad body, status of success, only administrators, path with an id that is not there] */
type Row = { readonly route: string; readonly json?: unknown; readonly bad?: unknown; readonly ok: number; readonly admin?: true; readonly missing?: string };
const rows: readonly Row[] = [
  { route: "GET /api/people", ok: 200, admin: true },
  { route: "POST /api/people", json: { name: "Eve", email: "eve@example.org", password: "12345678" }, bad: { name: "Eve", email: "not an address", password: "12345678" }, ok: 201, admin: true },
  { route: "GET /api/keys", ok: 200 },
  { route: "POST /api/keys", json: { name: "k" }, bad: { name: "" }, ok: 201 },
  { route: "DELETE /api/keys/KEY", ok: 204, missing: "DELETE /api/keys/nope" },
  { route: "GET /api/bases", ok: 200 },
  { route: "POST /api/bases", json: { name: "x" }, bad: { name: "  " }, ok: 201 },
  { route: "GET /api/bases/kb_1", ok: 200, missing: "GET /api/bases/nope" },
  { route: "PATCH /api/bases/kb_1", json: { name: "y" }, bad: { name: 7 }, ok: 200, missing: "PATCH /api/bases/nope" },
  { route: "POST /api/samples", ok: 201 },
  { route: "POST /api/bases/kb_1/search", json: { query: "q", limit: 3, filter: { types: ["md"], dateFrom: "2020-01-01" } }, bad: { query: "q", filter: { dateFrom: "yesterday" } }, ok: 200, missing: "POST /api/bases/nope/search" },
  { route: "GET /api/bases/kb_1/documents?limit=5", ok: 200, missing: "GET /api/bases/nope/documents" },
  { route: "GET /api/bases/kb_1/dictionary", ok: 200, missing: "GET /api/bases/nope/dictionary" },
  { route: "PUT /api/bases/kb_1/dictionary", json: { words: ["a"], synonyms: [] }, bad: { words: "a" }, ok: 204, missing: "PUT /api/bases/nope/dictionary" },
  { route: "GET /api/bases/kb_1/curated", ok: 200, missing: "GET /api/bases/nope/curated" },
  { route: "POST /api/bases/kb_1/curated", json: { question: "q", answer: "a" }, bad: { question: "q" }, ok: 201, missing: "POST /api/bases/nope/curated" },
  { route: "DELETE /api/curated/cur_1", ok: 204, missing: "DELETE /api/curated/nope" },
  { route: "GET /api/bases/kb_1/gaps", ok: 200, missing: "GET /api/bases/nope/gaps" },
  { route: "POST /api/gaps/gap_1/resolve", ok: 204, missing: "POST /api/gaps/nope/resolve" },
  { route: "DELETE /api/bases/kb_1", ok: 204, admin: true, missing: "DELETE /api/bases/nope" },
  { route: "GET /api/documents/doc_1", ok: 200, missing: "GET /api/documents/nope" },
  { route: "PATCH /api/documents/doc_1", json: { title: "t" }, bad: { date: "soon" }, ok: 200, missing: "PATCH /api/documents/nope" },
  { route: "POST /api/documents/doc_1/retry", ok: 204, missing: "POST /api/documents/nope/retry" },
  { route: "GET /api/documents/doc_1/text", ok: 200, missing: "GET /api/documents/nope/text" },
  { route: "GET /api/documents/doc_1/original", ok: 200, missing: "GET /api/documents/nope/original" },
  { route: "GET /api/documents/doc_1/chunks", ok: 200, missing: "GET /api/documents/nope/chunks" },
  { route: "DELETE /api/documents/doc_1", ok: 204, missing: "DELETE /api/documents/nope" },
  { route: "PATCH /api/chunks/7", json: { text: "t" }, bad: {}, ok: 200, missing: "PATCH /api/chunks/404" },
  { route: "POST /api/chunks/7/split", json: { at: 2 }, bad: { at: "2" }, ok: 200, missing: "POST /api/chunks/404/split" },
  { route: "POST /api/chunks/7/merge", ok: 200, missing: "POST /api/chunks/404/merge" },
  { route: "POST /api/ask", json: { kbs: ["法规"], question: "q" }, bad: { kbs: ["法规"] }, ok: 200 },
  { route: "GET /api/answers/ans_1", ok: 200, missing: "GET /api/answers/nope" },
  { route: "GET /api/chats", ok: 200 },
  { route: "POST /api/chats", json: {}, bad: { kbIds: "x" }, ok: 201 },
  { route: "PATCH /api/chats/chat_1", json: { title: "t" }, bad: { title: 1 }, ok: 200, missing: "PATCH /api/chats/nope" },
  { route: "GET /api/chats/chat_1/turns", ok: 200, missing: "GET /api/chats/nope/turns" },
  { route: "POST /api/chats/chat_1/ask", json: { content: "q" }, bad: {}, ok: 200, missing: "POST /api/chats/nope/ask" },
  { route: "DELETE /api/chats/chat_1", ok: 204, missing: "DELETE /api/chats/nope" },
  { route: "PUT /api/turns/turn_2/rating", json: { rating: "up" }, bad: { rating: "great" }, ok: 204, missing: "PUT /api/turns/nope/rating" },
  { route: "PUT /api/turns/turn_2/correction", json: { text: "t" }, bad: { text: "" }, ok: 204, missing: "PUT /api/turns/nope/correction" },
  { route: "GET /api/models", ok: 200 },
  { route: "POST /api/models/import", json: { path: "/usb/a.gguf" }, bad: {}, ok: 201, admin: true },
  { route: "POST /api/models/tiny/pull", ok: 202, admin: true, missing: "POST /api/models/nope/pull" },
  { route: "POST /api/models/tiny/cancel", ok: 204, admin: true, missing: "POST /api/models/nope/cancel" },
  { route: "POST /api/models/tiny/verify", ok: 200, admin: true, missing: "POST /api/models/nope/verify" },
  { route: "DELETE /api/models/tiny", ok: 204, admin: true, missing: "DELETE /api/models/nope" },
  { route: "GET /api/system/ready", ok: 200 },
  { route: "GET /api/system", ok: 200 },
  { route: "GET /api/system/doctor", ok: 200, admin: true },
  { route: "GET /api/jobs?limit=3", ok: 200 },
  { route: "POST /api/jobs/job_1/cancel", ok: 204, missing: "POST /api/jobs/nope/cancel" },
  { route: "POST /api/jobs/job_1/retry", ok: 204, missing: "POST /api/jobs/nope/retry" },
];

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
    const good = await call(method, route.replace("KEY", key), { ...body, ...(row.admin ? {} : { key: route.includes("KEY") ? adminKey : memberKey }) });
    expect(good.status, good.text).toBe(row.ok);
  });
});

test("every route of the description is in the table above or has its own test", async () => {
  const document = (await call("GET", "/api/openapi.json", { key: null })).value as unknown as { openapi: string; paths: Record<string, Record<string, { operationId: string; responses: Record<string, unknown> }>> };
  expect(document.openapi).toBe("3.1.0");
  const own = ["GET /api/session", "POST /api/setup", "POST /api/auth/sign-in/email", "POST /api/auth/sign-out", "GET /api/events", "PUT /api/bases/{}/files", "POST /api/bases/{}/files", "PATCH /api/people/{}", "DELETE /api/people/{}"];
  const normal = (route: string) => route.replace(/\?.*/, "").replace(/\/(kb_1|doc_1|cur_1|gap_1|chat_1|turn_2|ans_1|job_1|tiny|KEY|7)(?=\/|$)/g, "/{}");
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
  const response = await app.request("http://box.lan:8480/api/bases/kb_1/files", { method: "POST", body: form, headers: { authorization: `Bearer ${adminKey}`, host: "box.lan:8480" } }, fromLan);
  const result = (await response.json()) as { items: { path: string; documentId?: string; error?: { code: string } }[] };
  expect(response.status).toBe(201);
  expect(result.items.map((item) => [item.path, item.error?.code ?? item.documentId])).toEqual([["目录/一.txt", "doc_1"], ["big.txt", "document_too_large"], ["../二.txt", "path_unsafe"], ["三.txt", "doc_1"]]);
  expect(uploads.map((item) => item.path)).toEqual(["目录/一.txt", "三.txt"]);
  expect((await call("POST", "/api/bases/kb_1/files", { body: "x" })).status).toBe(400);
});

test("originals come as downloads no browser runs, in ranges too", async () => {
  const whole = await call("GET", "/api/documents/doc_1/original");
  expect(whole.text).toBe("0123456789");
  expect(whole.headers.get("content-type")).toBe("application/octet-stream");
  expect(whole.headers.get("content-disposition")).toBe(`attachment; filename="___.html"; filename*=UTF-8''%E5%8A%B3%E5%8A%A8%22%E6%B3%95.html`.replace("___", "__" + "__"));
  expect(whole.headers.get("content-security-policy")).toContain("sandbox");
  expect(whole.headers.get("x-content-type-options")).toBe("nosniff");
  const part = await call("GET", "/api/documents/doc_1/original", { headers: { range: "bytes=2-4" } });
  expect([part.status, part.text, part.headers.get("content-range")]).toEqual([206, "234", "bytes 2-4/10"]);
  expect((await call("GET", "/api/documents/doc_1/original", { headers: { range: "bytes=50-" } })).status).toBe(416);
});

test("asking streams its parts, fails by name in the stream, and stops when the reader leaves", async () => {
  const good = await call("POST", "/api/chats/chat_1/ask", { json: { content: "q" } });
  expect(good.headers.get("content-type")).toContain("text/event-stream");
  expect(good.text.split("\n\n").filter(Boolean).map((line) => (JSON.parse(line.slice(6)) as { type: string }).type)).toEqual(["turn-start", "text-delta", "finish"]);
  const broken = await call("POST", "/api/chats/chat_1/ask", { json: { content: "break" } });
  expect(JSON.parse(broken.text.trim().split("\n\n").at(-1)?.slice(6) ?? "")).toEqual({ type: "error", error: { code: "engine_crashed", message: "The engine died.", hint: "Try again." } });
  const response = await app.request("http://box.lan:8480/api/chats/chat_1/ask", { method: "POST", body: JSON.stringify({ content: "wait" }), headers: { authorization: `Bearer ${adminKey}`, "content-type": "application/json" } }, fromLan);
  const reader = response.body?.getReader();
  await reader?.read();
  await reader?.cancel();
  expect(asked?.aborted).toBe(true);
  const streamed = await call("POST", "/api/ask", { json: { kbs: ["法规"], question: "q" }, headers: { accept: "text/event-stream" } });
  expect(streamed.text).toContain('"type":"finish"');
});

test("sign-in, sign-out, CSRF", async () => {
  const own = { origin: "http://box.lan:8480" };
  expect((await call("GET", "/api/session", { key: null, headers: { cookie } })).value).toMatchObject({ actor: { name: "Ada" }, email: "ada@example.org" });
  expect((await call("POST", "/api/bases", { key: null, headers: { cookie, ...own }, json: { name: "x" } })).status).toBe(201);
  for (const headers of [{ origin: "http://evil.example" }, { origin: "null" }, { origin: "http://box.lan:9999" }, {}, { "sec-fetch-site": "cross-site" }]) {
    const refused = await call("POST", "/api/bases", { key: null, headers: { cookie, ...headers }, json: { name: "x" } });
    expect([refused.status, refused.value.error?.code]).toEqual([403, "csrf_failed"]);
  }
  const other = await call("POST", "/api/auth/sign-in/email", { key: null, headers: { origin: "http://evil.example" }, json: { email: "ada@example.org", password: "a long password" } });
  expect(other.status).toBe(403);
  const plain = await call("POST", "/api/bases", { body: '{"name":"x"}', headers: { "content-type": "text/plain" } });
  expect(plain.status).toBe(400);

  const wrong = await call("POST", "/api/auth/sign-in/email", { key: null, json: { email: "ada@example.org", password: "wrong" } });
  expect([wrong.status, wrong.value.error?.code]).toEqual([401, "unauthorized"]);
  const again = await call("POST", "/api/auth/sign-in/email", { key: null, headers: own, json: { email: "ada@example.org", password: "a long password" } });
  const session = again.headers.getSetCookie().map((line) => line.split(";")[0]).join("; ");
  expect(again.status).toBe(200);
  expect((await call("POST", "/api/auth/sign-out", { key: null, headers: { cookie: session, ...own }, json: {} })).status).toBe(204);
  expect((await call("GET", "/api/bases", { key: null, headers: { cookie: session } })).status).toBe(401);
  expect((await call("POST", "/api/setup", { key: null, json: { code: "x", name: "M", email: "m@example.org", password: "12345678" } })).status).toBe(409);
});

test("a forged X-Forwarded-For does not dodge the limit", async () => {
  const attempt = async (i: number) => await call("POST", "/api/auth/sign-in/email", { key: null, headers: { "x-forwarded-for": `1.2.3.${i}`, "x-starbox-address": `1.2.3.${i}` }, json: { email: `nobody${i}@example.org`, password: "wrong" }, env: { incoming: { socket: { remoteAddress: "10.0.0.66" } } } as never });
  for (let i = 0; i < 10; i++) expect((await attempt(i)).status).toBe(401);
  const last = await attempt(11);
  expect([last.status, last.value.error?.code]).toEqual([429, "busy"]);
  expect(Number(last.headers.get("retry-after"))).toBeGreaterThan(0);
});

test("people: change and remove", async () => {
  const person = (await call("POST", "/api/people", { json: { name: "Cy", email: "cy@example.org", password: "12345678" } })).value as unknown as { id: string };
  expect((await call("PATCH", `/api/people/${person.id}`, { key: memberKey, json: { role: "administrator" } })).status).toBe(403);
  expect((await call("PATCH", `/api/people/${person.id}`, { json: { role: "administrator", name: "Cyd" } })).value).toMatchObject({ name: "Cyd", role: "administrator" });
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
  expect((await call("GET", "/metrics", { key: memberKey })).text).toContain("starbox_uptime_seconds");
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
  await expect(createServer(services, platform, { ...testSettings, port: Number(new URL(url).port) }, silentLogger).listen()).rejects.toMatchObject({ code: "port_in_use" });
  const events = await fetch(`${url}/api/events`, { headers: { authorization: `Bearer ${adminKey}` } });
  const reader = events.body?.getReader();
  const first = new TextDecoder().decode((await reader?.read())?.value);
  expect(first).toContain("event: jobs\ndata: {");

  uploads.length = 0;
  await new Promise<void>((resolve) => {
    const request = http.request(`${url}/api/bases/kb_1/files?path=cut.md`, { method: "PUT", headers: { authorization: `Bearer ${adminKey}`, "content-length": "1000" } });
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
  expect(newId("x")).toMatch(/^x_/);
});
