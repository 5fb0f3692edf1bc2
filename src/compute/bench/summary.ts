/** @file The summary of a benchmark: one line a promise about speed, made from the rounds of its cases. */
import type { BenchCase } from "./case.ts";

export type Spread = { readonly min: number; readonly median: number; readonly max: number };

export function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  return { min: sorted[0]!, median: sorted[Math.floor(sorted.length / 2)]!, max: sorted.at(-1)! };
}

/** Rates of all rounds of a case, ours and everybody's, with the limit of the run. */
export type Measured = {
  readonly test: BenchCase;
  readonly work: number;
  readonly ours: readonly number[];
  readonly peers: ReadonlyMap<string, readonly number[]>;
  readonly limit: number;
  readonly scratchBytes: number;
};

export type SummaryLine = {
  readonly line: string;
  readonly what: string;
  readonly value: Spread;
  readonly unit: "%" | "×" | "MB";
  readonly must: number | null;
  readonly goal: number;
  /** By the median. Where there is no must, a missed goal is a missed line. */
  readonly verdict: "goal held" | "must held, goal missed" | "missed";
  readonly cases: readonly string[];
};

type Rule = {
  readonly line: string;
  readonly what: string;
  readonly unit: SummaryLine["unit"];
  readonly must?: number;
  readonly goal: number;
  readonly atMost?: boolean;
  readonly measure: (cases: readonly Measured[]) => readonly number[];
};

/** A figure a round: the cases' first, second, … rounds together. */
function perRound(cases: readonly Measured[], count: (round: number) => number, peer?: string): number[] {
  const rounds = Math.min(...cases.map(({ ours, peers }) => (peer === undefined ? ours : (peers.get(peer) ?? [])).length));
  return Array.from({ length: rounds }, (_, round) => count(round));
}
const sum = (cases: readonly Measured[], of: (measured: Measured) => number): number => cases.reduce((all, one) => all + of(one), 0);

/** Share of the limit over all cases, weighted by their work. */
const share = (cases: readonly Measured[]): number[] =>
  perRound(cases, (i) => (100 * sum(cases, ({ work, limit }) => work / limit)) / sum(cases, ({ work, ours }) => work / ours[i]!));
/** The lowest share among the cases. */
const worst = (cases: readonly Measured[]): number[] => {
  const medians = cases.map((one) => spread(share([one])).median);
  return share([cases[medians.indexOf(Math.min(...medians))]!]);
};
const times =
  (peer: string) =>
  (cases: readonly Measured[]): number[] =>
    perRound(cases, (i) => sum(cases, ({ work, peers }) => work / peers.get(peer)![i]!) / sum(cases, ({ work, ours }) => work / ours[i]!), peer);
const added = (cases: readonly Measured[]): number[] => times("base")(cases).map((ratio) => 100 * (1 / ratio - 1));

const quant = (type: string, goal: number): Rule => ({
  line: `${type} decode`,
  what: `matrix-vector, ${type} weights, over ggml`,
  unit: "×",
  must: 1.3,
  goal,
  measure: times("ggml"),
});

export const rules: readonly Rule[] = [
  { line: "bf16 y and dx", what: "bf16 matmul, y and dx, packed weights, share of the limit", unit: "%", must: 65, goal: 85, measure: share },
  { line: "bf16 dW", what: "bf16 matmul, dW, share of the limit", unit: "%", goal: 75, measure: share },
  { line: "LoRA rank 8", what: "LoRA rank 8 in y and dx adds", unit: "%", goal: 5, atMost: true, measure: added },
  { line: "LoRA rank 16", what: "LoRA rank 16 in y and dx adds", unit: "%", goal: 8, atMost: true, measure: added },
  {
    line: "linear + cross entropy",
    what: "linear + cross entropy with gradient, as 4·T·D·V, share of the limit",
    unit: "%",
    goal: 55,
    measure: share,
  },
  {
    line: "linear + cross entropy",
    what: "linear + cross entropy, workspace",
    unit: "MB",
    goal: 64,
    atMost: true,
    measure: (cases) => cases.map(({ scratchBytes }) => scratchBytes / 2 ** 20),
  },
  { line: "f32 matmul", what: "f32 matmul, y, dx and dW, share of the limit", unit: "%", goal: 85, measure: share },
  ...["q8_0", "q5_0", "q4_1"].flatMap((type): Rule[] => [
    { line: `${type} int8 matmul`, what: `int8 matmul, ${type} weights, share of the limit`, unit: "%", goal: 55, measure: share },
    { line: `${type} int8 matmul`, what: `int8 matmul, ${type} weights, over ggml`, unit: "×", must: 1.5, goal: 2.5, measure: times("ggml") },
  ]),
  ...["q5_0", "q4_1", "q4_k", "q6_k"].map((type) => quant(type, 1.8)),
  quant("q8_0", 1.5),
  { line: "bf16 decode", what: "matrix-vector, bf16 weights, share of the read probe", unit: "%", goal: 90, measure: share },
  { line: "attention forward", what: "attention forward, share of the bf16 limit", unit: "%", goal: 60, measure: share },
  { line: "attention backward", what: "attention backward, share of the bf16 limit", unit: "%", goal: 50, measure: share },
  { line: "f32 norms, RoPE, SwiGLU, AdamW", what: "memory-bound in f32, the slowest, share of read+write", unit: "%", goal: 80, measure: worst },
  { line: "bf16 norms, RoPE, SwiGLU", what: "memory-bound in bf16, the slowest, share of read+write", unit: "%", goal: 80, measure: worst },
  { line: "2 threads over 1", what: "compute-bound matmul, 2 threads over 1", unit: "×", goal: 1.85, measure: times("1 thread") },
];

/** Lines all of whose cases were measured with whom they compare: a part of a line is no figure for it. */
export function summarize(measured: readonly Measured[], all: readonly BenchCase[]): SummaryLine[] {
  return rules.flatMap(({ line, what, unit, must, goal, atMost, measure }): SummaryLine[] => {
    const wanted = all.filter(({ lines }) => lines?.includes(line));
    const cases = measured.filter(({ test }) => wanted.includes(test));
    if (cases.length === 0 || cases.length < wanted.length) return [];
    const values = measure(cases);
    if (values.length === 0) return [];
    const value = spread(values);
    const holds = (bound: number): boolean => (atMost ? value.median <= bound : value.median >= bound);
    const verdict = holds(goal) ? "goal held" : must !== undefined && holds(must) ? "must held, goal missed" : "missed";
    return [{ line, what, value, unit, must: must ?? null, goal, verdict, cases: cases.map(({ test }) => test.id) }];
  });
}
