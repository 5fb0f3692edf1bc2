/** @file Lines of `starbox train`: what people script against. The work is `train`'s. */
export type TrainLine =
  | {
      readonly type: "data";
      readonly rows: number;
      readonly validation: number;
      readonly tokens: number;
      readonly learned: number;
      readonly cut: number;
      readonly empty: number;
    }
  | { readonly type: "estimate"; readonly memoryBytes: number; readonly seconds: number; readonly steps: number }
  | {
      readonly type: "packing";
      readonly packing: "shared" | "plain" | "none";
      readonly why: string;
      /** Of one epoch. */
      readonly tokens: number;
      readonly rows: number;
      readonly learned: number;
      readonly microBatches: number;
    }
  | {
      readonly type: "step";
      readonly step: number;
      readonly steps: number;
      readonly epoch: number;
      readonly loss: number;
      readonly lr: number;
      readonly gradientNorm: number;
      /** Tokens of the examples a second, as if each had its own prefix. */
      readonly tokensPerSecond: number;
      readonly etaSeconds: number;
      readonly memoryBytes: number;
    }
  | { readonly type: "validation"; readonly step: number; readonly loss: number; readonly best: boolean }
  | { readonly type: "export"; readonly peft: string; readonly gguf: string; readonly sha256: string }
  | {
      readonly type: "served";
      readonly ok: boolean;
      readonly tokens: number;
      /** Mean |Δ log-probability| of the learned tokens on the same weights. */
      readonly meanLogprobDifference: number;
      readonly meanLogprobLimit: number;
      /** Mean KL of the served file's distribution from the trainer's, with the adapter and for the bare base: what quantisation alone costs. */
      readonly servedKl: number;
      readonly bareKl: number;
      readonly servedKlLimit: number;
    }
  | {
      readonly type: "done";
      readonly run: string;
      /** A model id; null where it is not offered. */
      readonly adapter: string | null;
      readonly sha256: string;
      readonly seconds: number;
      /** Of the steps and validations alone: what the estimate is about. */
      readonly trainingSeconds: number;
      /** Highest resident memory until the last step. */
      readonly peakBytes: number;
      readonly steps: number;
      readonly stoppedEarly: boolean;
      readonly folder: string;
    };

/** One kind of line. */
export type TrainLineOf<Type extends TrainLine["type"]> = Extract<TrainLine, { readonly type: Type }>;

export type TrainingOptions = {
  readonly dataDir: string;
  /** The run.json as it was read; paths in it are relative to `folder`. */
  readonly run: unknown;
  readonly folder: string;
  /** Only the estimate. */
  readonly estimate: boolean;
  /** A run to go on with, by its id. */
  readonly resume: string | null;
  readonly signal: AbortSignal;
  readonly note: (english: string, chinese: string) => void;
};

/** The trainer as the command line sees it. */
export type Training = {
  /** Every key of run.json with its default. */
  readonly defaults: Readonly<Record<string, unknown>>;
  train(options: TrainingOptions): AsyncIterable<TrainLine>;
};
