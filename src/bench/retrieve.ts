/** @file Quality and speed of retrieval on public data, through the same services people use. Reads the data; where it lies and what box is measured come from outside. */
import fs from "node:fs";
import path from "node:path";
import { StarboxError } from "#base";
import type { Actor, RetrieveResult, Services, Spread } from "#contracts";
import { type FileToAdd, lawFiles } from "./large-base.ts";

export type RetrieveBench = {
  /** A box whose data folder keeps bases between runs: what is read and embedded once is not done again. */
  readonly services: Pick<Services, "knowledge">;
  /** Folder with drcd/, laws/, lawqa/. */
  readonly data: string;
  readonly long: boolean;
  readonly signal: AbortSignal;
  readonly note: (text: string) => void;
};

export type Measured = { readonly case: string; readonly unit: string; readonly starbox: Spread };

export const operator: Actor = { personId: null, name: "bench", role: "operator" };
const shortQuestions = 500;

type Asked = { readonly id: string; readonly question: string; readonly isHit: (hit: RetrieveResult["hits"][number]) => boolean };

export async function* measureRetrieve(bench: RetrieveBench): AsyncGenerator<Measured> {
  const drcd = await prepareDrcd(bench);
  yield* askAll(bench, drcd.kbId, "drcd", drcd.questions, [1, 5]);
  const laws = await prepareLaws(bench);
  yield* askAll(bench, laws.kbId, "lawqa", laws.questions, [10]);
}

async function* askAll(
  bench: RetrieveBench,
  kbId: string,
  name: string,
  questions: readonly Asked[],
  depths: readonly number[],
): AsyncGenerator<Measured> {
  const ranks: number[] = [];
  const ms: number[] = [];
  for (const { question, isHit } of questions) {
    bench.signal.throwIfAborted();
    const result = await bench.services.knowledge.search(operator, kbId, { query: question, limit: 10, signal: bench.signal });
    if (result.mode !== "hybrid")
      throw new StarboxError("embedder_not_ready", `Searching by meaning is off: ${result.note ?? "no vectors"}.`, {
        hint: "Pull an embedder: starbox models pull multilingual-e5-small.",
      });
    const rank = result.hits.findIndex(isHit);
    ranks.push(rank < 0 ? Number.POSITIVE_INFINITY : rank + 1);
    ms.push(result.ms.lexical + result.ms.dense + result.ms.fuse);
  }
  for (const depth of depths)
    yield {
      case: `${name} ${name === "lawqa" ? "hit" : "recall"}@${depth} of ${ranks.length}`,
      unit: "share",
      starbox: same(ranks.filter((rank) => rank <= depth).length / ranks.length),
    };
  yield latency(`${name} without the embedder`, ms);
}

/** p50 in the middle, p95 at the top. */
export function latency(name: string, ms: readonly number[]): Measured {
  const sorted = ms.toSorted((a, b) => a - b);
  const at = (share: number): number => round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);
  return { case: `${name}: fastest, p50, p95`, unit: "ms", starbox: { min: at(0), median: at(0.5), max: at(0.95) } };
}

export function same(value: number): Spread {
  const rounded = round(value);
  return { min: rounded, median: rounded, max: rounded };
}

export const round = (value: number): number => Math.round(value * 10_000) / 10_000;

type Drcd = {
  readonly data: readonly {
    readonly title: string;
    readonly paragraphs: readonly {
      readonly id: string;
      readonly context: string;
      readonly qas: readonly { readonly id: string; readonly question: string }[];
    }[];
  }[];
};

/** Each paragraph a document; a question's own paragraph is the right one. */
async function prepareDrcd(bench: RetrieveBench): Promise<{ readonly kbId: string; readonly questions: readonly Asked[] }> {
  const paragraphs = readJson<Drcd>(bench.data, "drcd/DRCD_dev.json").data.flatMap((article) => article.paragraphs);
  const files = paragraphs.map((paragraph) => ({ path: `${paragraph.id}.txt`, content: { bytes: new TextEncoder().encode(paragraph.context) } }));
  const kbId = await fill(bench, "bench-drcd", files);
  const questions = paragraphs.flatMap((paragraph) =>
    paragraph.qas.map((qa) => ({
      id: qa.id,
      question: qa.question,
      isHit: (hit: { readonly document: string }) => hit.document === `${paragraph.id}.txt`,
    })),
  );
  const step = bench.long ? 1 : Math.max(1, Math.floor(questions.length / shortQuestions));
  return { kbId, questions: questions.filter((_, i) => i % step === 0) };
}

type LawQuestion = { readonly id: string; readonly question: string; readonly gold: readonly { readonly file: string; readonly text: string }[] };

/** A hit: a passage of the right file that holds the beginning of a right article. */
async function prepareLaws(bench: RetrieveBench): Promise<{ readonly kbId: string; readonly questions: readonly Asked[] }> {
  const kbId = await fill(
    bench,
    "bench-laws",
    lawFiles(bench.data).map((name) => ({ path: name.split(path.sep).join("/"), content: { filePath: path.join(bench.data, "laws", name) } })),
  );
  const rows = lawQuestions(bench.data);
  const bare = (text: string): string => text.replace(/\s+/gu, "");
  const questions = rows.map(({ id, question, gold }) => ({
    id,
    question,
    isHit: (hit: { readonly document: string; readonly text: string }) =>
      gold.some((right) => right.file === hit.document && bare(hit.text).includes(bare(right.text).slice(0, 30))),
  }));
  return { kbId, questions };
}

export function lawQuestions(data: string): readonly LawQuestion[] {
  return fs
    .readFileSync(path.join(data, "lawqa/dev.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as LawQuestion);
}

/** Adds what is not there yet and waits for words and vectors. */
export async function fill(
  { services: { knowledge }, signal, note }: Pick<RetrieveBench, "services" | "signal" | "note">,
  name: string,
  files: readonly FileToAdd[],
): Promise<string> {
  const bases = await knowledge.listBases(operator);
  const kb = bases.find((base) => base.name === name) ?? (await knowledge.createBase(operator, { name }));
  for (const file of files) {
    signal.throwIfAborted();
    await knowledge.addFile(operator, kb.id, file);
  }
  for (let last = ""; ; ) {
    const state = await knowledge.readBase(operator, kb.id);
    if (state.pending === 0 && state.embedded === state.chunks) return kb.id;
    const text = `${name}: ${state.documents - state.pending}/${files.length} read, ${state.embedded}/${state.chunks} embedded${state.etaSeconds === null ? "" : `, about ${Math.ceil(state.etaSeconds / 60)} min left`}`;
    if (text !== last) note(text);
    last = text;
    await new Promise((resolve) => setTimeout(resolve, 5000));
    signal.throwIfAborted();
  }
}

function readJson<T>(data: string, name: string): T {
  const file = path.join(data, name);
  if (!fs.existsSync(file)) {
    throw new StarboxError("not_found", `The measurement needs ${file}.`, {
      hint: "STARBOX_DEV_DATA names the folder with drcd/, laws/ and lawqa/.",
      zh: { message: `测量需要 ${file}。`, hint: "STARBOX_DEV_DATA 指定包含 drcd/、laws/ 和 lawqa/ 的文件夹。" },
    });
  }
  return JSON.parse(fs.readFileSync(file, "utf8")) as T;
}
