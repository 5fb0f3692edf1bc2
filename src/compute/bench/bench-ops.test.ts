/** @file The benchmark runs to its end in its short form and says everything it promises; what a line is made of. Never how fast. */
import { expect, it } from "vitest";
import { CpuDevice } from "../backends/cpu/cpu-device.ts";
import { ensureNative } from "../backends/cpu/library.ts";
import { GgmlDevice } from "../backends/ggml/ggml-device.ts";
import { benchOps, type OpBenchRow } from "./bench-ops.ts";
import type { BenchCase } from "./case.ts";
import { benchCases } from "./cases.ts";
import { type Measured, rules, summarize } from "./summary.ts";

it("measures every case beside ggml and sums up every line", { timeout: 400_000 }, async () => {
  const library = await ensureNative();
  using device = new CpuDevice({ library, threads: 2 });
  using single = new CpuDevice({ library, threads: 1 });
  using ggml = new GgmlDevice({ threads: 2 });
  const cases = benchCases("short");
  const asked: string[] = [];
  // Stands for PyTorch, too slow to be asked twice.
  const outside = {
    name: "torch",
    seconds: ({ kind, dtype }: { readonly kind: string; readonly dtype: string }) => (asked.push(`${kind} ${dtype}`), Promise.resolve(2)),
  };
  const rows: OpBenchRow[] = [];
  const options = {
    device,
    single,
    pair: device,
    ggml,
    outside: [outside],
    rounds: 1,
    probeSeconds: 0.01,
    patience: 1,
    signal: AbortSignal.timeout(100_000),
    progress: () => {},
  };
  for await (const row of benchOps(cases, cases, options)) rows.push(row);

  const measured = rows.filter((row) => row.kind === "case");
  expect(measured.map((row) => row.case)).toEqual(cases.map(({ id }) => id));
  for (const row of measured) {
    expect(row.value, row.case).toBeGreaterThan(0);
    expect(row.limit, row.case).toBeGreaterThan(0);
    expect(row.shareOfLimit, row.case).toBeCloseTo(row.value / row.limit);
  }
  expect(measured.filter(({ ratio }) => "ggml" in ratio).map((row) => row.case)).toEqual(
    expect.arrayContaining(["bf16 linear tiny", "q8_0 matvec tiny", "q6_k matvec rows of 256", "bf16 attention", "f32 adamw"]),
  );
  expect(asked).toEqual(expect.arrayContaining(["y bf16", "dx bf16", "dw bf16", "attention backward f32", "cross entropy bf16"]));
  const lines = rows.filter((row) => row.kind === "summary");
  expect(lines.map(({ what }) => what)).toEqual(rules.map(({ what }) => what));
  for (const { what, value } of lines) expect(Number.isFinite(value.median), what).toBe(true);
});

const test = (id: string, line: string): BenchCase => ({ id, op: "linear", dtype: "bf16", shape: "", limit: "bf16", nodes: [], lines: [line] });
const of = (one: BenchCase, work: number, ours: number[], peers: Record<string, number[]> = {}): Measured => ({
  test: one,
  work,
  ours,
  peers: new Map(Object.entries(peers)),
  limit: 100,
  scratchBytes: 0,
});

it("weighs a line's cases by their work, takes the median round, and says nothing of half a line", () => {
  const [y, dx] = [test("y", "bf16 y and dx"), test("dx", "bf16 y and dx")];
  // 300 units at 90 and 100 units at 45: 400 / (300 / 90 + 100 / 45) = 72 of 100.
  const both = [of(y, 300, [90, 90, 10]), of(dx, 100, [45, 45, 45])];
  expect(summarize(both, [y, dx])).toMatchObject([{ value: { median: 72 }, must: 65, goal: 85, verdict: "must held, goal missed" }]);
  expect(summarize(both.slice(0, 1), [y, dx])).toEqual([]);
});

it("counts what an adapter adds over the same product without it", () => {
  const lora = test("lora", "LoRA rank 8");
  const [line] = summarize([of(lora, 1, [80], { base: [100] })], [lora]);
  expect(line!.value.median).toBeCloseTo(25);
  expect(line!.verdict).toBe("missed");
});
