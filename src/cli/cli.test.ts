/** @file The command line without a box: arguments, exit codes, languages, files of questions, which files are meant. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { StarboxError } from "#base";
import type { CliParts } from "./cli.ts";
import { findFiles, requireReadable } from "./files.ts";
import { readJsonLines, readQuestions } from "./options.ts";
import { runCli } from "./run.ts";
import { createTerminal, table } from "./terminal.ts";

let folder: string;
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "starbox-cli-"));
});
afterEach(() => {
  fs.rmSync(folder, { recursive: true, force: true });
});

const refusing: CliParts = {
  version: "1.2.3",
  openBox: async () => {
    throw new StarboxError("data_corrupt", "The database is damaged.", {
      hint: "Restore a backup.",
      zh: { message: "数据库已损坏。", hint: "请恢复备份。" },
    });
  },
  serve: async () => undefined,
  workshop: async () => {
    throw new StarboxError("backup_invalid", "There is no backup.");
  },
  operators: async () => {
    throw new StarboxError("device_unsupported", "There is no device.");
  },
  training: async () => {
    throw new StarboxError("device_unsupported", "There is no device.");
  },
  benchNames: ["idle"],
  async *bench() {
    yield { name: "idle", case: "memory", unit: "MB", starbox: { min: 1, median: 2, max: 3 }, machine: "m", commit: "c" };
  },
};

async function run(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  let out = "";
  let err = "";
  const streams = { stdout: { write: (text: string) => (out += text) }, stderr: { write: (text: string) => (err += text) } };
  const code = await runCli(["--data", folder, ...argv], refusing, { streams, signal: new AbortController().signal });
  return { code, out, err };
}

describe("exit codes and languages", () => {
  test.each([
    ["an unknown command", ["fly"]],
    ["no command", []],
    ["half a command", ["kb"]],
    ["an unknown option", ["kb", "list", "--fast"]],
    ["a missing argument", ["kb", "create"]],
    ["a bad number", ["kb", "search", "laws", "x", "--limit", "0"]],
    ["a question and a file", ["ask", "laws", "x", "--questions", "q.jsonl"]],
    ["neither question nor file", ["ask", "laws"]],
    ["an unknown measurement", ["bench", "nothing"]],
  ])("2 for %s, with a hint and nothing on stdout", async (_, argv) => {
    const { code, out, err } = await run(...argv, "--lang", "en");
    expect([code, out]).toEqual([2, ""]);
    expect(err).toContain("error usage: ");
  });

  test("1 with code and hint, in both languages, when the box cannot be opened", async () => {
    expect(await run("kb", "list", "--lang", "en")).toEqual({
      code: 1,
      out: "",
      err: "error data_corrupt: The database is damaged.\nhint: Restore a backup.\n",
    });
    expect(await run("--lang", "zh", "kb", "list", "--json")).toEqual({
      code: 1,
      out: "",
      err: "错误 data_corrupt：数据库已损坏。\n建议：请恢复备份。\n",
    });
  });

  test("0 for --version and for --help of every command, with examples", async () => {
    expect(await run("--version")).toMatchObject({ code: 0, out: "1.2.3\n" });
    for (const command of [
      "",
      "start",
      "doctor",
      "models",
      "models pull",
      "kb",
      "kb add",
      "kb search",
      "ask",
      "chat",
      "generate",
      "backup",
      "restore",
      "bench",
    ]) {
      const english = await run(...command.split(" ").filter(Boolean), "--help", "--lang", "en");
      const chinese = await run(...command.split(" ").filter(Boolean), "--help", "--lang", "zh");
      expect([english.code, chinese.code]).toEqual([0, 0]);
      expect(english.out).toContain("Examples:");
      expect(chinese.out).toContain("示例：");
    }
  });

  test("a line a row with --json, text without", async () => {
    const { out } = await run("bench", "idle", "--json");
    expect(JSON.parse(out)).toMatchObject({ name: "idle", starbox: { median: 2 } });
    expect((await run("bench", "idle", "--lang", "en")).out).toBe("idle memory: 2 MB (1 – 3)\n");
  });
});

describe("which files are meant", () => {
  test("folders in depth, sorted, hidden ones left out, paths relative to the argument", async () => {
    for (const name of ["b/二.md", "b/.hidden/x.md", ".git/config", "a.txt", ".env"]) write(name);
    expect((await findFiles([folder])).map(({ name }) => name)).toEqual(["a.txt", "b/二.md"]);
    expect((await findFiles([path.join(folder, "b", "二.md"), path.join(folder, ".env")])).map(({ name }) => name)).toEqual(["二.md", ".env"]);
  });

  test("files of one name from two folders do not replace each other", async () => {
    for (const name of ["one/a.md", "two/a.md"]) write(name);
    expect((await findFiles([path.join(folder, "one"), path.join(folder, "two")])).map(({ name }) => name)).toEqual(["a.md", "two/a.md"]);
  });

  test("a link in a circle ends; a missing path is named before anything is done", async () => {
    write("a.md");
    fs.symlinkSync(folder, path.join(folder, "again"));
    expect((await findFiles([folder])).map(({ name }) => name)).toEqual(["a.md"]);
    await expect(findFiles([folder, path.join(folder, "none")])).rejects.toMatchObject({ code: "not_found" });
    await expect(requireReadable(path.join(folder, "none"))).rejects.toMatchObject({ code: "file_unreadable" });
  });
});

describe("files of questions", () => {
  test("ids are kept as they are, empty lines and a byte-order mark are passed over", () => {
    const file = write("q.jsonl", '\ufeff{"id": 7, "question": "一"}\r\n\n{"question": "二"}\n{"id": null, "question": "三"}');
    expect(readQuestions([], file, "--questions")).toEqual([{ id: 7, question: "一" }, { question: "二" }, { id: null, question: "三" }]);
  });

  test("every bad line is named at once", () => {
    const file = write("q.jsonl", '{"id": 1}\n[]\nnot json\n');
    expect(() => readJsonLines(file)).toThrow(/2 lines are not JSON objects: .*q\.jsonl:2: .*q\.jsonl:3: /);
    expect(() => readQuestions([], write("r.jsonl", '{"id": 1}'), "--questions")).toThrow(/r\.jsonl:1: "question" is missing/);
  });
});

test("a table lines up Chinese and Latin cells", () => {
  expect(
    table([
      ["劳动", "1"],
      ["laws", "22"],
      ["x", "3"],
    ]),
  ).toBe("劳动  1\nlaws  22\nx     3");
});

test("a bar off a terminal says nothing for short work, then a line every ten seconds", () => {
  let now = 0;
  let err = "";
  const terminal = createTerminal({
    language: "en",
    json: false,
    streams: { stdout: { write: () => undefined }, stderr: { write: (text: string) => (err += text) } },
    now: () => now,
  });
  const progress = terminal.progress("reading");
  for (now = 0; now < 25_000; now += 500) progress.update(now, 50_000);
  progress.end();
  expect(
    err
      .split("\n")
      .filter(Boolean)
      .map((line) => /\d+%/.exec(line)?.[0]),
  ).toEqual(["20%", "40%"]);
});

function write(name: string, content = "text"): string {
  const file = path.join(folder, name);
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, content);
  return file;
}
