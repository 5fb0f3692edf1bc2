/** @file How fast a language model reads and writes on our own engine, by turns with llama.cpp in the same run: a long prompt, one answer, eight at once. */
import { StarboxError } from "#base";
import type { BenchRow, LanguageModel } from "#contracts";
import { spread } from "./ingest.ts";

export type InferBench = {
  /** The same weights on both engines. */
  readonly models: readonly { readonly id: string; readonly own: LanguageModel; readonly peer: LanguageModel }[];
  readonly rounds: number;
  readonly signal: AbortSignal;
  readonly note: (text: string) => void;
};

type Measured = Omit<BenchRow, "name" | "machine" | "commit">;
type Timed = { readonly promptTokens: number; readonly completionTokens: number; readonly first: number; readonly total: number };

async function timed(model: LanguageModel, prompt: string, maxTokens: number, signal: AbortSignal): Promise<Timed> {
  const since = performance.now();
  let first = 0;
  for await (const part of model.stream({ input: { prompt }, temperature: 0, maxTokens, signal })) {
    if (part.type === "text-delta" && first === 0) first = performance.now() - since;
    if (part.type === "finish") {
      const total = performance.now() - since;
      return { ...part.usage, first: (first || total) / 1000, total: total / 1000 };
    }
  }
  throw new StarboxError("engine_failed", `${model.id} ended without its last part.`);
}

/** Words that no earlier round had, so that no engine finds them in its cache. */
const words = (count: number, round: number): string => Array.from({ length: count }, (_, i) => `w${(i * 7919 + round * 104_729) % 9973}`).join(" ");

const cases: readonly { readonly name: string; readonly measure: (model: LanguageModel, round: number, signal: AbortSignal) => Promise<number> }[] = [
  {
    name: "prompt of about 512 tokens",
    measure: async (model, round, signal) => {
      const { promptTokens, total } = await timed(model, words(130, round), 1, signal);
      return promptTokens / total;
    },
  },
  {
    name: "one answer of 64 tokens",
    measure: async (model, round, signal) => {
      const { completionTokens, first, total } = await timed(
        model,
        `${round}: ${Array.from({ length: 24 }, (_, i) => i + round).join(", ")},`,
        64,
        signal,
      );
      return (completionTokens - 1) / (total - first);
    },
  },
  {
    name: "eight prompts of about 120 tokens at once, answers of 32, prompts included",
    measure: async (model, round, signal) => {
      const since = performance.now();
      const answers = await Promise.all(Array.from({ length: 8 }, (_, i) => timed(model, words(30, round * 8 + i + 1000), 32, signal)));
      return answers.reduce((sum, { completionTokens }) => sum + completionTokens, 0) / ((performance.now() - since) / 1000);
    },
  },
];

export async function* measureInfer({ models, rounds, signal, note }: InferBench): AsyncGenerator<Measured> {
  for (const { id, own, peer } of models)
    for (const { name, measure } of cases) {
      const [ours, theirs]: [number[], number[]] = [[], []];
      for (let round = 0; round <= rounds; round++) {
        const [a, b] = [await measure(own, round, signal), await measure(peer, round, signal)];
        if (round === 0) continue; // the first makes programs and warms caches
        ours.push(a);
        theirs.push(b);
      }
      note(`${id}: ${name}`);
      yield {
        case: `${id}: ${name}`,
        unit: "tokens/s",
        starbox: spread(ours),
        peers: { "llama.cpp": spread(theirs) },
        ratio: { "llama.cpp": spread(ours.map((value, i) => value / theirs[i]!)) },
      };
    }
}
