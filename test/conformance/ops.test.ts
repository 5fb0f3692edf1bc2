/** @file Operators: their forms, and every device against the reference. `STARBOX_TEST_LONG=1` adds the lower instruction-set tiers. */
import { expect, test } from "vitest";
import { StarboxError } from "#base";
import { CpuDevice } from "../../src/compute/backends/cpu/cpu-device.ts";
import { ensureNative } from "../../src/compute/backends/cpu/library.ts";
import { ReferenceDevice } from "../../src/compute/backends/reference/reference-device.ts";
import { opNames, ops } from "../../src/compute/ops/index.ts";
import { checkByDifferences } from "../../src/compute/verify/finite-differences.ts";
import { gradientProgram, noGradientReason } from "../../src/compute/verify/sample-program.ts";
import { fuzzedSamples } from "./ops/fuzz.ts";
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
