/** @file The ggml device against the reference: another implementation of the same operators, in a file of its own because its mistakes end the process. */
import { expect, test } from "vitest";
import { GgmlDevice } from "../../src/compute/backends/ggml/ggml-device.ts";
import { ggmlDifferences } from "../../src/compute/backends/ggml/kernels.ts";
import { explains } from "../../src/compute/verify/verify-operator.ts";
import { compareMisaligned } from "./ops/misaligned.ts";
import { conformance } from "./ops/suite.ts";

conformance({ name: "ggml", open: async () => new GgmlDevice({ threads: 2 }), atLeast: [100, 50], differs: ggmlDifferences });

test("a known difference explains itself and nothing else", () => {
  const equal = (expected: Float32Array) => (got: ArrayLike<number>) => expected.every((v, i) => Object.is(v, got[i]));
  const nan = { why: "", within: "not a number" as const };
  const [expected, zeroed, wrong] = [Float32Array.of(1, Number.NaN), Float32Array.of(1, 0), Float32Array.of(2, 0)];
  expect(explains(nan, Number.POSITIVE_INFINITY, equal(expected), expected, zeroed)).toBe(true);
  expect(explains(nan, Number.POSITIVE_INFINITY, equal(expected), expected, wrong)).toBe(false);
  expect([3, 30].map((excess) => explains({ why: "", within: 10 }, excess, () => false, expected, wrong))).toEqual([true, false]);
});

test("data that begins anywhere in its buffer gives the same bits", async () => {
  using device = new GgmlDevice({ threads: 2 });
  const { differ, compared } = await compareMisaligned(device, 2);
  expect(differ).toEqual([]);
  expect(compared).toBeGreaterThan(40);
});
