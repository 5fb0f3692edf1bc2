/** @file The float64 references and gradient rules against PyTorch's values (scripts/golden/ops.py). */
import fs from "node:fs";
import { expect, test } from "vitest";
import { evaluate } from "../../src/compute/backends/reference/evaluate.ts";
import type { DType } from "../../src/compute/dtype.ts";
import { Graph } from "../../src/compute/graph/graph.ts";
import type { Value } from "../../src/compute/op.ts";
import { type OpName, ops } from "../../src/compute/ops/index.ts";

type Operand = { readonly dtype: DType; readonly shape: readonly number[]; readonly values: readonly number[] };
type Case = {
  readonly name: string;
  readonly op: OpName;
  readonly params: Readonly<Record<string, number>>;
  readonly inputs: readonly (Operand | null)[];
  readonly outputs: readonly (readonly number[])[];
  readonly upstream?: readonly number[];
  readonly gradients?: readonly (readonly number[] | null)[];
};
const { cases } = JSON.parse(fs.readFileSync(new URL("../fixtures/ops-golden.json", import.meta.url), "utf8")) as { readonly cases: readonly Case[] };

function largestError(got: Float64Array, expected: readonly number[]): number {
  expect(got.length).toBe(expected.length);
  const size = Math.max(...expected.map(Math.abs), 1e-12);
  return Math.max(...expected.map((value, i) => Math.abs(value - got[i]!))) / size;
}

test.each(cases.map((golden) => [`${golden.op}, ${golden.name}`, golden] as const))("%s", (_, golden) => {
  const graph = new Graph();
  const given = new Map<number, Float64Array>();
  const operands = golden.inputs.map((input, i): Value | null => {
    if (input === null) return null;
    const value = graph.input(ops[golden.op].inputs[i]!.name, input.dtype, input.shape, { needsGradient: input.dtype === "f32" });
    given.set(value.id, Float64Array.from(input.values));
    return value;
  });
  const results = graph.applyAll(golden.op, operands, golden.params);
  const wanted = operands.filter((value, i) => value !== null && golden.gradients?.[i] != null) as Value[];
  let gradients: readonly (Value | null)[] = [];
  if (golden.upstream !== undefined) {
    const upstream = graph.input("upstream", "f32", results[0]!.spec.shape);
    given.set(upstream.id, Float64Array.from(golden.upstream));
    gradients = graph.gradients(graph.apply("sum", [graph.apply("mul", [results[0]!, upstream])]), wanted);
  }
  const { values } = evaluate(graph.build(), given, { round: false });
  for (const [i, expected] of golden.outputs.entries()) expect(largestError(values.get(results[i]!.id)!, expected)).toBeLessThan(1e-6);
  const expectedGradients = (golden.gradients ?? []).filter((gradient) => gradient !== null);
  expect(gradients.length).toBe(expectedGradients.length);
  for (const [i, expected] of expectedGradients.entries()) expect(largestError(values.get(gradients[i]!.id)!, expected)).toBeLessThan(1e-6);
});

test("the fixture has cases of what matters most", () => {
  expect(new Set(cases.map(({ op }) => op)).size).toBeGreaterThanOrEqual(15);
});
