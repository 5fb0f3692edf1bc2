/** @file `npm test`: every gate, each with its time, and last `N passed, N failed, N skipped` (a gate counts as one test). `--long`: full counts. */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { projectRoot } from "./source-files.ts";

type Gate = { readonly name: string; readonly command: readonly string[] };

const node = [process.execPath, "--conditions=starbox-source", "--disable-warning=ExperimentalWarning"];
const bin = (name: string, file: string): string => path.join(projectRoot, "node_modules", name, file);

const gates: readonly Gate[] = [
  { name: "types", command: [process.execPath, bin("typescript", "bin/tsc"), "--noEmit", "-p", "."] },
  ...(fs.existsSync(path.join(projectRoot, "console", "tsconfig.json"))
    ? [{ name: "types of the console", command: [process.execPath, bin("typescript", "bin/tsc"), "--noEmit", "-p", "console"] }]
    : []),
  {
    name: "lint and format",
    command: [process.execPath, bin("@biomejs/biome", "bin/biome"), "check", "--max-diagnostics=30", "--diagnostic-level=error"],
  },
  { name: "rooms", command: [...node, "scripts/rooms.ts"] },
  { name: "unused code", command: [process.execPath, bin("knip", "bin/knip.js"), "--no-progress", "--no-config-hints"] },
  { name: "size budget", command: [...node, "scripts/size-budget.ts"] },
  { name: "settings page", command: [...node, "scripts/env-docs.ts"] },
  { name: "README figures", command: [...node, "scripts/readme-numbers.ts"] },
  { name: "lock file", command: [...node, "scripts/lock-honesty.ts"] },
];

const args = process.argv.slice(2);
const long = args.includes("--long");
const gatesOnly = args.includes("--gates");
const env = {
  ...process.env,
  // Tests start the same Node 26 they run on, wherever they say `node`.
  PATH: `${path.dirname(process.execPath)}${path.delimiter}${process.env["PATH"] ?? ""}`,
  ...(long ? { STARBOX_TEST_LONG: "1" } : {}),
};
const counts = { passed: 0, failed: 0, skipped: 0 };
const seconds = (since: number): string => `${((Date.now() - since) / 1000).toFixed(1)} s`;

/** A formatter's differences may run over thousands of lines; the first ones say what to do. */
function shorten(text: string): string {
  const lines = text.split("\n");
  return lines.length <= 150 ? text : `${lines.slice(0, 150).join("\n")}\n… ${lines.length - 150} more lines\n`;
}

for (const { name, command } of gates) {
  const since = Date.now();
  const result = spawnSync(command[0]!, command.slice(1), { cwd: projectRoot, env, encoding: "utf8", maxBuffer: 1 << 28 });
  const ok = result.status === 0;
  counts[ok ? "passed" : "failed"]++;
  process.stdout.write(`${ok ? "ok    " : "FAILED"} ${name} ${seconds(since)}\n`);
  if (!ok) process.stdout.write(shorten(`${result.stdout}${result.stderr}${result.error === undefined ? "" : `${result.error.message}\n`}`));
}

if (!gatesOnly) {
  const tally = path.join(fs.mkdtempSync(path.join(os.tmpdir(), "starbox-check-")), "tally.json");
  const filters = args.filter((arg) => !arg.startsWith("--"));
  const result = spawnSync(process.execPath, [bin("vitest", "vitest.mjs"), "run", ...filters], {
    cwd: projectRoot,
    env: { ...env, STARBOX_TEST_TALLY: tally },
    stdio: ["ignore", "inherit", "inherit"],
  });
  if (fs.existsSync(tally)) {
    const tests = JSON.parse(fs.readFileSync(tally, "utf8")) as typeof counts;
    for (const key of ["passed", "failed", "skipped"] as const) counts[key] += tests[key];
    if (result.status !== 0 && tests.failed === 0) counts.failed++;
  } else counts.failed++;
  fs.rmSync(path.dirname(tally), { recursive: true, force: true });
}

process.stdout.write(`with the gates: ${gates.length}\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`);
process.exit(counts.failed === 0 ? 0 : 1);
