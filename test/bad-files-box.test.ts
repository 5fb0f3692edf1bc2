/** @file Files that mean harm, sent to a whole box over HTTP: each is refused by name or harmless, nothing is fetched, nothing escapes, the rest is read. */
import fs from "node:fs";
import http from "node:http";
import type { AddressInfo } from "node:net";
import os from "node:os";
import path from "node:path";
import { zipSync } from "fflate";
import iconv from "iconv-lite";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { DocumentInfo, KnowledgeBaseInfo, RetrieveResult } from "#contracts";
import { docxFromBody, wordParagraph } from "../scripts/samples/office-writer.ts";
import { writePdf } from "../scripts/samples/pdf-writer.ts";
import { type StartedBox, startBox, waitFor } from "./start-box.ts";

let box: StartedBox;
let dataDir = "";
let trap: http.Server;
let trapUrl = "";
const trapped: string[] = [];

beforeAll(async () => {
  trap = http.createServer((request, response) => {
    trapped.push(request.url ?? "");
    response.end("caught");
  });
  await new Promise<void>((resolve) => trap.listen(0, "127.0.0.1", resolve));
  trapUrl = `http://127.0.0.1:${(trap.address() as AddressInfo).port}/api`;
  dataDir = fs.mkdtempSync(path.join(os.tmpdir(), "starbox-files-"));
  box = await startBox({ dataDir: path.join(dataDir, "box"), env: { STARBOX_MODEL: "none", STARBOX_EMBEDDER: "none" } });
  expect((await call("POST", "/api/bases", { name: "files" })).status).toBe(201);
}, 60_000);
afterAll(async () => {
  await box?.stop();
  trap?.close();
  if (dataDir !== "") fs.rmSync(dataDir, { recursive: true, force: true });
});

async function call(method: string, route: string, body?: Uint8Array | object): Promise<Response> {
  const raw = body instanceof Uint8Array;
  return await fetch(`${box.url}${route}`, {
    method,
    headers: { authorization: `Bearer ${box.token}`, "content-type": raw ? "application/octet-stream" : "application/json" },
    ...(body === undefined ? {} : { body: raw ? new Uint8Array(body) : JSON.stringify(body) }),
  });
}
const put = async (name: string, bytes: Uint8Array): Promise<Response> =>
  await call("PUT", `/api/bases/files/files?path=${encodeURIComponent(name)}`, bytes);
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

async function documents(): Promise<Map<string, DocumentInfo>> {
  await waitFor(60_000, async () => {
    const state = (await (await call("GET", "/api/bases/files")).json()) as KnowledgeBaseInfo;
    return state.pending === 0 ? true : null;
  });
  const { items } = (await (await call("GET", "/api/bases/files/documents?limit=500")).json()) as { items: DocumentInfo[] };
  return new Map(items.map((item) => [item.path, item]));
}
async function find(query: string): Promise<RetrieveResult["hits"]> {
  const response = await call("POST", "/api/bases/files/search", { query, limit: 5, lexicalOnly: true });
  return ((await response.json()) as RetrieveResult).hits;
}

test("scripts and links to the machine itself: read as text, nothing fetched, nothing run", { timeout: 90_000 }, async () => {
  const remote = `${trapUrl}/bases?x=`;
  const html = `<!doctype html><html><head><meta http-equiv="refresh" content="0;url=${remote}meta"><link rel="stylesheet" href="${remote}css"><base href="${remote}base">
<style>@import url(${remote}import); body { background: url(${remote}bg) }</style><script src="${remote}script"></script><script>fetch("${remote}run"); process.exit(1); 秘密脚本词</script></head>
<body onload="fetch('${remote}onload')"><p>网页里的钟楼规定。</p><img src="${remote}img" onerror="fetch('${remote}err')"><iframe src="${remote}frame"></iframe><object data="${remote}object"></object>
<svg><image href="${remote}svg"/><script>1</script></svg><a href="javascript:fetch('${remote}a')">链接</a><a href="${remote}link">删除全部</a><form action="${remote}form" method="post"><input type=submit></form></body></html>`;
  const markdown = `# 鼓楼规定\n\n![图](${remote}md) [点我](${remote}mdlink) <script>fetch("${remote}mdscript")</script> <img src="${remote}mdimg">\n\n[ref]: ${remote}ref\n\n鼓楼每日开放。\n`;
  const entity = `<?xml version="1.0"?><!DOCTYPE w:document [<!ENTITY out SYSTEM "${remote}xxe"><!ENTITY file SYSTEM "file:///etc/passwd">]>`;
  const body = wordParagraph("箭楼规定 &file; &out;");
  const relations = `<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r9" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/image" Target="${remote}docx" TargetMode="External"/></Relationships>`;
  const mail = `From: a@example.com\r\nTo: b@example.com\r\nSubject: =?utf-8?B?${Buffer.from("角楼通知").toString("base64")}?=\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>角楼通知。</p><img src="${remote}eml">`;
  expect((await put("a.html", utf8(html))).status).toBe(201);
  expect((await put("a.md", utf8(markdown))).status).toBe(201);
  expect((await put("a.docx", docxFromBody(body, { "word/_rels/document.xml.rels": relations }))).status).toBe(201);
  expect((await put("entity.html", utf8(`${entity}<html><body>门楼 &file; &out;</body></html>`))).status).toBe(201);
  expect((await put("a.eml", utf8(mail))).status).toBe(201);
  const found = await documents();
  for (const name of ["a.html", "a.md", "a.eml"])
    expect([name, found.get(name)?.state, found.get(name)?.error ?? null]).toEqual([name, "words", null]);
  expect((await find("钟楼规定"))[0]?.document).toBe("a.html");
  expect((await find("鼓楼每日开放"))[0]?.document).toBe("a.md");
  expect(await find("秘密脚本词")).toEqual([]);
  expect((await find("root:x:0:0")).filter((hit) => hit.text.includes("/bin/"))).toEqual([]);
  expect(trapped).toEqual([]);
});

test("broken, locked and poisoned files: set aside with code and hint in both languages; neighbours are read", { timeout: 120_000 }, async () => {
  const locked = await writePdf([{ kind: "paragraph", text: "锁住的文件" }], { userPassword: "secret" });
  const cases: Readonly<Record<string, readonly [bytes: Uint8Array, codes: readonly string[]]>> = {
    "locked.pdf": [locked, ["document_password"]],
    "cut.pdf": [locked.subarray(0, 600), ["document_corrupt"]],
    "broken.docx": [utf8("PK\u0003\u0004 not a zip"), ["document_corrupt"]],
    "bomb.zip": [zipSync({ "a.txt": new Uint8Array(600 << 20) }, { level: 9 }), ["document_bomb"]],
    "bomb.docx": [
      zipSync({ "[Content_Types].xml": utf8("<Types/>"), "word/document.xml": new Uint8Array(600 << 20) }, { level: 9 }),
      ["document_bomb"],
    ],
    "empty.md": [new Uint8Array(), ["document_empty"]],
    "old.doc": [Uint8Array.from([0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1, ...new Array(600).fill(0)]), ["unsupported_format"]],
    "tricks.zip": [
      zipSync({ "../../../escape.md": utf8("# 逃逸"), "/etc/cron.d/x": utf8("x"), "里面.md": utf8("# 里面") }),
      ["document_unsafe", "path_unsafe", "document_corrupt"],
    ],
  };
  for (const [name, [bytes]] of Object.entries(cases)) expect([name, (await put(name, bytes)).status]).toEqual([name, 201]);
  expect((await put("good.md", utf8("# 好文件\n\n灯笼规定。\n"))).status).toBe(201);
  const found = await documents();
  for (const [name, [, codes]] of Object.entries(cases)) {
    const document = found.get(name);
    expect([name, document?.state]).toEqual([name, "failed"]);
    expect([name, ...codes].slice(1), `${name}: ${document?.error?.code}`).toContain(document?.error?.code);
    expect(document?.error?.hint, name).toBeTruthy();
    expect(document?.error?.zh?.message, name).toMatch(/[一-龥]/);
  }
  expect((await find("灯笼规定"))[0]?.document).toBe("good.md");
  const outside = fs.readdirSync(dataDir, { recursive: true, encoding: "utf8" }).filter((name) => path.basename(name).startsWith("escape"));
  expect(outside).toEqual([]);
  expect(fs.existsSync("/etc/cron.d/x")).toBe(false);
  expect((await call("GET", "/healthz")).status).toBe(200);
});

test("wrong and rare encodings: the words are found whatever the bytes", { timeout: 60_000 }, async () => {
  const line = (what: string): string => `# 编码\n\n${what}编码的石桥规定，自发布之日起施行，适用于全部街道与社区。\n`;
  const files: Readonly<Record<string, Uint8Array>> = {
    "enc/gb18030.txt": iconv.encode(line("国标"), "gb18030"),
    "enc/utf16le.txt": Buffer.concat([Buffer.from([0xff, 0xfe]), iconv.encode(line("小端"), "utf16-le")]),
    "enc/utf16be.txt": Buffer.concat([Buffer.from([0xfe, 0xff]), iconv.encode(line("大端"), "utf16-be")]),
    "enc/bom.md": Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), utf8(line("标记"))]),
    "enc/lying.html": iconv.encode(`<html><head><meta charset="utf-8"></head><body><p>${line("谎称")}</p></body></html>`, "gb18030"),
  };
  for (const [name, bytes] of Object.entries(files)) expect((await put(name, bytes)).status).toBe(201);
  const found = await documents();
  for (const name of Object.keys(files)) expect([name, found.get(name)?.state, found.get(name)?.error ?? null]).toEqual([name, "words", null]);
  for (const [word, name] of [
    ["国标编码", "gb18030.txt"],
    ["小端编码", "utf16le.txt"],
    ["大端编码", "utf16be.txt"],
    ["标记编码", "bom.md"],
    ["谎称编码", "lying.html"],
  ] as const) {
    const hit = (await find(`${word}的石桥规定`)).find((one) => one.document === `enc/${name}`);
    expect(hit?.text, name).toContain(word);
  }
});

test("2 GB and paths that lead outside are refused at once, by name", { timeout: 60_000 }, async () => {
  const started = performance.now();
  const answer = await new Promise<{ status: number; text: string }>((resolve, reject) => {
    const request = http.request(
      `${box.url}/api/bases/files/files?path=huge.pdf`,
      { method: "PUT", headers: { authorization: `Bearer ${box.token}`, "content-type": "application/octet-stream", "content-length": 2 ** 31 } },
      (response) => {
        let text = "";
        response.on("data", (part: Buffer) => (text += part.toString()));
        response.on("end", () => {
          resolve({ status: response.statusCode ?? 0, text });
          request.destroy();
        });
      },
    );
    request.on("error", reject);
    request.write("%PDF-1.7\n");
  });
  expect(answer.status).toBe(413);
  expect(JSON.parse(answer.text)).toMatchObject({ error: { code: "document_too_large" } });
  expect(performance.now() - started).toBeLessThan(2000);
  for (const name of ["../x.md", "/etc/x.md", "a/../../x.md", "C:\\x.md", "..\\x.md", "a\u0000b.md", ""]) {
    const response = await put(name, utf8("# x"));
    expect([name, response.status]).toEqual([name, 400]);
    const { error } = (await response.json()) as { error: { code: string; hint?: string } };
    expect([name, ["path_unsafe", "invalid_input"].includes(error.code)]).toEqual([name, true]);
  }
  expect(fs.readdirSync(path.join(dataDir, "box", "tmp"))).toEqual([]);
});
