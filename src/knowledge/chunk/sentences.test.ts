/** @file Sentences in Chinese and English, with the places where full stops are not ends. */
import { expect, test } from "vitest";
import { splitSentences } from "./sentences.ts";

const split = (text: string): string[] => splitSentences(text).map(({ start, end }) => text.slice(start, end));

test.each([
  ["今天放假。明天上班！好吗？", ["今天放假。", "明天上班！", "好吗？"]],
  ["他说：“你好。”然后走了。", ["他说：“你好。”", "然后走了。"]],
  ["依照本法第三十条（含附件。见下）处理。另有规定的除外。", ["依照本法第三十条（含附件。见下）处理。", "另有规定的除外。"]],
  ["圆周率约为3.14，见第1.2条。增长5.6%。", ["圆周率约为3.14，见第1.2条。", "增长5.6%。"]],
  [
    "Dr. Smith paid 3.50 dollars, e.g. for tea. He left at 5 p.m. yesterday.",
    ["Dr. Smith paid 3.50 dollars, e.g. for tea.", "He left at 5 p.m. yesterday."],
  ],
  ['He said "Stop." Then he ran. See file.txt now.', ['He said "Stop."', "Then he ran.", "See file.txt now."]],
  ["第一行没有句号\n第二行。", ["第一行没有句号", "第二行。"]],
  ["等等……还有呢？！好。", ["等等……", "还有呢？！", "好。"]],
  ["（括号没有关上。后面的句子仍然要分开。最后一句。", ["（括号没有关上。", "后面的句子仍然要分开。", "最后一句。"]],
  ["1. First item. 2. Second item.", ["1. First item.", "2. Second item."]],
  ["   \n  ", []],
  ["“第一句。第二句。”第三句。", ["“第一句。", "第二句。”", "第三句。"]],
])("%s", (text, expected) => {
  expect(split(text)).toEqual(expected);
});

test("spans are in order, do not overlap, and lose only white space", () => {
  const text = "甲。 乙！\n\n丙（丁。）戊 “己？” e.g. this. And 3.14 that… 尾巴";
  const spans = splitSentences(text);
  let last = 0;
  let lost = "";
  for (const { start, end } of spans) {
    expect(start).toBeGreaterThanOrEqual(last);
    expect(end).toBeGreaterThan(start);
    lost += text.slice(last, start);
    last = end;
  }
  expect((lost + text.slice(last)).trim()).toBe("");
});
