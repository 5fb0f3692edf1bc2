/** @file The command line on a real box: alone and against a running one, the same lines come out. Words only; vectors have tests of their own. */
import { spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type StartedBox, startBox } from "./start-box.ts";

const root = path.dirname(import.meta.dirname);
const words = { STARBOX_MODEL: "none", STARBOX_EMBEDDER: "none" };
let folder: string;
let data: string;

beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "starbox-cli-box-"));
  data = path.join(folder, "data");
  write("docs/制度/考勤.md", "# 考勤制度\n\n第一条 员工每日工作八小时。\n\n第二条 迟到三次计旷工半日。\n");
  write("docs/报销.txt", "差旅费报销应当在返回后十日内提交单据。\n");
  write("docs/坏.pdf", "this is not a PDF");
  write("docs/.hidden/x.md", "不应读取");
  write("q.jsonl", '{"id": "b", "question": "迟到怎么处理"}\n{"id": 1, "question": "差旅费什么时候报销"}\n{"question": "工作几小时"}\n');
});
afterAll(() => {
  fs.rmSync(folder, { recursive: true, force: true });
});

function write(name: string, text: string): void {
  fs.mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
  fs.writeFileSync(path.join(folder, name), text);
}

type Ran = { readonly code: number; readonly lines: readonly Record<string, unknown>[]; readonly out: string; readonly err: string };

async function starbox(...args: string[]): Promise<Ran> {
  const child = spawn(
    process.execPath,
    [
      "--conditions=starbox-source",
      "--disable-warning=ExperimentalWarning",
      path.join(root, "src/app/main.ts"),
      "--data",
      data,
      ...(args.includes("--lang") ? [] : ["--lang", "en"]),
      ...args,
    ],
    {
      cwd: folder,
      env: { ...process.env, ...words, STARBOX_URL: "", STARBOX_KEY: "" },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  let out = "";
  let err = "";
  child.stdout.on("data", (part: Buffer) => (out += part.toString()));
  child.stderr.on("data", (part: Buffer) => (err += part.toString()));
  const code = await new Promise<number>((resolve) => child.once("close", (status) => resolve(status ?? -1)));
  const lines = args.includes("--json")
    ? out
        .split("\n")
        .filter(Boolean)
        .map((line) => JSON.parse(line) as Record<string, unknown>)
    : [];
  return { code, lines, out, err };
}

/** The life of a knowledge base, as a script would live it. */
async function life(name: string): Promise<void> {
  expect(await starbox("kb", "create", name, "--json")).toMatchObject({ code: 0, lines: [{ name, documents: 0, chunks: 0, pending: 0, failed: 0 }] });
  expect(await starbox("kb", "create", name, "--json")).toMatchObject({ code: 1, lines: [], err: expect.stringContaining("error kb_exists") });

  const added = await starbox("kb", "add", name, "docs", "--wait", "--json");
  expect(added.code, added.err).toBe(0);
  const byPath = new Map(added.lines.map((line) => [line["path"], line]));
  expect([...byPath.keys()].sort()).toEqual(["制度/考勤.md", "坏.pdf", "报销.txt"].sort());
  expect(byPath.get("制度/考勤.md")).toMatchObject({
    documentId: expect.stringMatching(/^doc_/),
    state: "words",
    pages: null,
    chunks: expect.any(Number),
  });
  expect(byPath.get("坏.pdf")).toMatchObject({ state: "failed", error: { code: "document_corrupt" } });

  const again = await starbox("kb", "add", name, "docs", "--wait", "--json");
  expect(again.lines.map((line) => line["documentId"]).sort()).toEqual(added.lines.map((line) => line["documentId"]).sort());
  expect((await starbox("kb", "status", name, "--json")).lines).toMatchObject([{ name, documents: 3, pending: 0, failed: 1 }]);

  const found = await starbox("kb", "search", name, "--queries", "q.jsonl", "--limit", "1", "--json");
  expect(found.code, found.err).toBe(0);
  expect(found.lines.map((line) => [line["id"], line["query"]])).toEqual([
    ["b", "迟到怎么处理"],
    [1, "差旅费什么时候报销"],
    [undefined, "工作几小时"],
  ]);
  const documents = found.lines.map((line) => (line["results"] as { document: string }[]).map((hit) => hit.document));
  expect(documents).toEqual([["制度/考勤.md"], ["报销.txt"], ["制度/考勤.md"]]);
  expect(found.lines[0]).toMatchObject({
    results: [
      {
        document: "制度/考勤.md",
        page: null,
        start: expect.any(Number),
        end: expect.any(Number),
        text: expect.stringContaining("迟到"),
        score: expect.any(Number),
        ranks: { lexical: 1, dense: null, rerank: null },
      },
    ],
    ms: { lexical: expect.any(Number), dense: expect.any(Number), fuse: expect.any(Number), total: expect.any(Number) },
  });

  const asked = await starbox("ask", name, "--questions", "q.jsonl", "--json");
  expect(asked.code, asked.err).toBe(0);
  expect(asked.lines.map((line) => [line["id"], line["question"]])).toEqual(found.lines.map((line) => [line["id"], line["query"]]));
  for (const line of asked.lines) {
    expect(line).toMatchObject({
      answer: expect.any(String),
      refused: expect.any(Boolean),
      citations: expect.any(Array),
      usage: { prompt_tokens: expect.any(Number), completion_tokens: expect.any(Number) },
      ms: { retrieve: expect.any(Number), firstToken: expect.any(Number), total: expect.any(Number) },
    });
    const citation = {
      marker: expect.any(Number),
      document: expect.any(String),
      page: null,
      start: expect.any(Number),
      end: expect.any(Number),
      quote: expect.any(String),
    };
    for (const each of line["citations"] as object[]) expect(each).toMatchObject(citation);
  }

  expect((await starbox("kb", "list", "--json")).lines.map((line) => line["name"])).toEqual([name]);
  expect(await starbox("kb", "remove", name, "--json")).toMatchObject({ code: 0, lines: [{ name, documents: 3 }] });
  expect(await starbox("kb", "remove", name, "--json")).toMatchObject({
    code: 1,
    lines: [],
    out: "",
    err: expect.stringContaining("error kb_not_found"),
  });
  expect(await starbox("kb", "list", "--json")).toMatchObject({ code: 0, out: "" });
}

test("alone: create, add, again, search, remove", async () => await life("单机"));

test("alone: a path that is not there stops before anything is added; an unknown base is named", async () => {
  expect(await starbox("kb", "add", "新", "docs", "none", "--json")).toMatchObject({
    code: 1,
    out: "",
    err: expect.stringContaining("error not_found: No such file or folder: none."),
  });
  expect(await starbox("kb", "list", "--json")).toMatchObject({ out: "" });
  expect(await starbox("kb", "search", "没有", "x", "--json")).toMatchObject({
    code: 1,
    out: "",
    err: expect.stringContaining("error kb_not_found"),
  });
  expect(await starbox("ask", "没有", "x", "--json")).toMatchObject({ code: 1, out: "", err: expect.stringContaining("error kb_not_found") });
});

test("alone: two commands at once wait for each other", async () => {
  const [first, second] = await Promise.all([starbox("kb", "create", "甲", "--json"), starbox("kb", "create", "乙", "--json")]);
  expect([first.code, second.code]).toEqual([0, 0]);
  for (const name of ["甲", "乙"]) expect((await starbox("kb", "remove", name)).code).toBe(0);
});

test("doctor and models: a line each", async () => {
  const doctor = await starbox("doctor", "--json");
  expect(doctor.lines.length).toBeGreaterThan(5);
  for (const line of doctor.lines)
    expect(line).toEqual({ name: expect.any(String), ok: expect.any(Boolean), found: expect.any(String), hint: expect.any(String) });
  // In Chinese every line is Chinese, what to do included: the two models are switched off here.
  const chinese = (await starbox("doctor", "--lang", "zh")).out.trim().split("\n");
  expect(chinese.filter((line) => /^[✓✗] /.test(line)).every((line) => /^[✓✗] [一-鿿]+：/.test(line))).toBe(true);
  expect(chinese.some((line) => line.includes("语言模型：已关闭"))).toBe(true);
  expect(chinese.some((line) => line.includes("请把 STARBOX_MODEL"))).toBe(true);
  const models = await starbox("models", "list", "--json");
  expect(models.lines).toContainEqual(
    expect.objectContaining({
      id: "multilingual-e5-small",
      state: expect.any(String),
      sizeBytes: expect.any(Number),
      sources: expect.any(Array),
      engine: expect.any(String),
    }),
  );
  expect(await starbox("models", "pull", "none-such", "--json")).toMatchObject({
    code: 1,
    out: "",
    err: expect.stringContaining("error model_not_found"),
  });
});

describe("against a running box", () => {
  let box: StartedBox;
  beforeAll(async () => {
    box = await startBox({ env: { ...words, STARBOX_URL: "", STARBOX_KEY: "" }, dataDir: data });
  });
  afterAll(async () => {
    await box.stop();
  });

  test("the same life, found by the data folder", async () => await life("运行中"));

  test("by address and key; a wrong key and a wrong address are named", async () => {
    const script = path.join(root, "src/app/main.ts");
    const run = async (url: string, key: string): Promise<{ code: number | null; err: string }> =>
      await new Promise((resolve) => {
        const child = spawn(
          process.execPath,
          [
            "--conditions=starbox-source",
            "--disable-warning=ExperimentalWarning",
            script,
            "kb",
            "list",
            "--json",
            "--data",
            path.join(folder, "elsewhere"),
            "--lang",
            "zh",
          ],
          { env: { ...process.env, STARBOX_URL: url, STARBOX_KEY: key } },
        );
        let err = "";
        child.stderr.on("data", (part: Buffer) => (err += part.toString()));
        child.once("close", (code) => resolve({ code, err }));
      });
    expect(await run(box.url, box.token)).toMatchObject({ code: 0 });
    expect(await run(box.url, "sb-wrong")).toMatchObject({ code: 1, err: expect.stringContaining("错误 unauthorized") });
    expect(await run("http://127.0.0.1:9", "x")).toMatchObject({ code: 1, err: expect.stringContaining("错误 box_unreachable") });
    expect(fs.existsSync(path.join(folder, "elsewhere"))).toBe(false);
  });

  test("a second start names the holder", async () => {
    const { code, err } = await starbox("start", "--port", "0");
    expect(code).toBe(1);
    expect(err).toContain("error data_locked");
    expect(err).toContain(String(box.process.pid));
  });
});
