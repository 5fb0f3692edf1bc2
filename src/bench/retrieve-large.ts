/** @file Search over 100,000 passages: how long a question takes, and how much of the exact vector order the index keeps. */
import { StarboxError } from "#base";
import { copyOfLaw, realFiles, realFolder, realLaws } from "./large-base.ts";
import { fill, latency, lawQuestions, type Measured, operator, type RetrieveBench, same } from "./retrieve.ts";

export type LargeBench = RetrieveBench & {
  /** Recall@10 of the vectors against exact ones, over the passages of one folder. */
  readonly recall: (kbId: string, folder: string, questions: readonly string[]) => Promise<{ readonly recall: number; readonly vectors: number }>;
};

const passages = 100_000;
/** Laws copied before looking again how many passages there are. */
const copiesAtOnce = 100;
/** Each question is asked once while its vector is made beside the search, then so often with the vector known: that is the time without the embedder. */
const rounds = { short: 2, long: 4 };

export async function* measureLarge(bench: LargeBench): AsyncGenerator<Measured> {
  const questions = lawQuestions(bench.data).map(({ question }) => question);
  const { kbId, chunks } = await prepare(bench);
  await ask(bench, kbId, questions.slice(0, 3)); // what is loaded once is not part of it
  const first = await ask(bench, kbId, questions);
  const asked: Timed[] = [];
  for (let round = 0; round < (bench.long ? rounds.long : rounds.short); round++) asked.push(...(await ask(bench, kbId, questions)));
  const of = `${chunks} chunks, ${questions.length} questions`;
  yield latency(
    `${of}: hybrid search, each question for the first time, the embedder at work beside it`,
    first.map((one) => one.words + one.vectors + one.ranking),
  );
  yield latency(
    `${of}: words`,
    asked.map(({ words }) => words),
  );
  yield latency(
    `${of}: vectors`,
    asked.map(({ vectors }) => vectors),
  );
  yield latency(
    `${of}: ranking`,
    asked.map(({ ranking }) => ranking),
  );
  yield latency(
    `${of}: hybrid search without the embedder`,
    asked.map(({ words, vectors, ranking }) => words + vectors + ranking),
  );
  const { recall, vectors } = await bench.recall(kbId, realFolder, questions);
  yield { case: `vectors: recall@10 against exact, ${vectors} real ones, ${questions.length} questions`, unit: "share", starbox: same(recall) };
}

type Timed = { readonly words: number; readonly vectors: number; readonly ranking: number };

async function ask({ services, signal }: LargeBench, kbId: string, questions: readonly string[]): Promise<Timed[]> {
  const timed: Timed[] = [];
  for (const query of questions) {
    signal.throwIfAborted();
    const { mode, note, ms } = await services.knowledge.search(operator, kbId, { query, limit: 10, signal });
    if (mode !== "hybrid") throw new StarboxError("embedder_not_ready", `Searching by meaning is off: ${note ?? "no vectors"}.`);
    timed.push({ words: ms.lexical, vectors: ms.dense, ranking: ms.fuse });
  }
  return timed;
}

/** Real files first, then copies until there are enough passages; all of it is kept for the next run. */
async function prepare(bench: LargeBench): Promise<{ readonly kbId: string; readonly chunks: number }> {
  const name = "bench-large";
  const { knowledge } = bench.services;
  const kbId = await fill(bench, name, realFiles(bench.data, bench.long));
  const laws = realLaws(bench.data, bench.long);
  for (let round = 1; ; round++) {
    for (let at = 0; at < laws.length; at += copiesAtOnce) {
      const { chunks } = await knowledge.readBase(operator, kbId);
      if (chunks >= passages) return { kbId, chunks };
      await fill(
        bench,
        name,
        laws.slice(at, at + copiesAtOnce).map((law) => copyOfLaw(bench.data, law, round)),
      );
    }
  }
}
