/** @file Chunks follow structure: statutes, decisions, sections, questions, rows, long paragraphs. */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import type { Chunk, ParsedDocument } from "#contracts";
import { devData } from "../../../test/dev-data.ts";
import { parseDocument } from "../parse/parse-document.ts";
import { chunkDocument } from "./chunk-document.ts";

const parse = async (text: string, name = "a.md"): Promise<ParsedDocument> => await parseDocument(new TextEncoder().encode(text), name);
const textOf = (parsed: ParsedDocument, chunk: Chunk | undefined): string => (chunk === undefined ? "" : parsed.text.slice(chunk.start, chunk.end));

const statute = `# 中华人民共和国示例法

2001年1月2日 第九届全国人民代表大会常务委员会第一次会议通过

2019年3月4日 第十三届全国人民代表大会常务委员会第二次会议修正

## 第一章 总　则

第一条 为了示例，制定本法。

第二条 依照下列规定执行：

（一）甲项；

（二）乙项。

第三十一条的决定不是条文开头。

第二条之一 本条为增加的条文。

## 第二章 附则

第三条 违反本法
第二条规定的，处罚款。

第四条 本法自2001年5月1日起施行。

附件：收费标准
`;

test("a statute: one chunk an article, with title and chapter; references are no articles", async () => {
  const parsed = await parse(statute, "示例法(2019-03-04).md");
  const chunks = chunkDocument(parsed);
  expect(chunks.map((chunk) => chunk.label)).toEqual([null, "第一条", "第二条", "第二条之一", "第三条", "第四条", null]);
  expect(textOf(parsed, chunks[2])).toBe("第二条 依照下列规定执行：\n（一）甲项；\n（二）乙项。\n第三十一条的决定不是条文开头。");
  expect(chunks[2]?.context).toEqual(["中华人民共和国示例法", "第一章 总则"]);
  expect(chunks[4]?.context).toEqual(["中华人民共和国示例法", "第二章 附则"]);
  expect(chunks[6]?.context).toEqual(["中华人民共和国示例法"]);
  expect(parsed.meta.date).toBe("2019-03-04");
});

test("the same statute as plain text without blank lines or space after the number", async () => {
  const text =
    "示例管理办法\n第一章 总则\n第一条为了示例，制定本办法。\n第二条本办法适用于全部单位。\n依照第一条规定办理。\n第二章 罚则\n第三条违反第二条规定的，责令改正。\n第四条本办法自发布之日起施行。\n";
  const parsed = await parse(text, "示例管理办法.txt");
  const chunks = chunkDocument(parsed).filter((chunk) => chunk.label !== null);
  expect(chunks.map((chunk) => chunk.label)).toEqual(["第一条", "第二条", "第三条", "第四条"]);
  expect(textOf(parsed, chunks[1])).toBe("第二条本办法适用于全部单位。\n依照第一条规定办理。");
  expect(chunks[2]?.context.at(-1)).toBe("第二章 罚则");
});

test("a numbered decision: one chunk an item; short numbered lines are headings", async () => {
  const decision = await parse(`# 某决定\n\n一、将第三条修改为：“${"内容".repeat(60)}。”\n\n二、增加一条：\n\n“${"新增".repeat(60)}。”\n`);
  expect(chunkDocument(decision).map((chunk) => chunk.label)).toEqual(["一、", "二、"]);
  const notice = await parse("# 通知\n\n一、工作目标\n\n全面完成任务。\n\n二、工作要求\n\n加强领导，落实责任。\n");
  expect(chunkDocument(notice).map((chunk) => chunk.context.at(-1))).toEqual(["一、工作目标", "二、工作要求"]);
});

test("a paragraph of up to 700 characters stays whole; a longer one breaks at sentences and shares one", async () => {
  const sentence = "这是一个大约三十个字的句子用来测试切分是否发生在句子的末尾。";
  const whole = await parse(sentence.repeat(22));
  expect(chunkDocument(whole)).toHaveLength(1);
  const parsed = await parse(sentence.repeat(60).replaceAll("。", () => `${"。"}`));
  const chunks = chunkDocument(parsed);
  expect(chunks.length).toBeGreaterThan(2);
  for (const chunk of chunks) {
    expect(chunk.end - chunk.start).toBeLessThanOrEqual(600);
    expect(textOf(parsed, chunk)).toMatch(/。$/);
  }
  expect(chunks[1]?.start).toBe((chunks[0]?.end ?? 0) - sentence.length);
});

test("text without any sentence end is cut, not lost, and never inside a character", async () => {
  const parsed = await parse("𠀀文".repeat(1500));
  const chunks = chunkDocument(parsed);
  let covered = 0;
  for (const chunk of chunks) {
    expect(chunk.start).toBeLessThanOrEqual(covered);
    covered = chunk.end;
    expect(textOf(parsed, chunk).isWellFormed()).toBe(true);
    expect(chunk.end - chunk.start).toBeLessThanOrEqual(700);
  }
  expect(covered).toBe(parsed.text.length);
});

test("sections are not mixed; a question keeps its answer", async () => {
  const parsed = await parse("# 手册\n\n## 甲\n\n甲的内容。\n\n## 乙\n\n乙的内容。\n");
  expect(chunkDocument(parsed).map((chunk) => [chunk.context.at(-1), textOf(parsed, chunk)])).toEqual([
    ["甲", "甲的内容。"],
    ["乙", "乙的内容。"],
  ]);
  const faq = await parse("问：年假几天？\n答：五天。\n问：病假呢？\n答：按规定。\n", "faq.txt");
  expect(chunkDocument(faq).map((chunk) => textOf(faq, chunk))).toEqual(["问：年假几天？\n答：五天。", "问：病假呢？\n答：按规定。"]);
});

test("headings with nothing under them are still found", async () => {
  const parsed = await parse("# 只有标题\n\n## 第二行标题\n");
  expect(chunkDocument(parsed).length).toBeGreaterThan(0);
});

test("table rows share a chunk up to a size and are never cut", async () => {
  const rows = Array.from({ length: 40 }, (_, i) => `| 部门${i} | 负责人${i} | 电话${i} |`).join("\n");
  const parsed = await parse(`# 通讯录\n\n| 部门 | 负责人 | 电话 |\n|---|---|---|\n${rows}\n`);
  const chunks = chunkDocument(parsed);
  expect(chunks.length).toBeGreaterThan(2);
  for (const chunk of chunks) expect(textOf(parsed, chunk)).toMatch(/^部门：部门\d+；.*电话\d+$/s);
});

const laws = devData("laws");

test.skipIf(laws === null)(
  laws === null ? "real statutes (skipped: no development data)" : "every article of a thousand real statutes, at 15 MB/s or more on a free core",
  async () => {
    const files = readdirSync(laws ?? "", { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    const read = files.map((entry) => ({ name: entry.name, bytes: readFileSync(path.join(entry.parentPath, entry.name)) }));
    let [articles, expected, size] = [0, 0, 0];
    const cpu = process.cpuUsage();
    for (const { name, bytes } of read) {
      const parsed = await parseDocument(bytes, name);
      const chunks = chunkDocument(parsed);
      size += bytes.byteLength;
      articles += chunks.filter((chunk) => chunk.label?.startsWith("第") === true && parsed.text.startsWith(`${chunk.label} `, chunk.start)).length;
      for (const chunk of chunks) expect(chunk.end - chunk.start).toBeLessThanOrEqual(700);
    }
    const { user } = process.cpuUsage(cpu);
    for (const { bytes } of read)
      expected += bytes.toString().match(/^第[一二三四五六七八九十百千零]+条(?:之[一二三四五六七八九十]+)? /gm)?.length ?? 0;
    expect(articles).toBe(expected);
    expect(size / user).toBeGreaterThan(5); // MB per second of CPU; generous, for machines that are busy
  },
);
