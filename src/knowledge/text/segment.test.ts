/** @file Words as the index sees them: what must meet, meets. */
import { expect, test } from "vitest";
import { normalise, normaliseWithOffsets, segment } from "./index.ts";

test("Simplified, Traditional and full width give the same words", () => {
  expect(segment("民事權利能力與頭髮")).toEqual(segment("民事权利能力与头发"));
  expect(segment("ＧＢ／Ｔ－２３１２標準")).toEqual(segment("gb/t-2312标准"));
  expect(segment("ＡＢＣ１２３")).toEqual(["abc123"]);
});

test("short words inside long ones are there too", () => {
  expect(segment("根据民法典的规定")).toEqual(expect.arrayContaining(["民法典", "民法"]));
  expect(segment("中华人民共和国")).toEqual(expect.arrayContaining(["中华", "人民", "共和国", "中华人民共和国"]));
});

test("numbers and standards stay whole and in parts", () => {
  expect(segment("符合GB/T-2312和3.14，C++")).toEqual(expect.arrayContaining(["gb/t-2312", "gb", "2312", "3.14", "c++"]));
  expect(segment("2024年3月1日")).toEqual(expect.arrayContaining(["2024", "3", "1"]));
});

test("stop words go, content words with 'not' stay", () => {
  expect(segment("请问我可以怎么办呢")).toEqual(["可以"]);
  expect(segment("不得泄露")).toContain("不得");
});

test("words of the house are tokens, whatever surrounds them", () => {
  expect(segment("我们用星河计划做试点", { words: ["星河计划"] })).toContain("星河计划");
  expect(segment("the Blue Sky plan", { words: ["blue sky"] })).toContain("blue_sky");
});

test("other scripts are words, symbols are nothing", () => {
  expect(segment("東京タワー и Москва ①★→")).toEqual(expect.arrayContaining(["タワー", "москва"]));
  expect(segment("？！……——")).toEqual([]);
  expect(segment("")).toEqual([]);
  expect(segment("\u{20000}\u{2A6D6}").length).toBeGreaterThan(0);
});

test("offsets lead back to the original text", () => {
  const text = "第①条 ﬁnd ㎏，頭髮é́ＡＢ";
  const { text: normal, offsets } = normaliseWithOffsets(text);
  expect(offsets.length).toBe(normal.length + 1);
  expect(text[offsets[normal.indexOf("头")] as number]).toBe("頭");
  expect(text[offsets[normal.indexOf("ab")] as number]).toBe("Ａ");
  expect(text.slice(offsets[normal.indexOf("kg")] as number, (offsets[normal.indexOf("kg")] as number) + 1)).toBe("㎏");
  expect(normalise("頭髮")).toBe("头发");
});
