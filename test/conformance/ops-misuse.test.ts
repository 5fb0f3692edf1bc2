/** @file Wrong use of operators and devices: a named error that says what was expected and what came, never a crash of the process. */
import { describe, expect, test } from "vitest";
import { StarboxError } from "#base";
import type { Device } from "../../src/compute/backends/backend.ts";
import { CpuDevice } from "../../src/compute/backends/cpu/cpu-device.ts";
import { ensureNative } from "../../src/compute/backends/cpu/library.ts";
import { ReferenceDevice } from "../../src/compute/backends/reference/reference-device.ts";
import type { DType } from "../../src/compute/dtype.ts";
import { Graph } from "../../src/compute/graph/graph.ts";
import type { Params, SampleInput, Value } from "../../src/compute/op.ts";
import { type OpName, opNames, ops } from "../../src/compute/ops/index.ts";

/** Applies an operator to a sample's operands after `change`; answers the error or null. */
function attempt(op: OpName, change: (inputs: (SampleInput | null)[]) => (SampleInput | null)[], params?: Params): StarboxError | null {
  const sample = ops[op].samples[0];
  const graph = new Graph();
  const values = change([...sample.inputs]).map((input, i): Value | null =>
    input === null ? null : graph.input(`operand ${i}`, input.dtype, input.shape),
  );
  try {
    graph.apply(op, values, params ?? sample.params, sample.as === undefined ? {} : { as: sample.as });
    return null;
  } catch (error) {
    if (!(error instanceof Error) || !StarboxError.is(error, "tensor_invalid")) throw error;
    expect(error.message).toContain(op);
    return error;
  }
}

describe.each(opNames.map((op) => [op] as const))("%s", (op) => {
  const { inputs: rules, samples, params = {} } = ops[op];

  test("refuses missing, surplus and mistyped operands", () => {
    const extra: SampleInput = { dtype: "f32", shape: [1] };
    expect(attempt(op, (inputs) => [...inputs, ...Array.from({ length: rules.length - inputs.length }, () => null), extra])).not.toBeNull();
    rules.forEach((rule, i) => {
      if (!rule.optional) expect(attempt(op, (inputs) => inputs.map((input, j) => (i === j ? null : input)))?.message).toContain(rule.name);
      const wrong = (["i32", "f32", "q8_0"] as DType[]).find((dtype) => !rule.dtypes.includes(dtype));
      if (wrong === undefined || samples[0].inputs[i] == null) return;
      expect(attempt(op, (inputs) => inputs.map((input, j) => (i === j ? { ...input!, dtype: wrong } : input)))?.message).toContain(rule.name);
    });
  });

  test("refuses unknown, missing and NaN parameters", () => {
    const given = samples[0].params ?? {};
    expect(attempt(op, (inputs) => inputs, { ...given, nonsense: 1 })?.message).toContain("nonsense");
    for (const [name, fallback] of Object.entries(params)) {
      expect(attempt(op, (inputs) => inputs, { ...given, [name]: Number.NaN })?.message).toContain(name);
      const { [name]: _, ...without } = given;
      if (fallback === null) expect(attempt(op, (inputs) => inputs, without)?.message).toContain(name);
    }
  });

  /** Whose shape is free, or gives the others theirs. */
  const free: Partial<Record<OpName, readonly number[]>> = { cacheWrite: [], attentionPaged: [] };
  test("refuses operands of a rank that does not fit", () => {
    if (rules.length < 2 || free[op] !== undefined) return;
    const odd = samples[0].inputs.findIndex((input, i) => i > 0 && input !== null);
    if (odd > 0) expect(attempt(op, (inputs) => inputs.map((input, j) => (j === odd ? { ...input!, shape: [3, 1, 5, 7] } : input)))).not.toBeNull();
  });
});

test("operators that do not exist, values of another graph, impossible shapes", () => {
  const [graph, other] = [new Graph(), new Graph()];
  const x = other.input("x", "f32", [2]);
  const codes = [
    () => graph.apply("nothing", []),
    () => graph.apply("neg", [x]),
    () => graph.input("y", "f32", [-1]),
    () => graph.input("z", "f32", [1, 1, 1, 1, 1]),
    () => graph.input("w", "f32", [1.5]),
  ];
  for (const wrong of codes) expect(wrong).toThrowError(expect.objectContaining({ code: "tensor_invalid" }) as Error);
});

const library = await ensureNative().catch((error: unknown) => {
  if (StarboxError.is(error, "device_unsupported")) return null;
  throw error;
});
const devices: readonly (readonly [string, Device])[] = [
  ["reference", new ReferenceDevice()],
  ...(library === null ? [] : [["cpu", new CpuDevice({ library, threads: 2 })] as const]),
];

test("the native table of what may be overwritten is the forms'", () => {
  const device = devices.at(-1)![1];
  if (!(device instanceof CpuDevice)) return;
  const { native } = device;
  const differ = opNames.flatMap((op) => {
    const { inputs, outputs, inPlace = {}, mayOverwrite = [] } = ops[op];
    const kernel = native.kernelFind(op);
    if (kernel < 0) return [];
    return outputs.flatMap((_, output) =>
      inputs.flatMap((_input, input) => {
        const form = (inPlace as Record<number, number>)[output] === input || (output === 0 && mayOverwrite.includes(input));
        return (native.kernelOverwrites(kernel, output, input) === 1) === form ? [] : [`${op}: output ${output}, input ${input}`];
      }),
    );
  });
  expect(differ).toEqual([]);
});

describe.each(devices)("%s", (_, device) => {
  const graph = new Graph();
  const [x, w] = [graph.input("x", "f32", [2, 3]), graph.parameter("w", "f32", [4, 3])];
  graph.output("y", graph.apply("linear", [x, w]));
  const program = graph.build();
  const weight = (): ReturnType<Device["tensor"]> => device.tensor("w", { dtype: "f32", shape: [4, 3] }, new Float32Array(12).fill(1));

  test("data of the wrong size or kind", async () => {
    const parameters = { w: weight() };
    using executable = device.compile(program, { parameters });
    const wrong = [{}, { x: new Float32Array(5) }, { x: new Int32Array(6) }, { x: new Float32Array(6), z: new Float32Array(1) }];
    for (const inputs of wrong) await expect(executable.run({ inputs: inputs as never })).rejects.toMatchObject({ code: "tensor_invalid" });
    expect([...(await executable.run({ inputs: { x: new Float32Array(6).fill(1) } }))["y"]!]).toEqual(Array(8).fill(3)); // and it still works
    expect(() => parameters.w.write(new Float32Array(11))).toThrowError(expect.objectContaining({ code: "tensor_invalid" }) as Error);
  });

  test("parameters missing, of another shape, of another device", () => {
    const other = device.name === "reference" ? null : new ReferenceDevice().tensor("w", { dtype: "f32", shape: [4, 3] });
    const wrong = [{}, { w: device.tensor("w", { dtype: "f32", shape: [3, 4] }) }, ...(other === null ? [] : [{ w: other }])];
    for (const parameters of wrong)
      expect(() => device.compile(program, { parameters })).toThrowError(expect.objectContaining({ code: "tensor_invalid" }) as Error);
  });

  test("use after disposal; a cancelled run", async () => {
    const parameters = { w: weight() };
    const executable = device.compile(program, { parameters });
    await expect(executable.run({ inputs: { x: new Float32Array(6) }, signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "cancelled" });
    executable[Symbol.dispose]();
    expect(() => device.compile(program, { parameters })[Symbol.dispose]()).not.toThrow();
    parameters.w[Symbol.dispose]();
    expect(() => parameters.w.read()).toThrowError(expect.objectContaining({ code: "disposed" }) as Error);
    await expect((async () => executable.run({ inputs: { x: new Float32Array(6) } }))()).rejects.toMatchObject({ code: "disposed" });
  });
});
