/** @file The pool with real processes: results, ceilings, crashes, cancelling, idling. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import { StarboxError } from "#base";
import { createParsePool } from "./parse-pool.ts";

const folder = mkdtempSync(path.join(tmpdir(), "starbox-pool-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const samples = path.join(import.meta.dirname, "../../../samples");

function file(name: string, content: string): string {
  const target = path.join(folder, name);
  writeFileSync(target, content);
  return target;
}

const codeOf = async (work: Promise<unknown>): Promise<string> =>
  await work.then(
    () => "parsed",
    (error: unknown) => (StarboxError.is(error) ? error.code : String(error)),
  );

test("files come back with text and chunks, several at once, and idle processes leave", async () => {
  const pool = createParsePool({ size: 2, idleMs: 200 });
  const names = ["道路交通安全法(2021-04-29).pdf", "数据安全法(2021-06-10).docx", "住房公积金管理条例(2019-03-24).xlsx", "劳动合同法(2012-12-28).md"];
  const results = await Promise.all(names.map((name) => pool.parse(path.join(samples, name))));
  expect(results.map((result) => result.parsed.meta.title)).toEqual([
    "中华人民共和国道路交通安全法",
    "中华人民共和国数据安全法",
    "住房公积金管理条例",
    "中华人民共和国劳动合同法",
  ]);
  expect(results[0]?.chunks.length).toBeGreaterThan(120);
  expect(pool.alive).toBeGreaterThan(0);
  await expect.poll(() => pool.alive, { timeout: 5000 }).toBe(0);
  expect(await codeOf(pool.parse(file("again.md", "# 再来\n\n一次。")))).toBe("parsed");
  await pool.close();
});

test("errors cross the process with code, hint and both languages", async () => {
  const pool = createParsePool();
  const error = await pool.parse(file("old.doc", "\xd0\xcf\x11\xe0")).catch((e: unknown) => e);
  expect(StarboxError.is(error, "unsupported_format") && error.zh?.hint !== undefined && error.hint !== undefined).toBe(true);
  await pool.close();
});

test("a file that needs too much memory is named, and the next one is read", async () => {
  const pool = createParsePool({ memoryMb: 48, timeoutMs: 60_000 });
  const heavy = file("heavy.json", `[${Array.from({ length: 400_000 }, (_, i) => `{"编号":${i},"名称":"条目${i}","说明":"一些文字"}`).join(",")}]`);
  expect(await codeOf(pool.parse(heavy))).toBe("document_too_heavy");
  expect(await codeOf(pool.parse(file("light.md", "# 轻\n\n文件。")))).toBe("parsed");
  await pool.close();
});

test("a file that takes too long is named, and the next one is read", async () => {
  const pool = createParsePool({ timeoutMs: 2000 });
  const slow = file("slow.txt", "甲乙丙丁。".repeat(8_000_000));
  const work = pool.parse(slow, "slow.txt", undefined, { maxTextChars: 1e9 });
  const next = pool.parse(file("next.md", "# 下一个\n\n文件。"));
  expect(["document_timeout", "document_too_heavy"]).toContain(await codeOf(work));
  expect(await codeOf(next)).toBe("parsed");
  await pool.close();
});

test("a file over the size limit costs nothing", async () => {
  const pool = createParsePool({ limits: { maxBytes: 10 } });
  expect(await codeOf(pool.parse(file("big.txt", "more than ten bytes")))).toBe("document_too_large");
  expect(pool.alive).toBe(0);
  await pool.close();
});

test("cancelling ends waiting and running work; closing ends everything", async () => {
  const pool = createParsePool({ timeoutMs: 60_000 });
  const control = new AbortController();
  const slow = file("slow2.txt", "甲乙丙丁。".repeat(3_000_000));
  const running = codeOf(pool.parse(slow, "slow2.txt", control.signal));
  const waiting = codeOf(pool.parse(slow, "slow2.txt", control.signal));
  setTimeout(() => control.abort(), 50);
  expect(await Promise.all([running, waiting])).toEqual(["cancelled", "cancelled"]);
  const last = codeOf(pool.parse(slow));
  await pool.close();
  expect(await last).toBe("cancelled");
  expect(pool.alive).toBe(0);
});
