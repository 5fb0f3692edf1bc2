/** @file Every model family with small random weights: each stage and all gradients against transformers on PyTorch (scripts/golden/models.py), and gradients by finite differences. */
import fs from "node:fs";
import { expect, test } from "vitest";
import { Graph, ReferenceDevice, type Value } from "#compute";
import { evaluate } from "../compute/backends/reference/evaluate.ts";
import { createRandom, seedOf } from "../compute/backends/reference/sample-values.ts";
import { buildDecoder, buildEncoder, modelStages, type Packed, readModelConfig } from "./index.ts";

type Golden = {
  readonly family: string;
  readonly metadata: Readonly<Record<string, string | number>>;
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  readonly stages: Readonly<Record<string, readonly number[]>>;
  readonly gradients: Readonly<Record<string, readonly [norm: number, along: number]>>;
};
const golden = JSON.parse(fs.readFileSync(new URL("../../test/fixtures/models-golden.json", import.meta.url), "utf8")) as {
  readonly ids: readonly number[];
  readonly cases: readonly Golden[];
};
const families = golden.cases.map((one) => [one.family, one] as const);

const uniform = (name: string, shape: readonly number[]): Float64Array => {
  const random = createRandom(seedOf(name));
  return Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => 2 * random() - 1);
};
/** transformers norms and turns in float32 whatever the model is in: its golden values are good to about 1e-6. */
/** The numbers that models.py draws. */
const weightValues = (family: string, name: string, shape: readonly number[]): Float64Array =>
  uniform(`${family} ${name}`, shape).map((v) => Math.fround(name.includes("norm.weight") ? 1 + 0.25 * Math.fround(v) : 0.6 * Math.fround(v)));

const configOf = ({ metadata, shapes }: Golden) => {
  const entries = new Map<string, unknown>(Object.entries(metadata));
  const of = (kind: string) => (key: string, fallback?: never) => {
    const value = entries.get(key) ?? fallback;
    if (typeof value !== kind) throw new Error(`${key} is no ${kind}`);
    return value as never;
  };
  const tensors = new Map(Object.entries(shapes).map(([name, shape]) => [name, { shape }]));
  return readModelConfig({ metadata: entries, tensors, number: of("number"), text: of("string") });
};

function buildTiny(one: Golden) {
  const graph = new Graph();
  const given = new Map<number, Float64Array>();
  const weights = new Map<string, Value>();
  for (const [name, shape] of Object.entries(one.shapes)) {
    const value = graph.parameter(name, "f32", shape, { needsGradient: true });
    given.set(value.id, weightValues(one.family, name, shape));
    weights.set(name, value);
  }
  const tokens = golden.ids.length;
  const packed: Packed = {
    ids: graph.input("ids", "i32", [tokens]),
    positions: graph.input("positions", "i32", [tokens]),
    segments: graph.input("segments", "i32", [1, 3]),
  };
  given.set(packed.ids.id, Float64Array.from(golden.ids));
  given.set(
    packed.positions.id,
    Float64Array.from(golden.ids, (_, i) => i),
  );
  given.set(packed.segments.id, Float64Array.of(0, tokens, -1));
  const stages = new Map<string, Value>();
  let x: Value | null = null;
  for (const { name, build } of modelStages(configOf(one))) {
    x = build(graph, (weight) => weights.get(weight) ?? null, packed, x);
    stages.set(name, x);
  }
  const upstream = graph.input("upstream", "f32", x!.spec.shape);
  given.set(upstream.id, uniform(`${one.family} upstream`, x!.spec.shape));
  const loss = graph.apply("sum", [graph.apply("mul", [x!, upstream])]);
  const gradients = graph.gradients(loss, [...weights.values()]);
  return { graph, given, weights, stages, loss, gradients };
}

const largestError = (got: Float64Array, expected: readonly number[]): number => {
  expect(got.length).toBe(expected.length);
  const size = Math.max(...expected.map(Math.abs));
  return Math.max(...expected.map((value, i) => Math.abs(value - got[i]!))) / size;
};

test("all families are there, with the settings that make them differ", () => {
  expect(families.map(([family]) => family)).toEqual(["llama", "qwen2", "qwen3", "gemma3", "bert"]);
});

test.each(families)("%s: every stage's values and every weight's gradient are PyTorch's", (family, one) => {
  const { graph, given, weights, stages, gradients } = buildTiny(one);
  const { values } = evaluate(graph.build(), given, { round: false });
  expect(new Set(stages.keys())).toEqual(new Set(Object.keys(one.stages)));
  for (const [name, expected] of Object.entries(one.stages))
    expect([name, largestError(values.get(stages.get(name)!.id)!, expected) < 5e-6]).toEqual([name, true]);
  [...weights.keys()].forEach((name, i) => {
    const [norm, along] = one.gradients[name]!;
    const gradient = values.get(gradients[i]!.id)!;
    const probe = uniform(`${family} ${name} probe`, one.shapes[name]!);
    const got = gradient.reduce((sum, v, j) => sum + v * probe[j]!, 0);
    expect([name, Math.abs(Math.sqrt(gradient.reduce((sum, v) => sum + v * v, 0)) - norm) <= 1e-5 * norm + 1e-9]).toEqual([name, true]);
    expect([name, Math.abs(got - along) <= 1e-5 * norm * Math.sqrt(gradient.length) + 1e-9]).toEqual([name, true]);
  });
});

test.each(families)("%s: gradients are what finite differences find", (_family, one) => {
  const { graph, given, weights, loss, gradients } = buildTiny(one);
  const program = graph.build();
  const { values } = evaluate(program, given, { round: false });
  const forward = { ...program, nodes: program.nodes.slice(0, program.nodes.findIndex((node) => node.outputs.includes(loss.id)) + 1) };
  const lossAt = (id: number, moved: Float64Array): number =>
    evaluate(forward, new Map(given).set(id, moved), { round: false }).values.get(loss.id)![0]!;
  [...weights].forEach(([name, { id, spec }], i) => {
    const direction = uniform(`${name} direction`, spec.shape);
    const moved = (sign: number): Float64Array => given.get(id)!.map((v, j) => v + sign * 1e-5 * direction[j]!);
    const difference = (lossAt(id, moved(1)) - lossAt(id, moved(-1))) / 2e-5;
    const gradient = values.get(gradients[i]!.id)!;
    const slope = gradient.reduce((sum, g, j) => sum + g * direction[j]!, 0);
    const size = Math.sqrt(gradient.reduce((sum, g, j) => sum + (g * direction[j]!) ** 2, 0));
    expect([name, Math.abs(difference - slope) <= 1e-5 * (Math.abs(slope) + size) + 1e-7]).toEqual([name, true]);
  });
});

test.each(families)("%s: built at once it is the same program as in stages", async (_family, one) => {
  const config = configOf(one);
  const graph = new Graph();
  const parameters = Object.fromEntries(
    Object.entries(one.shapes).map(([name, shape]) => [
      name,
      new ReferenceDevice().tensor(name, { dtype: "f32", shape }, Float32Array.from(weightValues(one.family, name, shape))),
    ]),
  );
  const weights = new Map(Object.entries(one.shapes).map(([name, shape]) => [name, graph.parameter(name, "f32", shape)]));
  const tokens = golden.ids.length;
  const packed = {
    ids: graph.input("ids", "i32", [tokens]),
    positions: graph.input("positions", "i32", [tokens]),
    segments: graph.input("segments", "i32", [1, 3]),
  };
  const seen: string[] = [];
  const tap = (name: string): void => void seen.push(name);
  const weight = (name: string): Value | null => weights.get(name) ?? null;
  graph.output(
    "last",
    config.kind === "decoder" ? buildDecoder(graph, config, weight, packed, { tap }) : buildEncoder(graph, config, weight, packed, { tap }),
  );
  using executable = new ReferenceDevice().compile(graph.build(), { parameters });
  const inputs = { ids: Int32Array.from(golden.ids), positions: Int32Array.from(golden.ids, (_, i) => i), segments: Int32Array.of(0, tokens, -1) };
  const { last } = await executable.run({ inputs });
  const name = config.kind === "decoder" ? "output_norm" : `blk.${config.layers - 1}`;
  expect(largestError(Float64Array.from(last!), one.stages[name]!)).toBeLessThan(1e-5);
  expect(seen.filter((stage) => !stage.endsWith(".attention"))).toEqual(
    modelStages(config)
      .map((stage) => stage.name)
      .slice(0, -1),
  );
});

test("settings that would be applied wrongly are refused by name", () => {
  const [, llama] = families[0]!;
  const wrong = (changes: Record<string, string>) => () => configOf({ ...llama, metadata: { ...llama.metadata, ...changes } });
  expect(wrong({ "llama.rope.scaling.type": "yarn" })).toThrowError(/yarn/);
  expect(wrong({ "general.architecture": "mamba" })).toThrowError(/mamba/);
  expect(wrong({ "llama.block_count": "two" })).toThrowError(/block_count/);
});
