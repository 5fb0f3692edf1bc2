/** @file How right, short, proven and honest answers are, on public reading-comprehension questions never used for fitting, through the services people use. */
import fs from "node:fs";
import path from "node:path";
import type { Actor, Answer, Services, Spread } from "#contracts";
import { partOf } from "./drcd-split.ts";
import { fill, latency, type Measured, same } from "./retrieve.ts";

export type AnswerBench = {
  readonly services: Pick<Services, "knowledge" | "answers">;
  /** Folder with drcd/. */
  readonly data: string;
  readonly long: boolean;
  readonly signal: AbortSignal;
  readonly note: (text: string) => void;
  /** Number of questions; a third of them has its paragraph taken away. */
  readonly questions?: number;
};

type Paragraph = {
  readonly id: string;
  readonly context: string;
  readonly qas: readonly { readonly id: string; readonly question: string; readonly answers: readonly { readonly text: string }[] }[];
};
type Drcd = { readonly data: readonly { readonly id: string; readonly paragraphs: readonly Paragraph[] }[] };
type Asked = { readonly question: string; readonly golds: readonly string[]; readonly answerable: boolean };

const operator: Actor = { personId: null, name: "bench", role: "operator" };

export async function* measureAnswer(bench: AnswerBench): AsyncGenerator<Measured> {
  const drcd = JSON.parse(fs.readFileSync(path.join(bench.data, "drcd/DRCD_dev.json"), "utf8")) as Drcd;
  const paragraphs = drcd.data.flatMap((article) => article.paragraphs);
  const count = bench.questions ?? (bench.long ? 300 : 90);
  const { asked, removed } = chooseQuestions(drcd, count);
  const kbId = await fill(
    bench,
    "bench-drcd",
    paragraphs.map((p) => ({ path: `${p.id}.txt`, content: { bytes: new TextEncoder().encode(p.context) } })),
  );
  const documentIds = await documentsBut(bench, kbId, removed);
  const answers: { readonly asked: Asked; readonly answer: Answer }[] = [];
  for (const one of asked) {
    bench.signal.throwIfAborted();
    const parts = bench.services.answers.answer(operator, {
      kbs: [kbId],
      messages: [{ role: "user", content: one.question }],
      filter: { documentIds },
      signal: bench.signal,
    });
    for await (const part of parts) if (part.type === "finish") answers.push({ asked: one, answer: part.answer });
    if (answers.length % 30 === 0) bench.note(`${answers.length}/${asked.length} answered`);
  }
  yield* figures(answers);
}

function* figures(answers: readonly { readonly asked: Asked; readonly answer: Answer }[]): Generator<Measured> {
  const answerable = answers.filter(({ asked }) => asked.answerable);
  const unanswerable = answers.filter(({ asked }) => !asked.answerable);
  const answered = answerable.filter(({ answer }) => !answer.refused);
  const lengths = answered.map(({ answer }) => [...withoutMarkers(answer.text)].length).sort((a, b) => a - b);
  const of = (list: readonly unknown[], all: readonly unknown[]): Spread => same(all.length === 0 ? 0 : list.length / all.length);
  yield {
    case: `drcd: answer contains the gold words, of ${answerable.length} answerable`,
    unit: "share",
    starbox: of(
      answered.filter(({ asked, answer }) => contains(withoutMarkers(answer.text), asked.golds)),
      answerable,
    ),
  };
  yield {
    case: "drcd: length of an answer: shortest, median, longest",
    unit: "characters",
    starbox: { min: lengths[0] ?? 0, median: lengths[lengths.length >> 1] ?? 0, max: lengths.at(-1) ?? 0 },
  };
  const f1 = answerable.map(({ asked, answer }) => (answer.refused ? 0 : bestF1(withoutMarkers(answer.text), asked.golds)));
  yield {
    case: "drcd: character F1 over the answerable",
    unit: "share",
    starbox: same(f1.reduce((sum, value) => sum + value, 0) / Math.max(1, f1.length)),
  };
  yield {
    case: `drcd: a cited sentence contains the gold words, of ${answered.length} answered`,
    unit: "share",
    starbox: of(
      answered.filter(({ asked, answer }) => answer.citations.some(({ quote }) => contains(quote, asked.golds))),
      answered,
    ),
  };
  const marks = answered.flatMap(({ answer }) => answer.text.split("\n").map((line) => line.match(/\[\d+\]/g)?.length ?? 0));
  yield {
    case: "drcd: citations a sentence",
    unit: "citations",
    starbox: { min: Math.min(...marks), median: marks.toSorted((a, b) => a - b)[marks.length >> 1] ?? 0, max: Math.max(...marks) },
  };
  yield {
    case: `drcd: refused of ${unanswerable.length} unanswerable`,
    unit: "share",
    starbox: of(
      unanswerable.filter(({ answer }) => answer.refused),
      unanswerable,
    ),
  };
  yield {
    case: `drcd: false refusals of ${answerable.length} answerable`,
    unit: "share",
    starbox: of(
      answerable.filter(({ answer }) => answer.refused),
      answerable,
    ),
  };
  yield latency(
    "drcd: first words",
    answered.map(({ answer }) => answer.ms.firstToken),
  );
}

/** Questions of the reporting part in a fixed random order; a third has its paragraph taken away, and no other question needs that paragraph. */
function chooseQuestions(drcd: Drcd, count: number): { readonly asked: readonly Asked[]; readonly removed: ReadonlySet<string> } {
  const paragraphs = drcd.data.filter((article) => partOf(article.id) === "report").flatMap((article) => article.paragraphs);
  const pool = shuffled(
    paragraphs.flatMap((paragraph) => paragraph.qas.map((qa) => ({ paragraph, qa }))),
    20,
  );
  const away = pool.slice(0, Math.round(count / 3));
  const removed = new Set(away.map(({ paragraph }) => `${paragraph.id}.txt`));
  const kept = pool.filter(({ paragraph }) => !removed.has(`${paragraph.id}.txt`)).slice(0, count - away.length);
  const row =
    (answerable: boolean) =>
    (one: (typeof pool)[number]): Asked => ({ question: one.qa.question, golds: one.qa.answers.map((answer) => answer.text), answerable });
  return { asked: shuffled([...away.map(row(false)), ...kept.map(row(true))], 21), removed };
}

function shuffled<T>(items: readonly T[], seed: number): T[] {
  const out = [...items];
  let state = seed;
  for (let i = out.length - 1; i > 0; i--) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const j = Math.floor((state / 2 ** 32) * (i + 1));
    [out[i], out[j]] = [out[j] as T, out[i] as T];
  }
  return out;
}

async function documentsBut({ services: { knowledge } }: AnswerBench, kbId: string, removed: ReadonlySet<string>): Promise<string[]> {
  const ids: string[] = [];
  for (let cursor: string | null = null; ; ) {
    const page: Awaited<ReturnType<typeof knowledge.listDocuments>> = await knowledge.listDocuments(operator, kbId, {
      limit: 200,
      ...(cursor === null ? {} : { cursor }),
    });
    for (const document of page.items) if (!removed.has(document.path)) ids.push(document.id);
    cursor = page.nextCursor;
    if (cursor === null) return ids;
  }
}

const withoutMarkers = (text: string): string => text.replace(/\[\d+\]/g, "");
const bare = (text: string): string =>
  text
    .normalize("NFKC")
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]/gu, "");

function contains(text: string, golds: readonly string[]): boolean {
  return golds.some((gold) => bare(text).includes(bare(gold)));
}

function bestF1(text: string, golds: readonly string[]): number {
  return Math.max(...golds.map((gold) => f1(bare(text), bare(gold))));
}

function f1(text: string, gold: string): number {
  const counts = new Map<string, number>();
  for (const c of gold) counts.set(c, (counts.get(c) ?? 0) + 1);
  let shared = 0;
  for (const c of text) {
    const left = counts.get(c) ?? 0;
    if (left === 0) continue;
    shared++;
    counts.set(c, left - 1);
  }
  return shared === 0 ? 0 : (2 * shared) / ([...text].length + [...gold].length);
}
