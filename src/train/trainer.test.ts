/** @file The loop on a tiny model: the same bits for any threads and after kill -9 at any moment, checkpoints that are another run's, early stopping, a loss that breaks. */
import { spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CpuDevice, createRandom, ensureNative } from "#compute";
import { tinyBase, tinyExamples } from "../../test/tiny-base.ts";
import { loadWeights, parseRunConfig, planAdapters, Stepper, type TrainEvent, train } from "./index.ts";

const long = process.env["STARBOX_TEST_LONG"] === "1";
const folders = fs.mkdtempSync(path.join(os.tmpdir(), "starbox-train-"));
let library = "";
beforeAll(async () => {
  library = await ensureNative();
}, 400_000);
afterAll(() => fs.rmSync(folders, { recursive: true, force: true }));

const child = path.join(import.meta.dirname, "../../test/train-child.ts");

/** Runs the child; kills it with SIGKILL once it has made so many steps since its start, and a little later. Answers its last line, or null. */
function runChild(
  folder: string,
  threads: number,
  killAt: { readonly steps: number; readonly delayMs: number } | null,
  more: object = {},
): Promise<string | null> {
  const args = ["--conditions=starbox-source", "--disable-warning=ExperimentalWarning", child, folder, String(threads), JSON.stringify(more)];
  return new Promise((resolve, reject) => {
    const running = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
    let [out, errors] = ["", ""];
    running.stderr.setEncoding("utf8").on("data", (text: string) => {
      errors += text;
    });
    running.stdout.setEncoding("utf8").on("data", (text: string) => {
      out += text;
      if (killAt !== null && out.split("\n").length > killAt.steps) setTimeout(() => running.kill("SIGKILL"), killAt.delayMs);
    });
    running.once("exit", (code, signal) => {
      const done = out.trim().split("\n").at(-1) ?? "";
      if (signal === "SIGKILL") resolve(null);
      else if (code === 0 && done.startsWith("done")) resolve(done);
      else reject(new Error(`${code ?? signal}: ${errors}`));
    });
  });
}

test("killed with kill -9 and resumed, it is bitwise the uninterrupted run, with other threads", { timeout: 600_000 }, async () => {
  const kills = long ? 20 : 3;
  const epochs = { epochs: long ? 60 : 12 }; // 4 steps each
  const whole = await runChild(path.join(folders, "whole"), 1, null, epochs);
  const random = createRandom(Number(process.env["STARBOX_TEST_SEED"] ?? 7));
  const folder = path.join(folders, "killed");
  for (let i = 0; i < kills; i++) {
    const killAt = { steps: 1 + Math.floor(random() * 11), delayMs: Math.floor(random() * 12) };
    expect(await runChild(folder, 1 + (i % 3), killAt, epochs), `kill ${i} came too late`).toBeNull();
  }
  expect(await runChild(folder, 2, null, epochs)).toBe(whole);
});

test("another seed is another adapter, and a checkpoint of another run is refused", { timeout: 120_000 }, async () => {
  const folder = path.join(folders, "seeds");
  const first = await runChild(folder, 2, null, { epochs: 2 });
  await expect(runChild(folder, 2, null, { epochs: 2, seed: 1 })).rejects.toThrow(/another run\.json/);
  const second = await runChild(path.join(folders, "seed1"), 2, null, { epochs: 2, seed: 1 });
  expect(second).not.toBe(first);
});

async function trained(more: object, spoil?: (stepper: Stepper) => void): Promise<TrainEvent[]> {
  const base = tinyBase();
  const run = parseRunConfig({ base: "tiny", dataset: "-", rank: 4, epochs: 30, batch: 4, learningRate: 0.02, ...more });
  const examples = tinyExamples(12, { prefix: 20, seed: 5 });
  using device = new CpuDevice({ library, threads: 2 });
  const weights = await loadWeights(device, base, "file");
  const adapters = planAdapters(base.config, base.tensors, run);
  const shape = { config: base.config, tensors: base.tensors, adapters, rank: 4, scale: 2, activations: "f32" } as const;
  const events: TrainEvent[] = [];
  try {
    using stepper = new Stepper(device, weights, { ...shape, dropout: run.dropout, clip: run.clip, weightDecay: 0 }, 0);
    spoil?.(stepper);
    const folder = fs.mkdtempSync(path.join(folders, "run-"));
    const set = { training: examples.slice(0, 8), validation: examples.slice(8) };
    for await (const event of train({ run, stepper, set, folder, circumstances: "", signal: new AbortController().signal })) events.push(event);
    return events;
  } finally {
    for (const tensor of weights.values()) tensor[Symbol.dispose]();
  }
}

test("it learns, stops early when validation gets worse, and says what packing saved", { timeout: 60_000 }, async () => {
  const events = await trained({ patience: 2 });
  const [packing] = events;
  if (packing?.type !== "packing") throw new Error("no packing event");
  expect(packing.packing).toBe("shared");
  expect(packing.rows).toBeLessThan(packing.tokens / 1.5);
  const losses = events.flatMap((event) => (event.type === "step" ? [event.loss] : []));
  expect(losses.at(-1)).toBeLessThan(losses[0]! * 0.7);
  const validations = events.flatMap((event) => (event.type === "validation" ? [event] : []));
  expect(validations.length).toBeLessThan(30); // random answers: nothing to generalise
  expect(validations.slice(-2).map(({ best }) => best)).toEqual([false, false]);
});

test("a broken loss ends the run with its batch named", { timeout: 60_000 }, async () => {
  const spoiled = trained({}, (stepper) => stepper.write("blk.0.attn_q.weight.lora_b", new Float32Array(64).fill(Number.NaN)));
  await expect(spoiled).rejects.toThrow(/Step 1: the loss is .* norm NaN\. Its rows.*: \d+, \d+, \d+, \d+/);
});

test("dropout is not shared, and asking for it is refused", { timeout: 60_000 }, async () => {
  const [packing] = await trained({ dropout: 0.1, epochs: 1 });
  expect(packing).toMatchObject({ packing: "plain", why: "dropout makes shared prefixes inexact" });
  await expect(trained({ dropout: 0.1, packing: "shared" })).rejects.toThrow(/exact only without dropout/);
});
