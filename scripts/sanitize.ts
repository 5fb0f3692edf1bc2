/**
 * @file The native kernels under sanitizers, without Node in the process: recorded plans (record-plans.ts) replayed by native/replay.
 * Memory and undefined behaviour on every tier this machine has up to AVX2, aligned and one element off, hostile plans; races between threads;
 * and two faults planted in a copy of the sources, which must be found.
 *
 *   npm run native:sanitize [-- --long]
 */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { recordPlans } from "./record-plans.ts";
import { projectRoot } from "./source-files.ts";

type Build = {
  readonly buildReplay: (options: { readonly variant: string; readonly sources?: string }) => Promise<string>;
};
const native = path.join(projectRoot, "native");
const { buildReplay } = (await import(pathToFileURL(path.join(native, "build.mjs")).href)) as Build;

/** What a sanitizer says ends the run. */
const env = { ...process.env, UBSAN_OPTIONS: "halt_on_error=1:print_stacktrace=1", TSAN_OPTIONS: "halt_on_error=1", ASAN_OPTIONS: "detect_leaks=1" };

export type Finding = { readonly name: string; readonly ok: boolean; readonly seconds: number; readonly words: string };

function replay(name: string, program: string, args: readonly string[]): Finding {
  const since = Date.now();
  const { status, stdout, stderr } = spawnSync(program, args, { env, encoding: "utf8", maxBuffer: 1 << 28 });
  const seconds = (Date.now() - since) / 1000;
  const words = `${stderr.slice(0, 6000)}${stdout.slice(-3000)}`.trim();
  return { name, ok: status === 0, seconds, words };
}

/** A copy of the sources with one line changed; the fault must be found there. */
const plants = [
  {
    name: "planted overflow",
    variant: "asan",
    file: "kernels/elementwise.cpp",
    from: "std::min(n, (chunk + 1) * kChunk), c.params[0]",
    to: "std::min(n, (chunk + 1) * kChunk) + 1, c.params[0]",
    report: /AddressSanitizer: heap-buffer-overflow/,
    only: "fill",
  },
  {
    // Threads without an order between them write: found by the clocks of ThreadSanitizer whichever of them comes first.
    name: "planted race",
    variant: "tsan",
    file: "core/pool.cpp",
    from: "busy_.load(std::memory_order_acquire)",
    to: "busy_.load(std::memory_order_relaxed)",
    report: /ThreadSanitizer: data race/,
    only: "several chunks",
  },
] as const;

async function findPlanted(plans: string, { name, variant, file, from, to, report, only }: (typeof plants)[number]): Promise<Finding> {
  const since = Date.now();
  const sources = fs.mkdtempSync(path.join(os.tmpdir(), "starbox-planted-"));
  try {
    for (const folder of ["core", "kernels", "include"]) fs.cpSync(path.join(native, folder), path.join(sources, folder), { recursive: true });
    const text = fs.readFileSync(path.join(sources, file), "utf8");
    if (!text.includes(from)) throw new Error(`${file} no longer holds the line to plant a fault in: ${from}`);
    fs.writeFileSync(path.join(sources, file), text.replace(from, to));
    const program = await buildReplay({ variant, sources });
    const { ok, words } = replay(name, program, [plans, "--threads", "4", "--repeats", "20", "--only", only]);
    fs.rmSync(path.dirname(program), { recursive: true, force: true });
    return { name, ok: !ok && report.test(words), seconds: (Date.now() - since) / 1000, words: report.exec(words)?.[0] ?? `not found: ${words}` };
  } finally {
    fs.rmSync(sources, { recursive: true, force: true });
  }
}

/** Everything; `long`: more shapes, plans and threads. */
export async function sanitize(long: boolean): Promise<readonly Finding[]> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "starbox-plans-"));
  const plans = path.join(folder, "plans");
  try {
    await recordPlans(plans, long ? 60 : 3);
    const tiers = process.arch === "x64" ? ["base", "avx2"] : ["neon"];
    const address = await buildReplay({ variant: "asan" });
    const threads = await buildReplay({ variant: "tsan" });
    const findings: Finding[] = [];
    for (const tier of tiers) {
      findings.push(replay(`memory, ${tier}`, address, [plans, "--isa", tier, "--threads", "2"]));
      if (long || tier === tiers.at(-1))
        findings.push(replay(`memory, ${tier}, misaligned`, address, [plans, "--isa", tier, "--threads", "1", "--misaligned"]));
    }
    const best = tiers.at(-1)!;
    for (let seed = 1; seed <= (long ? 20 : 1); seed++)
      findings.push(
        replay(`hostile plans ${seed}`, address, [
          plans,
          "--isa",
          best,
          "--threads",
          "2",
          "--hostile",
          long ? "100000" : "10000",
          "--seed",
          `${seed}`,
        ]),
      );
    findings.push(replay(`races, ${best}`, threads, [plans, "--isa", best, "--threads", long ? "1,2,3,4" : "3"]));
    for (const plant of plants) findings.push(await findPlanted(plans, plant));
    return findings;
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const findings = await sanitize(process.argv.includes("--long"));
  for (const { name, ok, seconds, words } of findings) {
    console.log(`${ok ? "ok    " : "FAILED"} ${name} ${seconds.toFixed(1)} s: ${words.split("\n").at(-1)}`);
    if (!ok) console.log(words);
  }
  process.exitCode = findings.every(({ ok }) => ok) ? 0 : 1;
}
