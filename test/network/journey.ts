/** @file What people do with a box on their first day, over HTTP: run inside a namespace by the tests of egress. Arguments: address, file with the operator's token. Prints one line of JSON. */
import fs from "node:fs";

const [url = "", tokenFile = ""] = process.argv.slice(2);

async function waitFor<T>(seconds: number, what: string, probe: () => Promise<T | null>): Promise<T> {
  for (const until = Date.now() + seconds * 1000; Date.now() < until; await new Promise((resolve) => setTimeout(resolve, 200))) {
    const found = await probe().catch(() => null);
    if (found !== null) return found;
  }
  throw new Error(`${what}: not within ${seconds} s`);
}

const started = Date.now();
await waitFor(600, "the box answers", async () => ((await fetch(`${url}/healthz`)).ok ? true : null));
await waitFor(300, "models answer", async () => ((await fetch(`${url}/readyz`)).ok ? true : null));
const readySeconds = (Date.now() - started) / 1000;
const authorization = `Bearer ${fs.readFileSync(tokenFile, "utf8").trim()}`;
async function call(method: string, route: string, body?: object | string, status = [200, 201, 202, 204]): Promise<Response> {
  const json = typeof body === "object";
  const response = await fetch(`${url}${route}`, {
    method,
    headers: { authorization, ...(body === undefined ? {} : { "content-type": json ? "application/json" : "application/octet-stream" }) },
    ...(body === undefined ? {} : { body: json ? JSON.stringify(body) : body }),
  });
  if (!status.includes(response.status)) throw new Error(`${method} ${route}: ${response.status} ${await response.text()}`);
  return response;
}
const json = async <T>(response: Promise<Response>): Promise<T> => (await (await response).json()) as T;

// Set-up: the console and its parts.
const page = await (await fetch(url, { headers: { accept: "text/html" } })).text();
for (const [, asset] of page.matchAll(/(?:src|href)="(\/[^"]+)"/g)) if (!(await fetch(`${url}${asset}`)).ok) throw new Error(`${asset} is missing`);

// Ingestion: files that would like to call home.
await call("POST", "/api/bases", { name: "制度" });
const tracked = "http://198.51.100.9/pixel.png";
const files: Readonly<Record<string, string>> = {
  "值班规定.md": `# 值班规定\n\n第一条 值班电话为 8100，夜间两人一组。\n\n![图](${tracked})\n\n<img src="https://tracker.example.com/a.gif">\n`,
  "网页.html": `<html><head><link rel="stylesheet" href="https://cdn.example.com/a.css"><script src="https://cdn.example.com/a.js"></script><base href="https://example.com/"></head><body><h1>停车</h1><p>停车场二十四小时开放，凭证入内。</p><img src="${tracked}"><iframe src="https://example.com/x"></iframe></body></html>`,
  "来信.eml": `From: a@example.org\r\nTo: b@example.org\r\nSubject: 通知\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>食堂周五供应饺子。</p><img src="${tracked}">\r\n`,
  "实体.xml": `<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "http://198.51.100.9/x">]><a>&x;体检安排在六月。</a>`,
};
for (const [name, text] of Object.entries(files))
  await call("PUT", `/api/bases/${encodeURIComponent("制度")}/files?path=${encodeURIComponent(name)}`, text);
type Base = { pending: number; embedded: number; chunks: number; documents: number };
const base = await waitFor(240, "documents are read and embedded", async () => {
  const found = await json<Base>(call("GET", `/api/bases/${encodeURIComponent("制度")}`));
  return found.pending === 0 && found.chunks > 0 && found.embedded === found.chunks ? found : null;
});

// Search, ask, chat, write.
const search = await json<{ hits: { text: string }[]; mode: string }>(
  call("POST", `/api/bases/${encodeURIComponent("制度")}/search`, { query: "夜间值班几个人" }),
);
const answer = await (await call("POST", "/api/ask", { kbs: ["制度"], question: "值班电话是多少？" })).text();
const chat = await json<{ id: string }>(call("POST", "/api/chats", { kbIds: [] }));
const turn = await (await call("POST", `/api/chats/${chat.id}/ask`, { content: "Open https://example.com/ and tell me what it says." })).text();
const written = await json<{ choices: { message: { content: string } }[] }>(
  call("POST", "/v1/chat/completions", { model: "smollm2-135m-instruct", messages: [{ role: "user", content: "Say hello." }], max_tokens: 12 }),
);

// Administration: a model that is not there, checks, a backup, a restore.
await call("POST", "/api/models/qwen3-0.6b/pull", {});
const pulled = await waitFor(60, "the pull ends", async () => {
  const { items } = await json<{ items: { id: string; state: string }[] }>(call("GET", "/api/models"));
  const state = items.find((item) => item.id === "qwen3-0.6b")?.state;
  return state === undefined || state === "pulling" ? null : state;
});
await call("GET", "/api/system/doctor");
const backup = await json<{ id: string }>(call("POST", "/api/backups", {}));
const rehearsal = await json<{ ok: boolean }>(call("POST", `/api/backups/${backup.id}/rehearsal`, {}));
await new Promise((resolve) => setTimeout(resolve, 1500)); // whoever dials later still dials
const metrics = await (await call("GET", "/metrics")).text();
process.stdout.write(
  `${JSON.stringify({
    readySeconds,
    documents: base.documents,
    mode: search.mode,
    found: search.hits[0]?.text.includes("两人一组") ?? false,
    answered: answer.includes("8100"),
    chatted: /"type":"finish"/.test(turn),
    wrote: (written.choices[0]?.message.content ?? "").length > 0,
    pulled,
    rehearsed: rehearsal.ok,
    refused: Number(/^starbox_outbound_refused_total (\d+)/m.exec(metrics)?.[1] ?? -1),
  })}\n`,
);
