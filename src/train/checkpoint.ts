/** @file A run's state in one safetensors file: adapters, both moments, the step, and what early stopping knows. Whole or not at all; everything else follows from run.json. */
import fs from "node:fs/promises";
import path from "node:path";
import { StarboxError } from "#base";
import { encodeSafetensors, f32Tensor, f32Values, readSafetensors, type SafetensorsTensor, writeDurable } from "#formats";
import { partName, partSpec } from "./lora.ts";
import type { StateName, Stepper } from "./stepper.ts";

export type Progress = {
  readonly step: number;
  /** Of the best validation so far, and how many have come since. Null: none yet. */
  readonly best: { readonly loss: number; readonly step: number } | null;
  readonly worse: number;
};

const states: readonly StateName[] = ["param", "m", "v"];
const fileOf = (folder: string): string => path.join(folder, "checkpoint.safetensors");

/** `fingerprint` says which run it belongs to. */
export async function writeCheckpoint(folder: string, stepper: Stepper, fingerprint: string, progress: Progress): Promise<void> {
  const tensors = new Map<string, SafetensorsTensor>();
  for (const [adapter, part] of stepper.parts) {
    const name = partName(adapter.weight, part);
    for (const state of states)
      tensors.set(`${state}.${name}`, f32Tensor(partSpec(adapter, stepper.options.rank, part).shape, stepper.read(name, state)));
  }
  await fs.mkdir(folder, { recursive: true });
  await writeDurable(fileOf(folder), encodeSafetensors(tensors, { fingerprint, progress: JSON.stringify(progress) }));
}

/** Null when the run has none yet. Throws `conflict` when it is another run's. */
export async function readCheckpoint(folder: string, stepper: Stepper, fingerprint: string): Promise<Progress | null> {
  try {
    await fs.access(fileOf(folder));
  } catch {
    return null;
  }
  const { tensors, metadata } = await readSafetensors(fileOf(folder));
  if (metadata["fingerprint"] !== fingerprint) {
    throw new StarboxError("conflict", "The checkpoint was made by another run.json, data set, base or instruction set.", {
      hint: "Go on with the run.json it was started with, or start a new run.",
      zh: { message: "检查点来自不同的 run.json、数据集、底座或指令集。", hint: "请用原来的 run.json 续训，或新建一次训练。" },
    });
  }
  for (const [adapter, part] of stepper.parts) {
    const name = partName(adapter.weight, part);
    for (const state of states) {
      const tensor = tensors.get(`${state}.${name}`);
      if (tensor === undefined) throw new StarboxError("model_invalid", `The checkpoint holds no "${state}.${name}".`);
      stepper.write(name, f32Values(tensor, name), state);
    }
  }
  return JSON.parse(metadata["progress"] ?? "null") as Progress;
}
