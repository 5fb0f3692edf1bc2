/**
 * @file Real models on our own kernels beside llama.cpp: the same file with its weights dequantised to bf16, so that both multiply the same numbers.
 * Short: SmolLM2 over 24 tokens, the embedder as it is. STARBOX_TEST_LONG=1: 200 tokens of llama.cpp's own choice, Qwen2.5-Coder and Gemma 3 too.
 * And beside PyTorch in f32 (values kept by scripts/golden/models.py): every kept number of the last stage within 1e-4 of the largest.
 */
import fs from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { distance, findGolden, logitDistance, type OpenModel, openModel, wholeModel } from "#alignment";
import { StarboxError } from "#base";
import { CpuDevice, type DeviceTensor, elementCount, ensureNative, loadValues, type TensorData } from "#compute";
import { type GgufValue, writeGguf } from "#formats";
import { computeWithLlama } from "#models";
import { toBf16 } from "../../src/compute/backends/reference/halves.ts";
import { openTestModels, type TestModels, testEmbedder, testLanguageModel, testToolModel } from "../real-models.ts";

const long = process.env["STARBOX_TEST_LONG"] === "1";
const language = long ? [testLanguageModel, testToolModel, "gemma3-270m"] : [testLanguageModel];
const { signal } = new AbortController();
let models: TestModels;
let device: CpuDevice | null = null;

beforeAll(async () => {
  try {
    device = new CpuDevice({ library: await ensureNative(), threads: 2 });
  } catch (error) {
    if (!StarboxError.is(error, "device_unsupported")) throw error;
    return;
  }
  models = await openTestModels([...language, testEmbedder]);
}, 600_000);
afterAll(async () => {
  device?.[Symbol.dispose]();
  await models?.close();
});

async function fileOf(id: string): Promise<string> {
  const { sha256 } = await models.models.waitFor(id);
  return path.join(models.dataDir, "models", `sha256-${sha256}.gguf`);
}

/** Settings and weights as bf16 (norms and biases stay f32), without a tokenizer: both sides get token ids. */
async function writeWide(model: OpenModel, target: string): Promise<void> {
  const architecture = String(model.metadata.get("general.architecture"));
  const metadata: Record<string, GgufValue> = { "tokenizer.ggml.model": { type: "string", value: "none" } };
  for (const [key, value] of model.metadata) {
    if (key.startsWith("tokenizer.") || key.startsWith("quantize.") || key.includes("file_type")) continue;
    if (typeof value === "string") metadata[key] = { type: "string", value };
    else if (typeof value === "boolean") metadata[key] = { type: "bool", value };
    else if (typeof value === "number") metadata[key] = { type: /epsilon|freq|scale|factor/.test(key) ? "f32" : "u32", value };
  }
  metadata[`${architecture}.vocab_size`] = { type: "u32", value: model.config.vocabulary };
  const tensors = [];
  for (const [name, spec] of model.tensors) {
    const wide = spec.shape.length > 1;
    const size = elementCount(spec.shape);
    const data = wide ? new Uint16Array(size) : new Float32Array(size);
    const rows = spec.shape[0]!;
    // By parts: a vocabulary's table in float64 would be gigabytes.
    for (let start = 0; start < rows; start += 4096) {
      const count = Math.min(4096, rows - start);
      const values = loadValues({ dtype: spec.dtype, shape: [count, ...spec.shape.slice(1)] }, await model.read(name, { start, count }));
      const at = (start * size) / rows;
      for (let i = 0; i < values.length; i++) data[at + i] = wide ? toBf16(values[i]!) : values[i]!;
    }
    tensors.push({ name, shape: spec.shape.toReversed(), type: wide ? ("bf16" as const) : ("f32" as const), data: new Uint8Array(data.buffer) });
  }
  await writeGguf(target, metadata, tensors);
}

/** Largest error of the kept numbers over the largest of the stage, and with the rows of neighbouring tokens exchanged: what a fault would look like. */
async function besidePyTorch(cpu: CpuDevice, id: string): Promise<{ readonly error: number; readonly shifted: number }> {
  const { sha256 } = await models.models.waitFor(id);
  const { ids, values } = findGolden(sha256!)!;
  await using model = await openModel(await fileOf(id));
  const ours = (await runOn(cpu, model, Int32Array.from(ids))) as Float32Array;
  const width = ours.length / values!.rows.length;
  const error = (turn: number): number =>
    Math.max(
      ...values!.rows.flatMap((row, t) =>
        row.map((value, i) => Math.abs(value - ours[((t + turn) % values!.rows.length) * width + i * values!.every]!)),
      ),
    );
  return { error: error(0) / values!.largest, shifted: error(1) / values!.largest };
}

test.each([...language, testEmbedder].map((id) => [id] as const))(
  "%s: PyTorch's numbers within 1e-4 of the largest",
  async (id) => {
    if (device === null) return;
    const { error, shifted } = await besidePyTorch(device, id);
    process.stdout.write(`  ${id}: ${error.toExponential(2)} of the largest number\n`);
    expect(error).toBeLessThanOrEqual(1e-4);
    if (id !== testEmbedder) expect(shifted).toBeGreaterThan(0.01);
  },
  300_000,
);

async function runOn(cpu: CpuDevice, model: OpenModel, ids: Int32Array): Promise<TensorData> {
  const { program, weights } = wholeModel(model, ids.length);
  const parameters: Record<string, DeviceTensor> = {};
  try {
    for (const name of weights) parameters[name] = cpu.tensor(name, model.tensors.get(name)!, await model.read(name));
    using executable = cpu.compile(program, { parameters });
    const positions = ids.map((_, i) => i);
    return (await executable.run({ inputs: { ids, positions, segments: Int32Array.of(0, ids.length, -1) } }))["y"]!;
  } finally {
    for (const tensor of Object.values(parameters)) tensor[Symbol.dispose]();
  }
}

// Of the SmolLM2 and Qwen vocabularies alike: plain low ids, so that no tokenizer is needed.
const prompt = Int32Array.of(504, 2436, 282, 260, 905, ...Array.from({ length: 19 }, (_, i) => 300 + i * 37));

test.each(language.map((id) => [id] as const))(
  "%s: mean KL at most 1e-3, and the same choice wherever the two largest logits are more than 0.05 apart",
  async (id) => {
    if (device === null) return;
    const file = await fileOf(id);
    const wide = `${file}.bf16.gguf`;
    await using original = await openModel(file);
    await writeWide(original, wide);
    try {
      const theirs = await computeWithLlama({ file: wide, ids: prompt, threads: 2, greedy: long ? 200 : 0, pooled: false }, signal);
      await using model = await openModel(wide);
      const ours = await runOn(device, model, theirs.ids);
      const found = logitDistance(theirs.logits!, ours as Float32Array, model.config.vocabulary);
      process.stdout.write(
        `  ${id}: KL ${found.kl.toExponential(2)}, argmax ${found.agree}/${found.tokens}, ${found.wrong} wrong, cosine ${found.cosine}\n`,
      );
      expect(found.tokens).toBe(prompt.length + (long ? 200 : 0));
      expect(found.kl).toBeLessThanOrEqual(1e-3);
      expect(found.wrong).toBe(0);
      // The measure itself sees a fault: logits of the neighbouring position are far away.
      const shifted = (ours as Float32Array).slice(model.config.vocabulary);
      expect(logitDistance(theirs.logits!.subarray(0, shifted.length), shifted, model.config.vocabulary).kl).toBeGreaterThan(0.1);
    } finally {
      fs.rmSync(wide, { force: true });
    }
  },
  600_000,
);

test("the embedder's mean of a text's rows points where llama.cpp's does", async () => {
  if (device === null) return;
  const file = await fileOf(testEmbedder);
  const ids = Int32Array.of(0, 41, 1294, 12, 4842, 7515, 9, 2);
  const theirs = await computeWithLlama({ file, ids, threads: 2, greedy: 0, pooled: true }, signal);
  await using model = await openModel(file);
  const { cosine } = distance(theirs.stages["pooled"]!, await runOn(device, model, ids));
  process.stdout.write(`  ${testEmbedder}: cosine ${cosine}\n`);
  expect(cosine).toBeGreaterThan(0.9995); // Q4_0 as it is: llama.cpp rounds activations to 8 bits
}, 120_000);
