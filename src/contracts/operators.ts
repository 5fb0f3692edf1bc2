/** @file Lines of `starbox ops list|verify|bench`: what people script against. The work is `compute`'s. */
import type { Spread } from "./bench.ts";

export type MaturityLevel = "none" | "experimental" | "works" | "verified" | "tuned";

export type OperatorRow = {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly gradient: boolean;
  /** Device -> its kernel, or null and the reason there is none. */
  readonly devices: Readonly<
    Record<
      string,
      {
        readonly kernel: string | null;
        readonly reason?: string;
        readonly maturity: MaturityLevel /** What the level follows from. */;
        readonly why: string;
      }
    >
  >;
};

export type OperatorVerifyRow = {
  readonly op: string;
  readonly device: string;
  readonly dtype: string;
  readonly shape: string;
  /** run: can it; fwd, bwd: same numbers as float64; network: same as other implementations; speed: no judgement. */
  readonly pass: "run" | "fwd" | "bwd" | "network" | "speed";
  readonly ok: boolean;
  readonly metric: string;
  readonly value: number | null;
  readonly threshold: number | null;
  /** Why it was not run, what went wrong, or which known difference this is. */
  readonly reason?: string;
  /** The device's numbers are not ours by its own design, and as far off as that explains. */
  readonly known?: true;
};

export type OperatorBenchCase = {
  readonly kind: "case";
  readonly op: string;
  readonly device: string;
  readonly dtype: string;
  readonly shape: string;
  readonly case: string;
  readonly value: number;
  readonly spread: Spread;
  readonly unit: "GFLOPS" | "GB/s";
  readonly limit: number;
  readonly limitName: string;
  readonly shareOfLimit: number;
  readonly peers: Readonly<Record<string, Spread>>;
  readonly ratio: Readonly<Record<string, Spread>>;
  readonly machine: string;
  readonly commit: string;
};

/** One promise about speed, over all the cases it is about. */
export type OperatorBenchSummary = {
  readonly kind: "summary";
  readonly line: string;
  readonly what: string;
  readonly value: Spread;
  readonly unit: "%" | "×" | "MB";
  readonly must: number | null;
  readonly goal: number;
  readonly verdict: "goal held" | "must held, goal missed" | "missed";
  readonly cases: readonly string[];
  readonly machine: string;
  readonly commit: string;
};
export type OperatorBenchRow = OperatorBenchCase | OperatorBenchSummary;

export type OperatorsOptions = {
  /** Results of verification and measurement are kept here: maturity is computed from them. */
  readonly dataDir: string;
  /** For rearranged weights of models, in `dataDir`; 0: not kept. */
  readonly packCacheMb: number;
  readonly device: string | null;
  readonly model: string | null;
  readonly only: string | null;
  readonly peers: Readonly<Record<string, string>>;
  readonly rounds: number;
  /** Tiny shapes: shows that the benchmark works, says nothing about speed. */
  readonly short: boolean;
  readonly threads: number;
  readonly isa: string | null;
  readonly report: string | null;
  readonly signal: AbortSignal;
  readonly note: (english: string, chinese: string) => void;
};

/** The operator library as the command line sees it. */
export type Operators = {
  list(options: OperatorsOptions): AsyncIterable<OperatorRow>;
  verify(options: OperatorsOptions): AsyncIterable<OperatorVerifyRow>;
  bench(options: OperatorsOptions): AsyncIterable<OperatorBenchRow>;
};
