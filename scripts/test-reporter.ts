/** @file What a test run prints: a line for each slow file, failures in full, skips with their reason, and last `N passed, N failed, N skipped`. */
import fs from "node:fs";
import path from "node:path";
import type { Reporter, SerializedError, TestCase, TestModule } from "vitest/node";

/** A skip that is not listed here fails the run: a test that never runs proves nothing. `test` is a part of "file > name"; `why` is for people. */
type AllowedSkip = { readonly test: string; readonly why: string };

const root = path.dirname(import.meta.dirname);

export class StarboxReporter implements Reporter {
  onTestModuleEnd(module: TestModule): void {
    const seconds = module.diagnostic().duration / 1000;
    const state = module.state() === "failed" ? "FAILED" : "ok";
    if (state === "FAILED" || seconds >= 1) process.stdout.write(`  ${state.padEnd(6)} ${module.relativeModuleId} ${seconds.toFixed(1)} s\n`);
  }

  onTestCaseResult(test: TestCase): void {
    if (test.result().state !== "failed") return;
    process.stdout.write(`  FAILED ${nameOf(test)}\n${explain(test.result().errors ?? [])}`);
  }

  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const counts = { passed: 0, failed: unhandled.length, skipped: 0 };
    const forbidden: string[] = [];
    const allowed = JSON.parse(fs.readFileSync(path.join(root, "scripts", "allowed-skips.json"), "utf8")) as readonly AllowedSkip[];
    for (const module of modules) {
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state === "passed") counts.passed++;
        else if (state === "failed") counts.failed++;
        else {
          counts.skipped++;
          const result = test.result();
          const name = nameOf(test);
          const note = "note" in result && result.note !== undefined ? ` (${result.note})` : "";
          process.stdout.write(`  skipped ${name}${note}\n`);
          if (!allowed.some((entry) => name.includes(entry.test))) forbidden.push(name);
        }
      }
      const broken = module.errors();
      if (broken.length > 0) {
        counts.failed++;
        process.stdout.write(`  FAILED ${module.relativeModuleId} could not be loaded\n${explain(broken)}`);
      }
    }
    if (unhandled.length > 0) process.stdout.write(`  FAILED outside of any test\n${explain(unhandled)}`);
    if (counts.passed + counts.failed === 0) {
      counts.failed++;
      process.stdout.write("  FAILED no test ran\n");
    }
    for (const name of forbidden) process.stdout.write(`  FAILED skip not allowed: ${name}\n`);
    counts.failed += forbidden.length;
    counts.skipped -= forbidden.length;
    if (counts.failed > 0) process.exitCode = 1;
    const tally = process.env["STARBOX_TEST_TALLY"];
    if (tally !== undefined) fs.writeFileSync(tally, JSON.stringify(counts));
    process.stdout.write(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`);
  }
}

const nameOf = (test: TestCase): string => `${test.module.relativeModuleId} > ${test.fullName}`;

function explain(errors: readonly { readonly message: string; readonly stack?: string | undefined; readonly diff?: string | undefined }[]): string {
  return errors.map((error) => `${indent(error.stack ?? error.message)}\n${error.diff === undefined ? "" : `${indent(error.diff)}\n`}`).join("");
}
const indent = (text: string): string =>
  text
    .split("\n")
    .slice(0, 40)
    .map((line) => `    ${line}`)
    .join("\n");

// Vitest loads a reporter named by path through its default export.
export default StarboxReporter;
