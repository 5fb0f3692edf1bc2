/** @file Everyday questions about the sample statutes, asked of a whole box with the real embedder: how many are answered from the right sentence, how many rightly refused. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadSettings } from "#base";
import type { Actor, Answer } from "#contracts";
import { type Box, openBox } from "../src/app/open-box.ts";
import { testModelFolder, waitFor } from "./start-box.ts";

type Asked = { readonly question: string; readonly quote: string | null };
const { questions } = JSON.parse(fs.readFileSync(path.join(import.meta.dirname, "fixtures/statute-questions.json"), "utf8")) as {
  questions: readonly Asked[];
};
const actor: Actor = { personId: null, name: "test", role: "operator" };

let folder: string;
let box: Box;
let kb: string;

beforeAll(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "starbox-statutes-"));
  box = openBox(loadSettings({ data: folder, modelFolder: testModelFolder(), model: "none" }), { serving: false });
  await box.start();
  const signal = AbortSignal.timeout(280_000);
  await box.chooseDefaults(signal);
  await box.services.models.pull("multilingual-e5-small");
  await box.services.models.waitFor("multilingual-e5-small", signal);
  kb = (await box.services.knowledge.addSamples(actor)).id;
  await waitFor(280_000, async () => {
    const { pending, chunks, embedded } = await box.services.knowledge.readBase(actor, kb);
    return pending === 0 && chunks > 800 && embedded === chunks ? true : null;
  });
});

afterAll(async () => {
  await box.close();
  fs.rmSync(folder, { recursive: true, force: true });
});

async function ask(question: string): Promise<Answer> {
  for await (const part of box.services.answers.answer(actor, { kbs: [kb], messages: [{ role: "user", content: question }] }))
    if (part.type === "finish") return part.answer;
  throw new Error("no answer");
}

test("most are answered from the sentence that says it, few are refused wrongly, most that the statutes do not answer are refused", async () => {
  const count = { right: 0, falseRefusals: 0, refused: 0 };
  for (const { question, quote } of questions) {
    const answer = await ask(question);
    if (quote === null) count.refused += answer.refused ? 1 : 0;
    else if (answer.refused) count.falseRefusals++;
    else if (answer.citations.some((citation) => citation.quote.includes(quote))) count.right++;
  }
  const answerable = questions.filter(({ quote }) => quote !== null).length;
  expect(count.right, JSON.stringify(count)).toBeGreaterThanOrEqual(0.8 * answerable);
  expect(count.falseRefusals, JSON.stringify(count)).toBeLessThanOrEqual(0.1 * answerable);
  expect(count.refused, JSON.stringify(count)).toBeGreaterThanOrEqual(0.6 * (questions.length - answerable));
});

test("every citation is its source's own words, at its place", async () => {
  for (const { question } of questions.slice(0, 12)) {
    const { citations, text } = await ask(question);
    for (const { documentId, versionId, start, end, quote } of citations) {
      expect((await box.services.knowledge.readText(actor, documentId, versionId)).text.slice(start, end)).toBe(quote);
    }
    for (const line of text.split("\n")) expect(line.match(/\[\d+\]/g)?.length ?? 0).toBeLessThanOrEqual(2);
  }
});
