/** @file The fast ways of search against slow and obvious ones: counting bits, choosing the largest, ranking words, the vector index against exact vectors. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, expect, test } from "vitest";
import { openConnection, openIndexReader } from "#storage";
import { countDifferences } from "../src/knowledge/retrieve/bit-count.ts";
import { DenseIndex } from "../src/knowledge/retrieve/dense-index.ts";
import { measureVectorRecall } from "../src/knowledge/retrieve/recall.ts";
import { largestFirst } from "../src/knowledge/retrieve/select.ts";
import { WordSearch } from "../src/knowledge/retrieve/word-search.ts";
import { segment } from "../src/knowledge/text/index.ts";
import { encodeVector } from "../src/storage/index-code.ts";
import { type MadeBase, openMadeBase } from "./retrieval-base.ts";

const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0).reverse()) close();
});

function madeBase(): { readonly base: MadeBase; readonly dataDir: string } {
  const dataDir = mkdtempSync(path.join(tmpdir(), "starbox-exact-"));
  const base = openMadeBase(dataDir);
  open.push(() => {
    base.storage.close();
    rmSync(dataDir, { recursive: true, force: true });
  });
  return { base, dataDir };
}

/** mulberry32: the same numbers every run. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Around a few dozen subjects, off centre as real ones are. */
function unit(next: () => number, dimensions: number): Float32Array {
  const subject = random(Math.floor(next() * 40));
  const vector = Float32Array.from({ length: dimensions }, () => 0.3 + (subject() - 0.5) + 0.7 * (next() - 0.5));
  const length = Math.hypot(...vector);
  return vector.map((value) => value / length);
}

test("bits that differ are counted like one by one, at both ends too", () => {
  const next = random(1);
  const word = (): number => (next() * 2 ** 32) | 0;
  for (const words of [3, 12, 24]) {
    const rows = 200;
    const question = Int32Array.from({ length: words }, word);
    const bits = Int32Array.from({ length: rows * words }, word);
    bits.set(question, 0); // nothing differs
    bits.set(
      question.map((value) => ~value),
      words,
    ); // everything does
    const found = countDifferences(bits, question, rows, new Uint16Array(0));
    for (let row = 0; row < rows; row++) {
      let expected = 0;
      for (let i = 0; i < words * 32; i++)
        if (((((bits[row * words + (i >> 5)] as number) ^ (question[i >> 5] as number)) >>> (i & 31)) & 1) === 1) expected++;
      expect(found[row]).toBe(expected);
    }
    expect([found[0], found[1]]).toEqual([0, words * 32]);
  }
});

test("the largest come first, equal ones in their own order", () => {
  const next = random(2);
  const scores = Float64Array.from({ length: 500 }, () => Math.floor(next() * 20) - 10);
  const order = Array.from(scores, (_, i) => i).sort((a, b) => (scores[b] as number) - (scores[a] as number) || a - b);
  for (const limit of [0, 1, 30, 499, 500, 900]) expect(largestFirst(scores, limit)).toEqual(order.slice(0, limit));
});

test("words rank as FTS5 ranks them, titles and long passages included", () => {
  const { base, dataDir } = madeBase();
  const next = random(3);
  const vocabulary = ["合同", "解除", "租赁", "押金", "房屋", "公司", "股东", "责任", "赔偿", "期限", "通知", "登记"];
  const words = (most: number): string =>
    Array.from({ length: 1 + Math.floor(next() * most) }, () => vocabulary[Math.floor(next() ** 2 * 12)]).join("，");
  base.storage.transaction(() => {
    for (let i = 0; i < 400; i++) base.add({ path: `${i}.md`, chunks: [{ text: words(i % 50 === 0 ? 200 : 12), context: [words(3)] }] });
  });
  const reader = openIndexReader(dataDir);
  const connection = openConnection(path.join(dataDir, "box.db"), { readOnly: true });
  open.push(() => {
    reader.close();
    connection.close();
  });
  const search = new WordSearch(reader);
  search.update();
  for (const asked of [["押金"], ["合同", "解除"], ["股东", "责任", "登记"], ["没有"]]) {
    const counted = reader.countWords(asked.flatMap((word) => segment(word)));
    const query = counted.map(({ word, chunks }) => ({ word, chunks, weight: 1, idf: 1 }));
    const expected = connection.all<{ id: number; score: number }>(
      "SELECT rowid AS id, -bm25(chunk_words, 1.0, 0.3) AS score FROM chunk_words WHERE chunk_words MATCH ? AND rowid % 3 > 0 ORDER BY score DESC, rowid LIMIT 25",
      query.map(({ word }) => `"${word}"`).join(" OR "),
    );
    const found = search.find(query, 25, (id) => id % 3 > 0);
    // Equal scores may change places.
    const scoreOf = new Map(expected.map(({ id, score }) => [id, score.toFixed(6)]));
    expect(found.map((id) => scoreOf.get(id) ?? expected.at(-1)?.score.toFixed(6))).toEqual(expected.map(({ score }) => score.toFixed(6)));
    expect(found.length).toBe(asked[0] === "没有" ? 0 : 25);
  }
});

test("6,000 vectors: the index finds nearly all of the exact first ten, and the measurement notices one that does not", () => {
  const { base, dataDir } = madeBase();
  const next = random(4);
  base.storage.transaction(() => {
    for (let d = 0; d < 120; d++)
      base.add({ path: `${d}.md`, chunks: Array.from({ length: 50 }, (_, i) => ({ text: `第${d}章第${i}条`, vector: unit(next, 96) })) });
  });
  const reader = openIndexReader(dataDir);
  open.push(() => reader.close());
  const questions = Array.from({ length: 20 }, () => unit(next, 96));
  const { recall, vectors } = measureVectorRecall(reader, { kbIds: [base.kbId] }, questions, 10);
  expect(vectors).toBe(6000);
  expect(recall).toBeGreaterThan(0.95);
  expect(recall).toBeLessThanOrEqual(1);
  // Every fifth row's code is another vector's: what is measured must fall.
  const broken = {
    ...reader,
    eachVector: (kb: number, after: number, use: (seq: number, chunk: number, code: Uint8Array) => void) =>
      reader.eachVector(kb, after, (seq, chunk, code) => use(seq, chunk, chunk % 5 === 0 ? encodeVector(unit(next, 96)) : code)),
  };
  expect(measureVectorRecall(broken, { kbIds: [base.kbId] }, questions, 10).recall).toBeLessThan(recall - 0.05);
});

test("rows that come, or another person's rights, are seen by the next search", () => {
  const index = new DenseIndex(() => 0);
  const next = random(5);
  for (let i = 1; i <= 5000; i++) index.add(i, i, encodeVector(unit(next, 96)));
  index.prepare();
  const question = unit(next, 96);
  const everybody = (): boolean => true;
  expect(index.find({ vector: question, limit: 1, isAllowed: everybody })[0]?.chunkId).not.toBe(5001);
  index.add(5001, 5001, encodeVector(question));
  index.prepare();
  expect(index.find({ vector: question, limit: 1, isAllowed: everybody })[0]?.chunkId).toBe(5001);
  expect(index.find({ vector: question, limit: 5, isAllowed: (id) => id !== 5001 }).map((found) => found.chunkId)).not.toContain(5001);
});
