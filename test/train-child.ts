/** @file A process that trains the tiny model into a folder, for tests that kill it. Says "step N" as it goes and prints the adapter's hash at the end. */
import { createHash } from "node:crypto";
import { CpuDevice, ensureNative } from "#compute";
import { adapterValues, loadWeights, parseRunConfig, planAdapters, Stepper, train } from "#train";
import { tinyBase, tinyExamples } from "./tiny-base.ts";

const [folder, threads, more] = process.argv.slice(2) as [string, string, string];
const run = parseRunConfig({
  base: "tiny",
  dataset: "-",
  rank: 4,
  epochs: 12,
  batch: 4,
  learningRate: 0.01,
  checkpointEvery: 3,
  ...(JSON.parse(more) as object),
});
const base = tinyBase();
const examples = tinyExamples(18, { prefix: 20, seed: 5 });
using device = new CpuDevice({ library: await ensureNative(), threads: Number(threads) });
const weights = await loadWeights(device, base, "file");
const adapters = planAdapters(base.config, base.tensors, run);
const shape = { config: base.config, tensors: base.tensors, adapters, rank: run.rank, scale: 2, activations: "f32" } as const;
using stepper = new Stepper(device, weights, { ...shape, dropout: run.dropout, clip: run.clip, weightDecay: run.weightDecay }, run.seed);
const set = { training: examples.slice(0, 14), validation: examples.slice(14) };
const events = train({ run, stepper, set, folder, circumstances: device.isa, signal: new AbortController().signal });
for (let next = await events.next(); ; next = await events.next()) {
  if (next.done === true) {
    const hash = createHash("sha256");
    for (const values of adapterValues(stepper).values()) hash.update(values);
    process.stdout.write(`done ${JSON.stringify(next.value)} ${hash.digest("hex")}\n`);
    break;
  }
  if (next.value.type === "step") process.stdout.write(`step ${next.value.step}\n`);
}
