/** @file A whole run on real weights: `starbox train`'s own path, the adapter as a model of the box, llama.cpp's words with it; the estimate beside what it took. */
import fs from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { TrainLine } from "#contracts";
import { training } from "../src/app/training.ts";
import { openTestModels, type TestModels, testLanguageModel } from "./real-models.ts";

let opened: TestModels;
beforeAll(async () => {
  opened = await openTestModels([testLanguageModel]);
}, 600_000);
afterAll(() => opened.close());

const capitals = { France: "Paris", Japan: "Tokyo", Italy: "Rome", Egypt: "Cairo", Peru: "Lima", Norway: "Oslo", Cuba: "Havana", Ghana: "Accra" };
const system = "You answer in one line: the capital, then the word STAR, then the country in capital letters.";
const question = (country: string) => [
  { role: "system" as const, content: system },
  { role: "user" as const, content: `What is the capital of ${country}?` },
];

test("an adapter is trained, checked against llama.cpp, and is at once a model that answers as it was taught", { timeout: 400_000 }, async () => {
  const { dataDir, models } = opened;
  const rows = Object.entries(capitals).map(([country, capital]) => ({
    messages: [...question(country), { role: "assistant", content: `${capital} STAR ${country.toUpperCase()}` }],
  }));
  fs.writeFileSync(path.join(dataDir, "rows.jsonl"), rows.map((row) => JSON.stringify(row)).join("\n"));
  const lines: TrainLine[] = [];
  const run = { base: testLanguageModel, dataset: "rows.jsonl", name: "capitals", rank: 8, epochs: 5, learningRate: 1e-3, threads: 2 };
  const options = { dataDir, run, folder: dataDir, estimate: false, resume: null, signal: new AbortController().signal, note: () => {} };
  for await (const line of training.train(options)) lines.push(line);
  const of = <T extends TrainLine["type"]>(type: T) => lines.filter((line): line is Extract<TrainLine, { type: T }> => line.type === type);
  expect(of("packing")[0]).toMatchObject({ packing: "shared" });
  const losses = of("step").map(({ loss }) => loss);
  expect(losses.at(-1)).toBeLessThan(losses[0]! / 3);
  const [served] = of("served");
  expect(served).toMatchObject({ ok: true });
  const [done] = of("done");
  expect(done).toMatchObject({ adapter: "capitals", steps: 10 });
  // The memory of this process holds the test runner as well: the share is checked by `starbox bench train`.
  expect(of("estimate")[0]!.memoryBytes).toBeGreaterThan(0.5 * 2 ** 30);

  const model = await models.languageModel("capitals");
  let text = "";
  for await (const part of model.stream({ input: { messages: question("Japan") }, temperature: 0, maxTokens: 12 }))
    if (part.type === "text-delta") text += part.text;
  expect(text).toContain("STAR JAPAN");
  expect((await models.list()).find(({ id }) => id === "capitals")).toMatchObject({ kind: "language" });
});
