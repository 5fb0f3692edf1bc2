/** @file Trained = served: the trainer's probabilities beside those of the engine that will serve the adapter, on the run's own rows. Above the thresholds the adapter is not offered. */
import type { TrainLineOf } from "#contracts";
import { type Example, packExamples } from "./pack.ts";
import type { Stepper } from "./stepper.ts";
import type { TrainingSet } from "./trainer.ts";

/** Logits of chosen rows by the serving engine. `sameWeights`: on a file with exactly the trainer's weights; else on the file that is served. */
export type AskEngine = (request: {
  readonly texts: readonly { readonly ids: Int32Array; readonly rows: Int32Array }[];
  readonly adapter: boolean;
  readonly sameWeights: boolean;
}) => Promise<readonly Float32Array[]>;

export type ServedReport = Omit<TrainLineOf<"served">, "type">;

const meanLogprobLimit = 1e-3;
const mostRows = 4;
const mostTokens = 256;
const mostLearned = 48;

/** Few and short enough for a check that takes seconds. */
function checkedExamples({ validation, training }: TrainingSet): readonly Example[] {
  const short = ({ ids, weights }: Example): Example => {
    const end = Math.min(ids.length, mostTokens);
    const kept = weights.slice(0, end);
    let left = mostLearned;
    return { ids: ids.slice(0, end), weights: kept.map((weight) => (weight > 0 && left-- > 0 ? 1 : 0)) };
  };
  return (validation.length > 0 ? validation : training)
    .map(short)
    .filter(({ weights }) => weights.some((weight) => weight > 0))
    .slice(0, mostRows);
}

function logSoftmax(logits: Float32Array): Float64Array {
  const top = logits.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const total = top + Math.log(logits.reduce((sum, l) => sum + Math.exp(l - top), 0));
  return Float64Array.from(logits, (l) => l - total);
}

const klOf = (p: Float64Array, q: Float64Array): number => p.reduce((sum, lp, i) => sum + Math.exp(lp) * (lp - q[i]!), 0);

/** Throws what the engine throws. */
export async function compareWithServing(stepper: Stepper, set: TrainingSet, ask: AskEngine, signal: AbortSignal): Promise<ServedReport> {
  const examples = checkedExamples(set);
  const packed = examples.map((example) => packExamples([example], false));
  const texts = packed.map(({ ids, rows }) => ({ ids: Int32Array.from(ids), rows: Int32Array.from(rows) }));
  const ours = async (bare: boolean): Promise<Float32Array[]> => {
    const all: Float32Array[] = [];
    for (const one of packed) all.push(await stepper.logits(one, { bare, signal }));
    return all;
  };
  const vocabulary = stepper.options.config.vocabulary;
  const rowsOf = (logits: readonly Float32Array[]): Float64Array[] =>
    logits.flatMap((all) =>
      Array.from({ length: all.length / vocabulary }, (_, i) => logSoftmax(all.subarray(i * vocabulary, (i + 1) * vocabulary))),
    );
  const targets = packed.flatMap((one) => one.targets);
  const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
  const trained = rowsOf(await ours(false));
  const same = rowsOf(await ask({ texts, adapter: true, sameWeights: true }));
  const meanLogprobDifference = mean(trained.map((row, i) => Math.abs(row[targets[i]!]! - same[i]![targets[i]!]!)));
  const served = rowsOf(await ask({ texts, adapter: true, sameWeights: false }));
  const servedKl = mean(trained.map((row, i) => klOf(row, served[i]!)));
  const bare = rowsOf(await ours(true));
  const bareServed = rowsOf(await ask({ texts, adapter: false, sameWeights: false }));
  const bareKl = mean(bare.map((row, i) => klOf(row, bareServed[i]!)));
  const servedKlLimit = 1.25 * bareKl + 0.005;
  const ok = meanLogprobDifference <= meanLogprobLimit && servedKl <= servedKlLimit;
  return { ok, tokens: targets.length, meanLogprobDifference, meanLogprobLimit, servedKl, bareKl, servedKlLimit };
}
