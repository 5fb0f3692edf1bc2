/** @file Learning rates and the order of examples: both follow from run.json and the step alone, so a resumed run goes on with the same numbers. */
import { createRandom } from "#compute";

export type ScheduleConfig = { readonly learningRate: number; readonly schedule: "linear" | "cosine" | "constant"; readonly warmup: number };

/** Of step 1 … total, as transformers' schedules have it: the rate of step n is that of n − 1 finished ones. */
export function learningRateAt({ learningRate, schedule, warmup }: ScheduleConfig, step: number, total: number): number {
  const warm = Math.ceil(warmup < 1 ? warmup * total : warmup);
  const done = step - 1;
  if (done < warm) return (learningRate * done) / Math.max(1, warm);
  const progress = (done - warm) / Math.max(1, total - warm);
  if (schedule === "constant") return learningRate;
  return schedule === "linear" ? learningRate * Math.max(0, 1 - progress) : learningRate * 0.5 * (1 + Math.cos(Math.PI * Math.min(1, progress)));
}

/** A permutation of 0 … count−1 (Fisher and Yates), by seed and epoch. */
export function shuffled(count: number, seed: number, epoch: number): number[] {
  const random = createRandom((Math.imul(seed + 1, 0x9e3779b1) ^ Math.imul(epoch + 1, 0x85ebca77)) >>> 0);
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

/** Indices of the examples of step 1 … total; a run of part of an epoch ends inside it. */
export function batchAt(step: number, count: number, batch: number, seed: number): readonly number[] {
  const perEpoch = Math.ceil(count / batch);
  const epoch = Math.floor((step - 1) / perEpoch);
  const at = ((step - 1) % perEpoch) * batch;
  return shuffled(count, seed, epoch).slice(at, at + batch);
}
