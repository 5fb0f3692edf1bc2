/** @file The loop: epochs in a seeded order, steps, validation, checkpoints, early stopping. Everything follows from run.json and the step, so a killed run goes on bitwise where it was. */
import { createHash } from "node:crypto";
import { StarboxError } from "#base";
import type { TrainLineOf } from "#contracts";
import { type Progress, readCheckpoint, writeCheckpoint } from "./checkpoint.ts";
import { partName } from "./lora.ts";
import { type Example, type Packed, packBatch } from "./pack.ts";
import type { RunConfig } from "./run-config.ts";
import { batchAt, learningRateAt, shuffled } from "./schedule.ts";
import type { Stepper } from "./stepper.ts";

type StepEvent = TrainLineOf<"step">;
type PackingEvent = TrainLineOf<"packing">;
export type TrainEvent = StepEvent | PackingEvent | TrainLineOf<"validation">;

export type TrainingSet = { readonly training: readonly Example[]; readonly validation: readonly Example[] };

/** The rows held back: by the seed, the same on every run. */
export function splitExamples(examples: readonly Example[], { validation, seed }: Pick<RunConfig, "validation" | "seed">): TrainingSet {
  const held = Math.min(examples.length - 1, Math.round(validation < 1 ? validation * examples.length : validation));
  const order = shuffled(examples.length, seed, -1);
  const back = new Set(order.slice(0, Math.max(0, held)));
  return { training: examples.filter((_, i) => !back.has(i)), validation: examples.filter((_, i) => back.has(i)) };
}

export const stepsOf = (count: number, { batch, epochs }: Pick<RunConfig, "batch" | "epochs">): number =>
  Math.max(1, Math.ceil(Math.ceil(count / batch) * epochs));

const countTokens = (examples: readonly Example[]): number => examples.reduce((sum, { ids }) => sum + ids.length, 0);

export type Plan = { readonly event: PackingEvent; pack(examples: readonly Example[]): readonly Packed[] };

/** Chooses how batches are packed: shared prefixes where they save rows and nothing random touches them. */
export function planPacking(training: readonly Example[], run: RunConfig): Plan {
  const { packing, dropout, batchTokens, batch, seed } = run;
  const steps = Math.ceil(training.length / batch);
  const epoch = (share: boolean, single: boolean): readonly Packed[] =>
    Array.from({ length: steps }, (_, i) => i + 1).flatMap((step) =>
      packBatch(
        batchAt(step, training.length, batch, seed).map((index) => training[index]!),
        { share, batchTokens, single },
      ),
    );
  const rowsOf = (packed: readonly Packed[]): number => packed.reduce((sum, { ids }) => sum + ids.length, 0);
  if (packing === "shared" && dropout > 0)
    throw new StarboxError("invalid_input", "packing: shared prefixes are exact only without dropout.", {
      hint: "Set dropout 0, or packing to auto.",
      zh: { message: "packing：只有在 dropout 为 0 时共享前缀才是精确的。", hint: "请将 dropout 设为 0，或使用 packing: auto。" },
    });
  const single = packing === "none";
  const plain = epoch(false, single);
  const shared = packing === "none" || packing === "plain" || dropout > 0 ? null : epoch(true, false);
  const saved = shared === null ? 0 : 1 - rowsOf(shared) / rowsOf(plain);
  const share = shared !== null && (packing === "shared" || saved >= 0.05);
  const chosen = share ? shared : plain;
  const percent = `${(saved * 100).toFixed(0)} %`;
  const why =
    packing !== "auto"
      ? "asked for in run.json"
      : dropout > 0
        ? "dropout makes shared prefixes inexact"
        : share
          ? `examples begin alike: ${percent} fewer rows`
          : `shared beginnings would save ${percent} of the rows only`;
  return {
    pack: (examples) => packBatch(examples, { share, batchTokens, single }),
    event: {
      type: "packing",
      packing: share ? "shared" : single ? "none" : "plain",
      why,
      tokens: countTokens(training),
      rows: rowsOf(chosen),
      learned: chosen.reduce((sum, { rows }) => sum + rows.length, 0),
      microBatches: chosen.length,
    },
  };
}

export type TrainOptions = {
  readonly run: RunConfig;
  readonly stepper: Stepper;
  readonly set: TrainingSet;
  /** Where checkpoints lie. Null: none are kept. */
  readonly folder: string | null;
  /** Base and instruction set: a checkpoint goes on only with the same. */
  readonly circumstances: string;
  readonly signal: AbortSignal;
  readonly memoryBytes?: () => number;
};

/** run.json, data, base, instruction set: what decides the bits. Threads do not. */
export function fingerprintOf({ run, set, circumstances }: Pick<TrainOptions, "run" | "set" | "circumstances">): string {
  const { threads: _threads, name: _name, checkpointEvery: _every, ...deciding } = run;
  const hash = createHash("sha256").update(JSON.stringify(deciding)).update(circumstances);
  for (const { ids, weights } of [...set.training, ...set.validation]) hash.update(ids).update(weights);
  return hash.digest("hex");
}

export type TrainOutcome = {
  readonly steps: number;
  readonly stoppedEarly: boolean;
  readonly lastLoss: number | null;
  readonly bestStep: number | null;
};

export async function* train(options: TrainOptions): AsyncGenerator<TrainEvent, TrainOutcome> {
  const { run, stepper, set, folder, signal } = options;
  if (set.training.every(({ weights }) => weights.every((weight) => weight === 0)))
    throw new StarboxError("invalid_input", "Nothing is learned: no token of the training set is supervised.", {
      hint: "Conversations need assistant messages; `trainOnPrompt` learns everything.",
      zh: { message: "训练集中没有任何需要学习的 token。", hint: "对话需包含 assistant 消息；trainOnPrompt 会学习全部内容。" },
    });
  const plan = planPacking(set.training, run);
  const total = stepsOf(set.training.length, run);
  const perEpoch = Math.ceil(set.training.length / run.batch);
  const fingerprint = fingerprintOf(options);
  const every = run.checkpointEvery || Math.max(1, Math.ceil(total / 10));
  const validateEvery = run.validateEvery || perEpoch;
  const memoryBytes = options.memoryBytes ?? (() => process.memoryUsage().rss);
  let progress: Progress = (folder === null ? null : await readCheckpoint(folder, stepper, fingerprint)) ?? { step: 0, best: null, worse: 0 };
  yield plan.event;
  let [lastLoss, seconds, tokens]: [number | null, number, number] = [null, 0, 0];
  let stopped = run.patience > 0 && progress.worse >= run.patience;
  while (progress.step < total && !stopped) {
    const step = progress.step + 1;
    const batch = batchAt(step, set.training.length, run.batch, run.seed);
    const examples = batch.map((index) => set.training[index]!);
    const since = performance.now();
    const lr = learningRateAt(run, step, total);
    const packed = plan.pack(examples);
    const { loss, gradientNorm } = await stepper.step(
      packed,
      { a: lr, b: lr * run.loraPlus },
      step,
      Math.imul(run.seed + 1, 0x9e3779b1) ^ (step << 8),
      signal,
    );
    refuseBroken(loss, gradientNorm, step, batch);
    seconds += (performance.now() - since) / 1000;
    tokens += countTokens(examples);
    lastLoss = loss;
    progress = { ...progress, step };
    const etaSeconds = (seconds / (tokens / countTokens(set.training))) * ((total - step) / perEpoch);
    yield {
      type: "step",
      step,
      steps: total,
      epoch: step / perEpoch,
      loss,
      lr,
      gradientNorm,
      tokensPerSecond: tokens / seconds,
      etaSeconds,
      memoryBytes: memoryBytes(),
    };
    if (set.validation.length > 0 && (step % validateEvery === 0 || step === total)) {
      const found = await validationLoss(stepper, set.validation, plan, signal);
      const best = progress.best === null || found < progress.best.loss;
      progress = best ? { step, best: { loss: found, step }, worse: 0 } : { ...progress, worse: progress.worse + 1 };
      if (best && folder !== null && run.patience > 0) await writeCheckpoint(bestFolder(folder), stepper, fingerprint, progress);
      stopped = run.patience > 0 && progress.worse >= run.patience;
      yield { type: "validation", step, loss: found, best };
    }
    if (folder !== null && (step % every === 0 || step === total || stopped)) await writeCheckpoint(folder, stepper, fingerprint, progress);
  }
  const bestStep = run.patience > 0 && progress.best !== null && folder !== null ? progress.best.step : null;
  if (bestStep !== null && bestStep !== progress.step) await readCheckpoint(bestFolder(folder!), stepper, fingerprint);
  return { steps: progress.step, stoppedEarly: stopped, lastLoss, bestStep };
}

export const bestFolder = (folder: string): string => `${folder}/best`;

/** An update with such a gradient has ruined the adapter: the run ends, the last checkpoint stays. */
function refuseBroken(loss: number, norm: number, step: number, batch: readonly number[]): void {
  if (Number.isFinite(loss) && Number.isFinite(norm) && loss < explodedLoss) return;
  const rows = batch.map((index) => index + 1).join(", ");
  throw new StarboxError(
    "invalid_input",
    `Step ${step}: the loss is ${loss} and the gradient's norm ${norm}. Its rows (of the training part, from 1): ${rows}.`,
    {
      hint: "Look at those rows, or lower the learning rate. The last checkpoint is kept.",
      zh: {
        message: `第 ${step} 步损失为 ${loss}，梯度范数为 ${norm}。该批次的数据行（训练部分，从 1 起）：${rows}。`,
        hint: "请检查这些数据行，或降低学习率。最近的检查点仍保留。",
      },
      details: { step, rows: batch, loss, norm },
    },
  );
}
/** A uniform guess costs about 12; beyond this nothing is being learned any more. */
const explodedLoss = 100;

/** Mean over all learned tokens of the rows held back. */
export async function validationLoss(
  stepper: Stepper,
  validation: readonly Example[],
  plan: Pick<Plan, "pack">,
  signal?: AbortSignal,
): Promise<number> {
  let [sum, weight] = [0, 0];
  for (const packed of plan.pack(validation)) {
    if (packed.rows.length === 0) continue;
    const part = await stepper.loss(packed, signal);
    sum += part.sum;
    weight += part.weight;
  }
  return sum / weight;
}

/** All adapters' values by name, in the order of the plan. */
export const adapterValues = (stepper: Stepper): ReadonlyMap<string, Float32Array> =>
  new Map(stepper.parts.map(([{ weight }, part]) => [partName(weight, part), stepper.read(partName(weight, part))]));
