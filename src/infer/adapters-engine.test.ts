/** @file Our engine end to end on a small random llama with its own file: different adapters in one batch, pages, log-probabilities, all against the reference in float64. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { StarboxError } from "#base";
import { CpuDevice, createRandom, ensureNative, Graph, seedOf, type Value } from "#compute";
import { type GgufTensor, type GgufValue, writeGguf } from "#formats";
import { buildDecoder, type DecoderConfig, headWeight } from "#nn";
import { evaluate } from "../compute/backends/reference/evaluate.ts";
import { loadAdapter } from "./adapters.ts";
import { OwnEngine } from "./own-engine.ts";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "starbox-infer-"));
const [width, heads, kvHeads, forward, layers, vocabulary] = [32, 4, 2, 48, 2, 40];
const shapes: Record<string, readonly number[]> = {
  "token_embd.weight": [vocabulary, width],
  "output_norm.weight": [width],
  "output.weight": [vocabulary, width],
};
for (let i = 0; i < layers; i++)
  Object.assign(shapes, {
    [`blk.${i}.attn_norm.weight`]: [width],
    [`blk.${i}.attn_q.weight`]: [width, width],
    [`blk.${i}.attn_k.weight`]: [width / 2, width],
    [`blk.${i}.attn_v.weight`]: [width / 2, width],
    [`blk.${i}.attn_output.weight`]: [width, width],
    [`blk.${i}.ffn_norm.weight`]: [width],
    [`blk.${i}.ffn_gate.weight`]: [forward, width],
    [`blk.${i}.ffn_up.weight`]: [forward, width],
    [`blk.${i}.ffn_down.weight`]: [width, forward],
  });
function draw(name: string, count: number, size: number): Float32Array {
  const random = createRandom(seedOf(name));
  return Float32Array.from({ length: count }, () => (name.includes("norm") ? 1 : 0) + size * (2 * random() - 1));
}
const count = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
const base = new Map(Object.entries(shapes).map(([name, shape]) => [name, draw(name, count(shape), 0.4)]));
const bytes = (values: Float32Array): Uint8Array => new Uint8Array(values.buffer);
const u32 = (value: number): GgufValue => ({ type: "u32", value });
const text = (value: string): GgufValue => ({ type: "string", value });

async function writeBase(file: string): Promise<void> {
  const tokens = Array.from({ length: vocabulary }, (_, i) => (i === 0 ? "<eos>" : String.fromCharCode(96 + i)));
  await writeGguf(
    file,
    {
      "general.architecture": text("llama"),
      "llama.block_count": u32(layers),
      "llama.embedding_length": u32(width),
      "llama.attention.head_count": u32(heads),
      "llama.attention.head_count_kv": u32(kvHeads),
      "llama.feed_forward_length": u32(forward),
      "llama.context_length": u32(128),
      "llama.attention.layer_norm_rms_epsilon": { type: "f32", value: 1e-5 },
      "tokenizer.ggml.model": text("gpt2"),
      "tokenizer.ggml.pre": text("gpt-2"),
      "tokenizer.ggml.tokens": { type: "strings", value: tokens },
      "tokenizer.ggml.merges": { type: "strings", value: [] },
      "tokenizer.ggml.token_type": { type: "i32s", value: Int32Array.from(tokens, (_, i) => (i === 0 ? 3 : 1)) },
      "tokenizer.ggml.eos_token_id": u32(0),
      "tokenizer.ggml.add_bos_token": { type: "bool", value: false },
    },
    [...base].map(([name, values]): GgufTensor => ({ name, shape: shapes[name]!.toReversed(), type: "f32", data: bytes(values) })),
  );
}

type Low = { readonly a: Float32Array; readonly b: Float32Array };
const adapted = (seed: string, rank: number, targets: readonly string[]): Map<string, Low> =>
  new Map(
    targets.map((name) => {
      const [outputs, inputs] = shapes[name] as [number, number];
      return [name, { a: draw(`${seed} ${name} a`, rank * inputs, 0.5), b: draw(`${seed} ${name} b`, outputs * rank, 0.5) }];
    }),
  );
async function writeAdapter(
  file: string,
  pairs: ReadonlyMap<string, Low>,
  rank: number,
  alpha: number,
  more: Record<string, GgufValue> = {},
): Promise<void> {
  const tensors = [...pairs].flatMap(([name, { a, b }]): GgufTensor[] => {
    const [outputs, inputs] = shapes[name] as [number, number];
    return [
      { name: `${name}.lora_a`, shape: [inputs, rank], type: "f32", data: bytes(a) },
      { name: `${name}.lora_b`, shape: [rank, outputs], type: "f32", data: bytes(b) },
    ];
  });
  await writeGguf(
    file,
    {
      "general.type": text("adapter"),
      "general.architecture": text("llama"),
      "adapter.type": text("lora"),
      "adapter.lora.alpha": { type: "f32", value: alpha },
      ...more,
    },
    tensors,
  );
}
function merged(pairs: ReadonlyMap<string, Low>, rank: number, alpha: number): Map<string, Float32Array> {
  const weights = new Map(base);
  for (const [name, { a, b }] of pairs) {
    const [outputs, inputs] = shapes[name] as [number, number];
    const values = base.get(name)!.slice();
    for (let o = 0; o < outputs; o++)
      for (let i = 0; i < inputs; i++)
        for (let r = 0; r < rank; r++) values[o * inputs + i]! += (alpha / rank) * b[o * rank + r]! * a[r * inputs + i]!;
    weights.set(name, values);
  }
  return weights;
}

/** log p of each token after the first, by the float64 reference without cache. */
function referenceLogprobs(config: DecoderConfig, weights: ReadonlyMap<string, Float32Array>, ids: readonly number[]): number[] {
  const graph = new Graph();
  const given = new Map<number, Float64Array>();
  const values = new Map<string, Value>();
  const input = (name: string, shape: readonly number[], data: ArrayLike<number>): Value => {
    const value = graph.input(name, "i32", shape);
    given.set(value.id, Float64Array.from(data));
    return value;
  };
  for (const [name, data] of weights) {
    const value = graph.parameter(name, "f32", shapes[name]!);
    given.set(value.id, Float64Array.from(data));
    values.set(name, value);
  }
  const weight = (name: string): Value | null => values.get(name) ?? null;
  const packed = {
    ids: input("ids", [ids.length], ids),
    positions: input("positions", [ids.length], [...ids.keys()]),
    segments: input("segments", [1, 3], [0, ids.length, -1]),
  };
  const logits = graph.apply("linear", [buildDecoder(graph, config, weight, packed), headWeight(weight), null, null]);
  graph.output("logits", logits);
  const found = evaluate(graph.build(), given, { round: false }).values.get(logits.id)!;
  return ids.slice(1).map((next, t) => {
    const row = found.subarray(t * vocabulary, (t + 1) * vocabulary);
    const most = Math.max(...row);
    return row[next]! - most - Math.log(row.reduce((sum, value) => sum + Math.exp(value - most), 0));
  });
}

const all = Object.keys(shapes).filter((name) => /attn_[qkvo]|ffn_(gate|up|down)/.test(name) && !name.includes("norm"));
const one = { rank: 2, alpha: 4, pairs: adapted("one", 2, all) };
const two = { rank: 3, alpha: 3, pairs: adapted("two", 3, ["blk.0.attn_q.weight", "blk.1.ffn_down.weight"]) };
const { signal } = new AbortController();
let engine: OwnEngine | null = null;

beforeAll(async () => {
  await writeBase(path.join(folder, "base.gguf"));
  await writeAdapter(path.join(folder, "one.gguf"), one.pairs, one.rank, one.alpha);
  await writeAdapter(path.join(folder, "two.gguf"), two.pairs, two.rank, two.alpha);
  try {
    const device = new CpuDevice({ library: await ensureNative(), threads: 2 });
    engine = await OwnEngine.load({
      file: path.join(folder, "base.gguf"),
      device,
      contextTokens: 96,
      parallel: 4,
      stepRows: 16,
      cacheType: "f32",
      exact: true,
    });
  } catch (error) {
    if (!StarboxError.is(error, "device_unsupported")) throw error;
  }
}, 300_000);
afterAll(async () => {
  await engine?.[Symbol.asyncDispose]();
  fs.rmSync(folder, { recursive: true, force: true });
});

describe("different adapters in one batch", () => {
  test("each row's numbers are those of its own merged weights, in chunks and pages, by turns with the others", async () => {
    if (engine === null) return;
    await engine.addAdapter("one", path.join(folder, "one.gguf"));
    await engine.addAdapter("two", path.join(folder, "two.gguf"));
    const random = createRandom(3);
    const sequences = Array.from({ length: 7 }, (_, i) => ({
      adapter: [undefined, "one", "two"][i % 3],
      ids: Array.from({ length: 12 + i * 5 }, () => 1 + Math.floor(random() * (vocabulary - 1))),
    }));
    const found = await Promise.all(sequences.map(({ adapter, ids }) => engine!.logprobs(ids.slice(0, -4), ids.slice(-4), signal, adapter)));
    sequences.forEach(({ adapter, ids }, i) => {
      const chosen = adapter === "one" ? one : adapter === "two" ? two : null;
      const weights = chosen === null ? base : merged(chosen.pairs, chosen.rank, chosen.alpha);
      const expected = referenceLogprobs(engine!.model.config, weights, ids).slice(-4);
      found[i]!.forEach((value, t) => expect(Math.abs(value - expected[t]!)).toBeLessThan(1e-4));
    });
    // The measure sees a fault: without its adapter a sequence's numbers are others.
    const bare = referenceLogprobs(engine.model.config, base, sequences[1]!.ids).slice(-4);
    expect(Math.abs(bare[0]! - found[1]![0]!)).toBeGreaterThan(0.01);
  });

  test("one that is removed is refused by name; the others keep their numbers", async () => {
    if (engine === null) return;
    const ids = [5, 9, 2, 17, 33, 4];
    const before = await engine.logprobs(ids.slice(0, 3), ids.slice(3), signal, "two");
    await engine.removeAdapter("one");
    expect(engine.adapters).toEqual(["two"]);
    expect(await engine.logprobs(ids.slice(0, 3), ids.slice(3), signal, "two")).toEqual(before);
    await expect(engine.logprobs(ids, [1], signal, "one")).rejects.toThrowError(/"one" is not loaded/);
    await engine.removeAdapter("two");
    const expected = referenceLogprobs(engine.model.config, base, ids).slice(2);
    (await engine.logprobs(ids.slice(0, 3), ids.slice(3), signal)).forEach((value, t) => expect(Math.abs(value - expected[t]!)).toBeLessThan(1e-4));
  });
});

test("greedy answers are the likeliest tokens one after another; seeds, penalties, bias and log-probabilities come through", async () => {
  if (engine === null) return;
  const ask = async (more: object): Promise<{ text: string; logprobs: number }> => {
    let [answer, logprobs] = ["", 0];
    await engine!.generate({ input: { prompt: "abcd" }, temperature: 0, maxTokens: 8, ...more }, signal, (part) => {
      if (part.type !== "text-delta") return;
      answer += part.text;
      logprobs += part.logprobs?.length ?? 0;
    });
    return { text: answer, logprobs };
  };
  const greedy = await ask({});
  const ids = [1, 2, 3, 4, ...[...greedy.text].map((letter) => letter.charCodeAt(0) - 96)];
  const expected = referenceLogprobs(engine.model.config, base, ids).slice(3);
  expected.forEach((logprob) => expect(logprob).toBeGreaterThan(Math.log(1 / vocabulary)));
  expect((await ask({})).text).toBe(greedy.text);
  expect(await ask({ logprobs: 2 })).toEqual({ text: greedy.text, logprobs: greedy.text.length });
  expect((await ask({ temperature: 3, seed: 1 })).text).toBe((await ask({ temperature: 3, seed: 1 })).text);
  expect((await ask({ temperature: 3, seed: 2 })).text).not.toBe((await ask({ temperature: 3, seed: 1 })).text);
  expect((await ask({ logitBias: { 7: 100 } })).text).toBe("gggggggg");
  expect(new Set((await ask({ presencePenalty: 2, frequencyPenalty: 2, repetitionPenalty: 5 })).text).size).toBeGreaterThan(
    new Set(greedy.text).size - 1,
  );
  expect((await ask({ logitBias: { 7: 100 }, stop: ["ggg"] })).text).toBe("");
});

test("adapters that would be applied wrongly are refused by name", async () => {
  const specs = new Map(Object.entries(shapes).map(([name, shape]) => [name, { dtype: "f32" as const, shape }]));
  const load = async (pairs: ReadonlyMap<string, Low>, rank: number, more: Record<string, GgufValue> = {}, architecture = "llama") => {
    const file = path.join(folder, "bad.gguf");
    await writeAdapter(file, pairs, rank, 4, more);
    return loadAdapter(file, { architecture, specs });
  };
  const small = adapted("x", 2, ["blk.0.attn_q.weight"]);
  expect((await load(small, 2)).scale).toBe(2);
  await expect(load(small, 2, {}, "qwen2")).rejects.toThrowError(/belongs to "llama", the base is "qwen2"/);
  await expect(load(small, 2, { "adapter.type": text("dora") })).rejects.toThrowError(/no LoRA adapter/);
  await expect(load(small, 2, { "adapter.alora.invocation_tokens": { type: "i32s", value: Int32Array.of(1) } })).rejects.toThrowError(/aLoRA/);
  await expect(load(adapted("x", 2, ["token_embd.weight"]), 2)).rejects.toThrowError(/is not applied/);
  const wrong = new Map([["blk.0.attn_k.weight", small.get("blk.0.attn_q.weight")!]]);
  shapes["blk.0.attn_k.weight"] = [width, width];
  await expect(load(wrong, 2)).rejects.toThrowError(/for a base weight \[16,32\]/);
  shapes["blk.0.attn_k.weight"] = [width / 2, width];
});
