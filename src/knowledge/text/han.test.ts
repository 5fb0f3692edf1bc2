/** @file The quick ways give what the libraries give: jieba's cut for searching, OpenCC's simplified text. */
import fs from "node:fs";
import path from "node:path";
import { Jieba } from "@node-rs/jieba";
import { dict } from "@node-rs/jieba/dict.js";
import { Converter } from "opencc-js/t2cn";
import { expect, test } from "vitest";
import { cutHan } from "./han.ts";
import { normalise } from "./normalise.ts";
import { stopWords } from "./stop-words.ts";

const root = path.join(import.meta.dirname, "../../..");
const samples = path.join(root, "samples");
const texts = fs
  .readdirSync(samples)
  .filter((name) => name.endsWith(".md"))
  .map((name) => fs.readFileSync(path.join(samples, name), "utf8"));
const words = new TextDecoder()
  .decode(dict)
  .split("\n")
  .map((line) => line.split(" ")[0] as string)
  .filter((word) => /^\p{Script=Han}+$/u.test(word));

function* madeUp(count: number): Generator<string> {
  let state = 7;
  const random = (below: number): number => (state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0) % below;
  for (let i = 0; i < count; i++) {
    let run = "";
    for (let pieces = 1 + random(6); pieces > 0; pieces--)
      run += random(3) === 0 ? String.fromCharCode(0x4e00 + random(0x51a6)) : (words[random(words.length)] as string);
    yield i % 100 === 99 ? `${run}\u{20000}〇${run}` : run;
  }
}

test("runs of ideographs are cut as jieba cuts them: sample documents, and words and characters thrown together", () => {
  const jieba = Jieba.withDict(dict);
  const runs = [...texts.flatMap((text) => text.match(/[\p{Script=Han}〇]{2,}/gu) ?? []), ...madeUp(20_000)].filter((run) => [...run].length > 1);
  expect(runs.length).toBeGreaterThan(22_000);
  for (const run of runs) {
    const all: string[] = [];
    cutHan(run, all, true);
    const wanted = jieba.cutForSearch(run, true);
    if (all.join(" ") !== wanted.join(" ")) expect(all, run).toEqual(wanted);
    const indexed: string[] = [];
    cutHan(run, indexed, false);
    const kept = wanted.filter((word) => !stopWords.has(word));
    if (indexed.join(" ") !== kept.join(" ")) expect(indexed, run).toEqual(kept);
  }
});

test("text in which nothing is Traditional is left alone, and nothing else is", () => {
  const convert = Converter({ from: "t", to: "cn" }) as (text: string) => string;
  const phrases = fs
    .readFileSync(path.join(root, "node_modules/opencc-js/dist/esm-lib/dict/TSPhrases.js"), "utf8")
    .split("|")
    .map((line) => line.split(" ")[0] as string)
    .filter((phrase) => /^\p{Script=Han}+$/u.test(phrase));
  expect(phrases.length).toBeGreaterThan(400);
  for (const text of [...phrases, ...texts, ...words.slice(0, 50_000)]) expect(normalise(text)).toBe(convert(text.normalize("NFKC").toLowerCase()));
});
