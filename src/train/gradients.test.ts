/** @file Packing changes nothing but the work: gradients with shared prefixes and with plain packing are those of one example at a time, on the reference and on the processor. */
import { beforeAll, expect, test } from "vitest";
import { CpuDevice, type Device, ensureNative, ReferenceDevice } from "#compute";
import { tinyBase, tinyExamples, tinyVocabulary } from "../../test/tiny-base.ts";
import { type Example, loadWeights, packBatch, planAdapters, Stepper } from "./index.ts";

let library = "";
beforeAll(async () => {
  library = await ensureNative();
}, 400_000);

const devices: readonly (readonly [string, () => Device])[] = [
  ["reference", () => new ReferenceDevice()],
  ["cpu", () => new CpuDevice({ library, threads: 2 })],
];

async function withStepper<T>(
  device: Device,
  work: (stepper: Stepper) => Promise<T>,
  options: { readonly dropout?: number; readonly layers?: number[] } = {},
): Promise<T> {
  const base = tinyBase();
  const adapters = planAdapters(base.config, base.tensors, { rank: 4, targets: "all-linear", layers: options.layers ?? null, seed: 3 });
  const weights = await loadWeights(device, base, "file");
  const shared = { config: base.config, tensors: base.tensors, adapters, rank: 4, scale: 2, activations: "f32", clip: 1, weightDecay: 0 } as const;
  try {
    using stepper = new Stepper(device, weights, { ...shared, dropout: options.dropout ?? 0 }, 3);
    // B begins as zero, which would hide A's gradients.
    for (const [{ weight, outputs }, part] of stepper.parts)
      if (part === "b")
        stepper.write(
          `${weight}.lora_b`,
          Float32Array.from({ length: outputs * 4 }, (_, i) => 0.2 * Math.sin(i * 1.7 + outputs)),
        );
    return await work(stepper);
  } finally {
    for (const tensor of weights.values()) tensor[Symbol.dispose]();
  }
}

function distances(got: Record<string, Float32Array>, expected: Record<string, Float32Array>): { name: string; error: number }[] {
  expect(Object.keys(got)).toEqual(Object.keys(expected));
  return Object.entries(expected).map(([name, values]) => {
    const size = Math.sqrt(values.reduce((sum, v) => sum + v * v, 0));
    const off = Math.sqrt(values.reduce((sum, v, i) => sum + (v - got[name]![i]!) ** 2, 0));
    expect(size, `${name} has no gradient`).toBeGreaterThan(0);
    return { name, error: off / size };
  });
}

/** Two scenes with an instruction each, one example that is the beginning of another, one with learned tokens inside the prefix, and a first own token that is learned. */
function mixedExamples(): Example[] {
  const [a, b] = [tinyExamples(4, { prefix: 20, seed: 5 }), tinyExamples(3, { prefix: 12, seed: 9, own: 4, learned: 8 })];
  const whole = a[0]!;
  const start = whole.ids.length - 2;
  const beginning = { ids: whole.ids.slice(0, start), weights: whole.weights.slice(0, start).map((_, i) => (i > 15 ? 0.5 : 0)) };
  return [...a, ...b, beginning];
}

test.each(devices)("%s: gradients of packed batches are those of one example at a time", async (_name, open) => {
  using device = open();
  await withStepper(device, async (stepper) => {
    const examples = mixedExamples();
    const one = await stepper.gradients(packBatch(examples, { share: false, batchTokens: 1, single: true }), 0);
    for (const options of [
      { share: true, batchTokens: 4096 },
      { share: true, batchTokens: 60 },
      { share: false, batchTokens: 4096 },
    ]) {
      const packed = packBatch(examples, options);
      if (options.share && options.batchTokens === 4096) expect(packed[0]!.ids.length).toBeLessThan(packed[0]!.unsharedTokens / 1.5);
      const got = await stepper.gradients(packed, 0);
      expect(Math.abs(got.loss - one.loss)).toBeLessThan(1e-5 * one.loss);
      for (const { name, error } of distances(got.gradients, one.gradients))
        expect([options, name, error <= 1e-5 || error]).toEqual([options, name, true]);
    }
  });
});

test("a fault in the tree is seen: positions that do not continue change gradients", async () => {
  using device = new CpuDevice({ library, threads: 2 });
  await withStepper(device, async (stepper) => {
    const [packed] = packBatch(mixedExamples(), { share: true, batchTokens: 4096 });
    const right = await stepper.gradients([packed!], 0);
    const wrong = await stepper.gradients([{ ...packed!, positions: packed!.positions.map((_, i) => i) }], 0);
    expect(Math.max(...distances(wrong.gradients, right.gradients).map(({ error }) => error))).toBeGreaterThan(1e-3);
  });
});

test("backward stops below the lowest adapted layer, and what is not learned costs no head", async () => {
  using device = new ReferenceDevice();
  await withStepper(
    device,
    async (stepper) => {
      const { gradients } = await stepper.gradients(packBatch(mixedExamples(), { share: true, batchTokens: 4096 }), 0);
      expect(Object.keys(gradients).every((name) => name.startsWith("g.blk.1."))).toBe(true);
    },
    { layers: [1] },
  );
});

test("a step is the same bits for any number of threads, with dropout too", async () => {
  const results: Float32Array[] = [];
  for (const threads of [1, 2, 3]) {
    using device = new CpuDevice({ library, threads });
    await withStepper(
      device,
      async (stepper) => {
        const batch = packBatch(mixedExamples(), { share: false, batchTokens: 90 });
        expect(batch.length).toBeGreaterThan(1);
        for (let step = 1; step <= 3; step++) await stepper.step(batch, { a: 0.01, b: 0.02 }, step, 7 * step);
        results.push(stepper.read("blk.0.attn_q.weight.lora_a"));
      },
      { dropout: 0.2 },
    );
  }
  expect(results[1]).toEqual(results[0]);
  expect(results[2]).toEqual(results[0]);
});

test("vocabulary of the tiny model holds all tokens", () => {
  expect(mixedExamples().every(({ ids }) => ids.every((id) => id < tinyVocabulary))).toBe(true);
});
