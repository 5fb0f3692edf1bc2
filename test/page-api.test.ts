/** @file The chat page over HTTP: what a stranger may do there and what a browser is told. */
import { afterAll, expect, test } from "vitest";
import { createApp } from "../src/server/app.ts";
import { services } from "./api-services.ts";
import { silentLogger, temporaryPlatform, testSettings } from "./scripted-services.ts";

const { platform, people, close } = temporaryPlatform();
const closing = new AbortController();
const app = createApp({
  services: { ...services, people, keys: platform.keys },
  platform,
  settings: testSettings,
  logger: silentLogger,
  consoleFolder: null,
  version: "9.9.9",
  closing: closing.signal,
});
afterAll(() => {
  closing.abort();
  close();
});

async function call(method: string, url: string, options: { key?: null; json?: unknown; headers?: Record<string, string> } = {}) {
  const headers: Record<string, string> = { host: "box.lan:8480", ...options.headers };
  if (options.json !== undefined) headers["content-type"] = "application/json";
  const response = await app.request(
    `http://box.lan:8480${url}`,
    { method, headers, ...(options.json === undefined ? {} : { body: JSON.stringify(options.json) }) },
    { incoming: { socket: { remoteAddress: "10.0.0.9" } } } as never,
  );
  const text = await response.text();
  const value: unknown = (response.headers.get("content-type") ?? "").includes("json") ? JSON.parse(text) : text;
  return { status: response.status, headers: response.headers, text, value };
}

test("a chat page: no sign-in, asked only from itself, framed only where it may be, strangers counted", async () => {
  const own = { origin: "http://box.lan:8480" };
  expect((await call("GET", "/api/p/page_1")).value).toEqual({ name: "值班", greeting: "你好" });
  expect((await call("GET", "/api/p/nope")).status).toBe(404);
  expect((await call("GET", "/p/nope")).status).toBe(404);
  const alone = await call("GET", "/p/page_1");
  expect(alone.headers.get("content-security-policy")).toContain("frame-ancestors 'none'");
  expect(alone.headers.get("content-security-policy")).not.toContain("unsafe");
  expect(alone.headers.get("x-frame-options")).toBe("DENY");
  expect(alone.text).not.toMatch(/<script>|\son\w+=|style=/);
  const framed = await call("GET", "/p/framed");
  expect(framed.headers.get("content-security-policy")).toMatch(/frame-ancestors https:\/\/intranet\.example$/);
  expect([framed.headers.get("x-frame-options"), framed.headers.get("x-starbox-framed")]).toEqual([null, null]);
  const json = { question: "几点?" };
  expect((await call("POST", "/api/p/page_1/ask", { json })).status).toBe(403);
  expect((await call("POST", "/api/p/page_1/ask", { json, headers: { origin: "https://intranet.example" } })).status).toBe(403);
  expect((await call("POST", "/api/p/page_1/ask", { json: { question: "" }, headers: own })).status).toBe(400);
  const asked = await call("POST", "/api/p/page_1/ask", { json, headers: own });
  expect(asked.text).toContain('"type":"finish"');
  expect(asked.text).not.toContain("lineage");
  for (let i = 0; i < 11; i++) expect((await call("POST", "/api/p/page_1/ask", { json, headers: own })).status).toBe(200);
  const last = await call("POST", "/api/p/page_1/ask", { json, headers: own });
  expect([last.status, Number(last.headers.get("retry-after")) > 0]).toEqual([429, true]);
});
