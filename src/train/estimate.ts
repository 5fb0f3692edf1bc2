/** @file Before a run: how much memory (from the programs' own plans, nothing allocated) and how long (from a real step that is not applied). */
import { StarboxError } from "#base";
import { type CpuDevice, elementCount, specBytes } from "#compute";
import type { BaseModel } from "./base-model.ts";
import { partSpec } from "./lora.ts";
import type { Packed } from "./pack.ts";
import type { RunConfig } from "./run-config.ts";
import { batchAt } from "./schedule.ts";
import { fusedProgram, gradientProgram, type StepOptions } from "./step-program.ts";
import { type Stepper, shapeOf } from "./stepper.ts";
import { planPacking, stepsOf, type TrainingSet } from "./trainer.ts";

export type Estimate = { readonly memoryBytes: number; readonly seconds: number; readonly steps: number };

/** Node with its code, and what it holds of tensors on their way to the device. */
const runtimeBytes = 260 << 20;

/** The batches of so many steps from the first, packed. */
function batches(set: TrainingSet, run: RunConfig, steps: number): readonly (readonly Packed[])[] {
  const plan = planPacking(set.training, run);
  return Array.from({ length: steps }, (_, i) =>
    plan.pack(batchAt(i + 1, set.training.length, run.batch, run.seed).map((index) => set.training[index]!)),
  );
}

const paddedRows = (batch: readonly Packed[]): number => batch.reduce((sum, packed) => sum + shapeOf(packed).tokens, 0);
const largestOf = (parts: readonly Packed[]): Packed => parts.reduce((a, b) => (shapeOf(a).tokens >= shapeOf(b).tokens ? a : b));

export function estimateMemory(device: CpuDevice, model: BaseModel, options: StepOptions, set: TrainingSet, run: RunConfig): number {
  const epoch = batches(set, run, Math.min(stepsOf(set.training.length, run), Math.ceil(set.training.length / run.batch)));
  const largest = largestOf(epoch.flat());
  const accumulated = epoch.some((batch) => batch.length > 1);
  const program = (accumulated ? gradientProgram : fusedProgram)(shapeOf(largest), options);
  const { arenaBytes, packedBytes, inputBytes } = device.memoryOf(program);
  const base = [...model.tensors.keys()].reduce((sum, name) => sum + specBytes(options.tensors.get(name)!), 0);
  const adapters = options.adapters
    .flatMap((adapter) => [partSpec(adapter, options.rank, "a"), partSpec(adapter, options.rank, "b")])
    .reduce((sum, { shape }) => sum + 4 * elementCount(shape), 0);
  // Values, two moments; gradients on their way through JavaScript where several micro-batches are summed.
  return runtimeBytes + base + packedBytes + arenaBytes + inputBytes + adapters * (accumulated ? 7 : 3);
}

export function refuseTooLarge(neededBytes: number, freeBytes: number): void {
  if (neededBytes <= freeBytes) return;
  const gib = (bytes: number): string => (bytes / 2 ** 30).toFixed(1);
  throw new StarboxError("memory_exceeded", `This run needs about ${gib(neededBytes)} GiB and ${gib(freeBytes)} GiB are free.`, {
    hint: "Lower batchTokens or cutoff, choose a smaller base, or close other programs.",
    zh: {
      message: `本次训练约需 ${gib(neededBytes)} GiB 内存，当前可用 ${gib(freeBytes)} GiB。`,
      hint: "请减小 batchTokens 或 cutoff，改用更小的底座，或关闭其他程序。",
    },
    details: { neededBytes, freeBytes },
  });
}

/** Seconds of the whole run: rows times what a row of a middling batch takes, and each shape's compilation once. */
export async function estimateSeconds(stepper: Stepper, set: TrainingSet, run: RunConfig, signal: AbortSignal): Promise<number> {
  const total = stepsOf(set.training.length, run);
  const seen = batches(set, run, Math.min(total, 200));
  const middle = seen.toSorted((a, b) => paddedRows(a) - paddedRows(b))[Math.floor(seen.length / 2)]!;
  const timed = async (): Promise<number> => {
    const since = performance.now();
    await stepper.gradients(middle, 0, signal);
    return (performance.now() - since) / 1000;
  };
  const first = await timed(); // packs the weights, touches every page, compiles
  const again = Math.min(await timed(), await timed());
  const shapes = new Set(seen.flat().map((packed) => JSON.stringify(shapeOf(packed)))).size;
  const rows = (seen.reduce((sum, batch) => sum + paddedRows(batch), 0) / seen.length) * total;
  const validation = run.validateEvery || Math.ceil(set.training.length / run.batch);
  const forward =
    set.validation.length === 0 ? 0 : (Math.ceil(total / validation) * set.validation.reduce((sum, { ids }) => sum + ids.length, 0)) / 3;
  const compile = Math.min(1, Math.max(0, first - again)) * 0.5;
  return (again / paddedRows(middle)) * (rows + forward) + (shapes - 1) * compile;
}
