/** @file Rows in every format, what of them is learned, adapters written and read again, safetensors as hostile input, packing of odd cases. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { ReferenceDevice } from "#compute";
import { decodeSafetensors, encodeSafetensors, f32Tensor, f32Values, GgufFile } from "#formats";
import { tinyBase } from "../../test/tiny-base.ts";
import { parseRows } from "./dataset.ts";
import { continueFromPeft, ggufAlpha, writeGgufAdapter, writePeft } from "./export-adapter.ts";
import { loadWeights, packExamples, parseRunConfig, planAdapters, Stepper, sharedTokens } from "./index.ts";
import { batchAt, learningRateAt } from "./schedule.ts";

test("rows of every format, and bad ones by number and reason", () => {
  const { rows, problems } = parseRows(
    [
      {
        messages: [
          { role: "user", content: "a" },
          { role: "assistant", content: "b", weight: 0 },
        ],
      },
      { instruction: "do", input: "this", output: "done", history: [["q", "a"]] },
      {
        conversations: [
          { from: "human", value: "x" },
          { from: "gpt", value: "y" },
        ],
      },
      { text: "plain" },
      { ids: [1, 2], weights: [0, 1] },
      { instruction: "no output" },
      { conversations: [{ from: "martian", value: "x" }] },
      7,
    ]
      .map((row) => JSON.stringify(row))
      .join("\n"),
  );
  expect(rows.map(({ kind }) => kind)).toEqual(["messages", "messages", "messages", "text", "ids"]);
  expect(rows[0]).toMatchObject({ learn: [true, false] });
  expect(rows[1]).toMatchObject({ messages: [{ content: "q" }, { content: "a" }, { content: "do\nthis" }, { content: "done" }] });
  expect(problems.map(({ row }) => row)).toEqual([6, 7, 8]);
  expect(problems[1]!.reason).toContain("martian");
});

test("a run.json with unknown keys or values out of range is refused with every key named", () => {
  expect(() => parseRunConfig({ base: "b", dataset: "d", rang: 4 })).toThrow(/rang/);
  expect(() => parseRunConfig({ base: "b", rank: 0, dropout: 1 })).toThrow(/dataset.*rank.*dropout|rank.*dropout.*dataset/s);
  expect(parseRunConfig({ base: "b", dataset: "d", rank: 8 }).alpha).toBe(16);
});

test("rates warm up and fall to zero; every epoch sees every row once, in another order", () => {
  const config = { learningRate: 1, schedule: "linear", warmup: 0.2 } as const;
  const rates = Array.from({ length: 10 }, (_, i) => learningRateAt(config, i + 1, 10));
  expect(rates.slice(0, 3)).toEqual([0, 0.5, 1]);
  expect(rates.at(-1)).toBeCloseTo(1 / 8);
  const epoch = (n: number): number[] => [1, 2, 3].flatMap((i) => [...batchAt(n * 3 + i, 10, 4, 0)]);
  expect(epoch(0).toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(epoch(1)).not.toEqual(epoch(0));
});

test("a prefix that ends where learning begins is learned once for each branch", () => {
  const prefix = Array.from({ length: 10 }, (_, i) => i);
  const examples = [20, 21, 22].map((own) => ({
    ids: Int32Array.from([...prefix, own, 5]),
    weights: Float32Array.from([...prefix.map(() => 0), 1, 1]),
  }));
  const packed = packExamples(examples, true);
  expect(packed.ids.length).toBe(10 + 3 * 2);
  expect(sharedTokens(examples)).toBe(16);
  expect(packed.rows.slice(0, 3)).toEqual([9, 9, 9]);
  expect(packed.targets.slice(0, 3)).toEqual([20, 21, 22]);
  expect(packed.positions.slice(-2)).toEqual([10, 11]);
});

async function withTiny(
  interleaved: boolean,
  work: (stepper: Stepper, config: ReturnType<typeof tinyBase>["config"], folder: string) => Promise<void>,
) {
  const base = tinyBase();
  const config = { ...base.config, ...(interleaved ? { family: "llama" as const, rope: { ...base.config.rope, interleaved: true } } : {}) };
  using device = new ReferenceDevice();
  const weights = await loadWeights(device, base, "file");
  const adapters = planAdapters(config, base.tensors, { rank: 2, targets: "all-linear", layers: null, seed: 0 });
  const shape = { config, tensors: base.tensors, adapters, rank: 2, scale: 2, activations: "f32", dropout: 0, clip: 1, weightDecay: 0 } as const;
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "starbox-peft-"));
  try {
    using stepper = new Stepper(device, weights, shape, 0);
    await work(stepper, config, folder);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

test.each([false, true])("an adapter survives PEFT and back, rows in Hugging Face's order (pairs side by side: %s)", async (interleaved) => {
  await withTiny(interleaved, async (stepper, config, folder) => {
    const run = parseRunConfig({ base: "b", dataset: "d", rank: 2 });
    const about = { run, config, baseId: "tiny", baseSha256: "0", templateHash: "1" };
    const values = Float32Array.from({ length: 16 * 2 }, (_, i) => Math.floor(i / 2)); // its row's number
    stepper.write("blk.0.attn_q.weight.lora_b", values);
    await writePeft(folder, stepper, about);
    const { tensors } = decodeSafetensors(fs.readFileSync(path.join(folder, "adapter_model.safetensors")), "adapter");
    const name = "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight";
    const rows = f32Values(tensors.get(name)!, name).filter((_, i) => i % 2 === 0);
    // Four heads of four rows: Hugging Face has the first halves of all pairs first.
    expect([...rows.slice(0, 8)]).toEqual(interleaved ? [0, 2, 1, 3, 4, 6, 5, 7] : [0, 1, 2, 3, 4, 5, 6, 7]);
    stepper.write("blk.0.attn_q.weight.lora_b", new Float32Array(32));
    await continueFromPeft(folder, stepper, config, run);
    expect(stepper.read("blk.0.attn_q.weight.lora_b")).toEqual(values);

    const file = path.join(folder, "adapter_config.json");
    const written = JSON.parse(fs.readFileSync(file, "utf8")) as object;
    for (const [change, words] of [
      [{ use_dora: true }, /DoRA/],
      [{ modules_to_save: ["lm_head"] }, /modules_to_save/],
      [{ rank_pattern: { q_proj: 4 } }, /differs between modules/],
      [{ r: 8 }, /rank/],
    ] as const) {
      fs.writeFileSync(file, JSON.stringify({ ...written, ...change }));
      await expect(continueFromPeft(folder, stepper, config, run)).rejects.toThrow(words);
    }
  });
});

test("a GGUF adapter carries rsLoRA's strength in its alpha", async () => {
  expect(ggufAlpha({ alpha: 16, rank: 64, rsLora: true, dropout: 0, targets: "all-linear", layers: null })).toBe(128);
  await withTiny(true, async (stepper, config, folder) => {
    const run = parseRunConfig({ base: "b", dataset: "d", rank: 2, rsLora: true, alpha: 8 });
    const file = path.join(folder, "a.gguf");
    await writeGgufAdapter(file, stepper, { run, config, baseId: "tiny", baseSha256: "0", templateHash: "1" });
    await using gguf = await GgufFile.open(file);
    expect(gguf.number("adapter.lora.alpha")).toBeCloseTo(8 * Math.SQRT2, 5);
    expect(gguf.text("general.architecture")).toBe("llama");
    expect(gguf.tensors.get("blk.1.ffn_down.weight.lora_a")!.shape).toEqual([2, 24]);
    expect(gguf.tensors.get("blk.1.ffn_down.weight.lora_b")!.shape).toEqual([16, 2]);
  });
});

test("safetensors: what was written is read, and broken files are named", () => {
  const bytes = encodeSafetensors(new Map([["x", f32Tensor([2], Float32Array.of(1.5, -2))]]), { a: "b" });
  const { tensors, metadata } = decodeSafetensors(bytes, "f");
  expect([...f32Values(tensors.get("x")!, "x")]).toEqual([1.5, -2]);
  expect(metadata["a"]).toBe("b");
  const half = { dtype: "F16", shape: [2], data: new Uint8Array(Uint16Array.of(0x3c00, 0xc000).buffer) } as const;
  expect([...f32Values(half, "h")]).toEqual([1, -2]);
  expect([...f32Values({ dtype: "BF16", shape: [1], data: new Uint8Array(Uint16Array.of(0x3fc0).buffer) }, "b")]).toEqual([1.5]);
  expect(() => decodeSafetensors(bytes.slice(0, -1), "f")).toThrow(/does not lie inside/);
  expect(() => decodeSafetensors(bytes.slice(0, 20), "f")).toThrow(/header of/);
  expect(() => decodeSafetensors(new Uint8Array(3), "f")).toThrow(/shorter/);
});
