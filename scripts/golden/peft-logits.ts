/**
 * @file Writes what scripts/golden/peft_equal.py compares: the base as the trainer holds it, some token ids, and our logits with a run's adapter:
 *   node scripts/launch.mjs script scripts/golden/peft-logits.ts BASE.gguf PEFT_FOLDER OUT_FOLDER
 */
import fs from "node:fs";
import path from "node:path";
import { CpuDevice, ensureNative, type TensorSpec } from "#compute";
import { continueFromPeft, loadWeights, loraScale, openBaseModel, packExamples, parseRunConfig, planAdapters, Stepper } from "#train";
import { writePeerModel } from "../../src/app/train-peer.ts";

const [baseFile, peft, out] = process.argv.slice(2) as [string, string, string];
const config = JSON.parse(fs.readFileSync(path.join(peft, "adapter_config.json"), "utf8")) as {
  r: number;
  lora_alpha: number;
  use_rslora: boolean;
  target_modules: string[];
};
const run = parseRunConfig({
  base: baseFile,
  dataset: "-",
  rank: config.r,
  alpha: config.lora_alpha,
  rsLora: config.use_rslora,
  targets: config.target_modules,
});
await using model = await openBaseModel(baseFile);
using device = new CpuDevice({ library: await ensureNative(), threads: 2 });
// f32, so that both sides compute with the same numbers: bf16 matrices are exact in it.
const weights = await loadWeights(device, model, "bf16");
const tensors: ReadonlyMap<string, TensorSpec> = new Map([...weights].map(([name, { spec }]) => [name, spec]));
const adapters = planAdapters(model.config, model.tensors, run);
const shape = { config: model.config, tensors, adapters, rank: run.rank, scale: loraScale(run), activations: "f32" } as const;
using stepper = new Stepper(device, weights, { ...shape, dropout: 0, clip: 0, weightDecay: 0 }, 0);
await continueFromPeft(peft, stepper, model.config, run);
const ids = Int32Array.from({ length: 24 }, (_, i) => (i * 7919 + 11) % Math.min(model.config.vocabulary, 40_000));
const packed = packExamples([{ ids, weights: Float32Array.from(ids, (_, i) => (i > 0 ? 1 : 0)) }], false);
const logits = await stepper.logits(packed, { bare: false });
const metadata = Object.fromEntries([...model.source.metadata].filter(([key]) => !key.startsWith("tokenizer.")));
await writePeerModel(out, { ...metadata, vocabulary: model.config.vocabulary }, tensors, async (name) => weights.get(name)!.read());
fs.writeFileSync(path.join(out, "logits.bin"), logits);
fs.writeFileSync(path.join(out, "ids.json"), JSON.stringify([...ids]));
for (const tensor of weights.values()) tensor[Symbol.dispose]();
