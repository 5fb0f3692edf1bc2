/** @file Maturity follows from stored results of the same build and machine only. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import { type BenchRecord, maturityOf, OperatorRecords, recordOf } from "./index.ts";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "starbox-maturity-"));
afterAll(() => fs.rmSync(folder, { recursive: true }));
const here = { build: "release-1 avx2", machine: "m", commit: "c", at: "2026-01-01" };
const question = { op: "linear", device: "cpu", kernel: true, gradient: true, build: here.build, machine: here.machine };
const row = (pass: string, ok: boolean, value: number | null = 0.5) => ({ op: "linear", device: "cpu", pass, ok, value });
const verified = (...rows: readonly ReturnType<typeof row>[]) => recordOf("linear", "cpu", rows, here);
const bench = (name: string, shareOfLimit: number): BenchRecord => ({
  kind: "bench",
  op: "linear",
  device: "cpu",
  case: name,
  shareOfLimit,
  ratio: {},
  ...here,
});
const level = (records: Parameters<typeof maturityOf>[1], changes: Partial<typeof question> = {}) =>
  maturityOf({ ...question, ...changes }, records).level;

test("levels", () => {
  const whole = verified(row("fwd", true), row("bwd", true), row("run", true, null));
  expect(level([], { kernel: false })).toBe("none");
  expect(level([])).toBe("experimental");
  expect(level([verified(row("run", true, null))])).toBe("experimental"); // refused everything
  expect(level([verified(row("fwd", true), row("bwd", false))])).toBe("experimental");
  expect(level([verified(row("fwd", true))])).toBe("works");
  expect(level([verified(row("fwd", true))], { gradient: false })).toBe("verified");
  expect(level([whole])).toBe("verified");
  expect(level([whole, bench("a", 0.7), bench("b", 0.3)])).toBe("verified");
  expect(level([whole, bench("a", 0.7), bench("b", 0.65)])).toBe("tuned");
  expect(level([whole, bench("a", 1.2)])).toBe("verified"); // a share above 1 is a wrong limit
  expect(level([bench("a", 0.9)])).toBe("experimental"); // fast is not right
});

test("results of another build, machine, device or operator do not count", () => {
  const records = [verified(row("fwd", true), row("bwd", true))];
  for (const other of [{ build: "release-2 avx2" }, { machine: "n" }, { device: "ggml" }, { op: "rope" }])
    expect(level(records, other)).toBe("experimental");
});

test("kept in the data folder; the latest of one thing counts; a line cut short is left out", () => {
  new OperatorRecords(folder).add([verified(row("fwd", true), row("bwd", true))]);
  new OperatorRecords(folder).add([bench("a", 0.9)]);
  expect(level(new OperatorRecords(folder).all)).toBe("tuned");
  new OperatorRecords(folder).add([verified(row("fwd", false))]);
  expect([new OperatorRecords(folder).all.length, level(new OperatorRecords(folder).all)]).toEqual([2, "experimental"]);
  fs.appendFileSync(path.join(folder, "operators", "results.jsonl"), '{"kind":"bench","op":"li');
  expect(new OperatorRecords(folder).all.length).toBe(2);
});
