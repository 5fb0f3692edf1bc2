import { expect, test } from "vitest";
import { type AlignmentReport, renderReport } from "./index.ts";

const report: AlignmentReport = {
  made: "2026-01-01",
  machine: "m",
  commit: "c",
  model: { file: "<b>.gguf", sha256: "0".repeat(64), family: "llama" },
  devices: [{ name: "cpu", description: "d", build: "b" }],
  canRun: [
    { op: "rope", pass: "fwd", types: "f32", shape: "[1]", count: 2, first: "blk.0", devices: { cpu: { kernel: null, reason: "no kernel here" } } },
  ],
  operators: [{ op: "linear", device: "cpu", pass: "fwd", checks: 3, failed: 1, worst: Number.POSITIVE_INFINITY, problem: "element 3" }],
  networks: [],
  maturity: [{ op: "linear", device: "cpu", level: "experimental", why: "1 checks failed (c)" }],
};

test("the page needs nothing else, names what failed in both languages, and takes no markup from names", () => {
  const page = renderReport(report);
  expect(page).not.toMatch(/<script|<link|src=|href=|url\(|https?:/);
  for (const words of ["能否运行 · Can it run?", "no kernel here", "element 3", "试验 experimental", "&lt;b&gt;.gguf", "<svg"])
    expect(page).toContain(words);
  expect(page).not.toMatch(/<b>|NaN|undefined/);
});
