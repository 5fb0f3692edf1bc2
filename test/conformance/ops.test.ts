/** @file Operators: their forms, and our devices against the reference. `STARBOX_TEST_LONG=1` fuzzes more. */
import { expect, test } from "vitest";
import { StarboxError } from "#base";
import type { TensorData } from "../../src/compute/backends/backend.ts";
import { CpuDevice } from "../../src/compute/backends/cpu/cpu-device.ts";
import { ensureNative } from "../../src/compute/backends/cpu/library.ts";
import { ReferenceDevice } from "../../src/compute/backends/reference/reference-device.ts";
import { opNames, ops } from "../../src/compute/ops/index.ts";
import { checkByDifferences } from "../../src/compute/verify/finite-differences.ts";
import { runSample, whyNot } from "../../src/compute/verify/run-sample.ts";
import { forwardProgram, gradientProgram, noGradientReason } from "../../src/compute/verify/sample-program.ts";
import { fuzzedSamples } from "./ops/fuzz.ts";
import { compareMisaligned } from "./ops/misaligned.ts";
import { conformance } from "./ops/suite.ts";

const long = process.env["STARBOX_TEST_LONG"] === "1";

test.each(opNames.filter((op) => typeof ops[op].gradient === "function").map((op) => [op] as const))(
  "%s: its gradient rule is what finite differences find",
  (op) => {
    let compared = 0;
    for (const sample of ops[op].samples) {
      const wide = sample.inputs.some((input) => input?.dtype === "bf16");
      if (wide || noGradientReason(op, sample) !== null) continue;
      const result = checkByDifferences(gradientProgram(op, sample));
      expect(result.mismatches.map((mismatch) => ({ sample: sample.label, ...mismatch }))).toEqual([]);
      compared += result.compared;
    }
    expect(compared).toBeGreaterThan(0);
  },
);

conformance({ name: "reference", open: async () => new ReferenceDevice() });
conformance({ name: "cpu", int8: true, open: openCpu });
conformance({ name: "cpu, fuzzed", int8: true, open: openCpu, samplesOf: (op) => fuzzedSamples(op, long ? 200 : 8), atLeast: [150, 0] });

async function openCpu(): Promise<CpuDevice | { missing: string }> {
  try {
    return new CpuDevice({ library: await ensureNative(), threads: 2 });
  } catch (error) {
    if (StarboxError.is(error, "device_unsupported")) return { missing: error.message };
    throw error;
  }
}

test("cpu: the same bits for one, two and three threads", async ({ skip }) => {
  const first = await openCpu();
  if ("missing" in first) return skip(first.missing);
  const others = await Promise.all([1, 3].map(async (threads) => new CpuDevice({ library: await ensureNative(), threads })));
  let compared = 0;
  const differ: string[] = [];
  for (const op of opNames)
    for (const sample of ops[op].samples) {
      const program = forwardProgram(op, sample);
      if (whyNot(first, program) !== null) continue;
      const bytes = (results: Readonly<Record<string, TensorData>>): string[] =>
        Object.values(results).map((data) => Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64"));
      const expected = bytes(await runSample(first, program));
      for (const device of others)
        if (bytes(await runSample(device, program)).join() !== expected.join()) differ.push(`${op}, ${sample.label}, ${device.threads} threads`);
      compared++;
    }
  for (const device of [first, ...others]) device[Symbol.dispose]();
  expect(differ).toEqual([]);
  expect(compared).toBeGreaterThan(400);
});

test("cpu: data that begins anywhere in its buffer gives the same bits", async ({ skip }) => {
  const device = await openCpu();
  if ("missing" in device) return skip(device.missing);
  const { differ, compared } = await compareMisaligned(device);
  device[Symbol.dispose]();
  expect(differ).toEqual([]);
  expect(compared).toBeGreaterThan(400);
});
