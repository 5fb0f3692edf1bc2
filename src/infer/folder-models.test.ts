/** @file Folders as transformers saves them (scripts/golden/models.py folders), every family: read, run in float64, compared with transformers' own results. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { StarboxError } from "#base";
import { CpuDevice, ensureNative, Graph, loadValues, type Value } from "#compute";
import { SafetensorsFolder } from "#formats";
import { modelStages, readHuggingFace } from "#nn";
import { evaluate } from "../compute/backends/reference/evaluate.ts";
import { foldWeights } from "./folder-weights.ts";
import { OwnEngine } from "./own-engine.ts";

type Golden = {
  readonly ids: readonly number[];
  readonly cases: readonly { readonly family: string; readonly stages: Readonly<Record<string, readonly number[]>> }[];
};
const fixtures = new URL("../../test/fixtures/", import.meta.url);
const golden = JSON.parse(fs.readFileSync(new URL("models-golden.json", fixtures), "utf8")) as Golden;
const folderOf = (family: string): string => new URL(`huggingface/${family}`, fixtures).pathname;

/** The last stage's values. */
async function run(family: string): Promise<Float64Array> {
  await using folder = await SafetensorsFolder.open(folderOf(family));
  const { config, weights } = readHuggingFace(folder.config, folder.tensors);
  const { specs, read } = foldWeights(folder, weights);
  const graph = new Graph();
  const given = new Map<number, Float64Array>();
  const values = new Map<string, Value>();
  for (const [name, spec] of specs) {
    const value = graph.parameter(name, spec.dtype, spec.shape);
    given.set(value.id, Float64Array.from(loadValues(spec, await read(name))));
    values.set(name, value);
  }
  const { ids } = golden;
  const input = (name: string, shape: readonly number[], numbers: readonly number[]): Value => {
    const value = graph.input(name, "i32", shape);
    given.set(value.id, Float64Array.from(numbers));
    return value;
  };
  const packed = {
    ids: input("ids", [ids.length], ids),
    positions: input("positions", [ids.length], [...ids.keys()]),
    segments: input("segments", [1, 3], [0, ids.length, -1]),
  };
  let x: Value | null = null;
  for (const { build } of modelStages(config)) x = build(graph, (name) => values.get(name) ?? null, packed, x);
  graph.output("y", x!);
  return evaluate(graph.build(), given, { round: false }).values.get(x!.id)!;
}

describe("a folder of transformers gives transformers' results", () => {
  test.each([...golden.cases.map(({ family }) => family), "xlm-roberta"].map((family) => [family]))("%s", async (family) => {
    const stages = golden.cases.find((one) => one.family === (family === "xlm-roberta" ? "bert" : family))!.stages;
    const expected = stages["logits"] ?? stages["pooled"]!;
    const found = await run(family);
    expect(found).toHaveLength(expected.length);
    const largest = Math.max(...expected.map(Math.abs));
    expect(Math.max(...expected.map((value, i) => Math.abs(value - found[i]!))) / largest).toBeLessThan(2e-6);
  });
});

test("settings and weights that would be applied wrongly are refused by name", async () => {
  await using folder = await SafetensorsFolder.open(folderOf("llama"));
  const read = (changes: Record<string, unknown>, tensors: ReadonlyMap<string, { readonly shape: readonly number[] }> = folder.tensors) =>
    readHuggingFace({ ...folder.config, ...changes }, tensors);
  expect(read({}).config.kind).toBe("decoder");
  expect(() => read({ model_type: "mamba" })).toThrowError(/the family "mamba"/);
  expect(() => read({ rope_parameters: { rope_type: "llama3", rope_theta: 1 } })).toThrowError(/rope scaling "llama3"/);
  expect(() => read({ hidden_act: "relu" })).toThrowError(/activation "relu"/);
  expect(() => read({ hidden_size: "16" })).toThrowError(/"hidden_size" should be a number/);
  expect(() => read({ num_attention_heads: 8 })).toThrowError(/is \[/);
  const more = new Map<string, { readonly shape: readonly number[] }>([...folder.tensors, ["model.layers.0.self_attn.q_proj.lora", { shape: [1] }]]);
  expect(() => read({}, more)).toThrowError(/q_proj\.lora/);
  const less = new Map([...folder.tensors].filter(([name]) => !name.includes("layers.1.mlp.up")));
  expect(() => read({}, less)).toThrowError(/no tensor for blk\.1\.ffn_up\.weight/);
});

test("the engine runs a folder with its tokenizer.json: log-probabilities are transformers'", async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "starbox-folder-"));
  fs.cpSync(folderOf("llama"), folder, { recursive: true });
  const load = async (): Promise<OwnEngine | null> => {
    try {
      const device = new CpuDevice({ library: await ensureNative(), threads: 2 });
      return await OwnEngine.load({ file: folder, device, contextTokens: 32, parallel: 1, cacheType: "f32", exact: true });
    } catch (error) {
      if (!StarboxError.is(error, "device_unsupported")) throw error;
      return null;
    }
  };
  try {
    await expect(load()).rejects.toThrowError(/no tokenizer\.json/);
    const vocab = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [String.fromCharCode(97 + i), i]));
    fs.writeFileSync(
      path.join(folder, "tokenizer.json"),
      JSON.stringify({ model: { type: "BPE", vocab, merges: [] }, pre_tokenizer: { type: "ByteLevel" } }),
    );
    const engine = await load();
    if (engine === null) return;
    await using held = engine;
    const { ids } = golden;
    const logits = golden.cases.find(({ family }) => family === "llama")!.stages["logits"]!;
    const found = await held.logprobs(ids.slice(0, 3), ids.slice(3), new AbortController().signal);
    found.forEach((value, i) => {
      const row = logits.slice((i + 2) * 23, (i + 3) * 23);
      const total = Math.log(row.reduce((sum, logit) => sum + Math.exp(logit), 0));
      expect(Math.abs(value - (row[ids[i + 3]!]! - total))).toBeLessThan(1e-4);
    });
    expect(held.countTokens(["abc"])).toEqual([3]);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}, 300_000);
