/**
 * @file The native kernels for 64-bit ARM on a machine of another kind: cross-compiled, the recorded plans replayed under user-mode emulation, once with BF16 and I8MM
 * instructions and once without; with --plant also a fault planted in a NEON kernel, which must be found. What held goes into the data folder, where `ops list` finds it.
 *
 *   npm run native:arm [-- --plant] [-- --long]        (Debian: apt-get install g++-aarch64-linux-gnu qemu-user)
 */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { OperatorRecords, type VerifyRecord } from "../src/alignment/index.ts";
import { loadSettings } from "../src/base/index.ts";
import { emulatedDevice } from "../src/compute/index.ts";
import { recordPlans } from "./record-plans.ts";
import { projectRoot } from "./source-files.ts";

type Build = {
  readonly buildReplay: (options: { readonly architecture: string; readonly sources?: string }) => Promise<string>;
  readonly findCompiler: (architecture: string) => { readonly compiler: string; readonly version: string } | null;
};
const native = path.join(projectRoot, "native");
const { buildReplay, findCompiler } = (await import(pathToFileURL(path.join(native, "build.mjs")).href)) as Build;

/** Processors to emulate, and the tier each must get. */
const processors = [
  { cpu: "max", tier: "neon-bf16" },
  { cpu: "cortex-a72", tier: "neon" },
] as const;

type Replay = { readonly status: number | null; readonly tier: string | null; readonly failed: readonly string[]; readonly words: string };

function replay(cpu: string, program: string, args: readonly string[]): Replay {
  const command = ["-L", "/usr/aarch64-linux-gnu", "-cpu", cpu, program, ...args];
  const { status, stdout, stderr, error } = spawnSync("qemu-aarch64", command, { encoding: "utf8", maxBuffer: 1 << 28 });
  if (error !== undefined) throw new Error(`qemu-aarch64 could not be started (Debian: apt-get install qemu-user): ${error.message}`);
  const failed = [...stdout.matchAll(/^FAILED (.*?): /gm)].map((match) => match[1]!);
  return { status, tier: /^(\S+): \d+ cases passed/m.exec(stdout)?.[1] ?? null, failed, words: `${stdout}${stderr}`.trim() };
}

/** One record an operator: how many of its plans held and failed. */
function recordsOf(
  names: readonly string[],
  failed: ReadonlySet<string>,
  shared: Omit<VerifyRecord, "kind" | "op" | "forward" | "backward" | "refused">,
): VerifyRecord[] {
  const byOp = Map.groupBy(names, (name) => name.slice(0, name.indexOf(",")));
  return [...byOp].map(([op, mine]) => {
    const count = (backward: boolean) => {
      const those = mine.filter((name) => name.includes(", gradient, ") === backward);
      const wrong = those.filter((name) => failed.has(name)).length;
      return { held: those.length - wrong, failed: wrong };
    };
    return { kind: "verify", op, forward: count(false), backward: count(true), refused: 0, ...shared };
  });
}

/** One operand of the BF16 dot product taken for the other in a copy of the sources: the replay must say so, or it proves nothing. Compiles the library once more. */
async function findPlanted(plans: string): Promise<boolean> {
  const sources = fs.mkdtempSync(path.join(os.tmpdir(), "starbox-planted-arm-"));
  try {
    for (const folder of ["core", "kernels", "include"]) fs.cpSync(path.join(native, folder), path.join(sources, folder), { recursive: true });
    const file = path.join(sources, "kernels", "matmul-tile.hpp");
    const text = fs.readFileSync(file, "utf8");
    const [from, to] = ["(bfloat16x8_t)a, (bfloat16x8_t)b)", "(bfloat16x8_t)b, (bfloat16x8_t)b)"];
    if (!text.includes(from)) throw new Error(`${file} no longer holds ${from}, where a fault is planted`);
    fs.writeFileSync(file, text.replace(from, to));
    const program = await buildReplay({ architecture: "arm64", sources });
    const { failed } = replay("max", program, [plans, "--threads", "2", "--only", "linear"]);
    fs.rmSync(path.dirname(program), { recursive: true, force: true });
    return failed.length > 0;
  } finally {
    fs.rmSync(sources, { recursive: true, force: true });
  }
}

const long = process.argv.includes("--long");
if (findCompiler("arm64") === null)
  throw new Error("No compiler for 64-bit ARM was found: set CXX, or install one (Debian: apt-get install g++-aarch64-linux-gnu).");
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "starbox-plans-"));
try {
  const plans = path.join(folder, "plans");
  const names = await recordPlans(plans, long ? 30 : 3);
  const program = await buildReplay({ architecture: "arm64" });
  const emulator = spawnSync("qemu-aarch64", ["--version"], { encoding: "utf8" }).stdout?.split("\n")[0] ?? "";
  const commit = spawnSync("git", ["rev-parse", "--short", "HEAD"], { cwd: projectRoot, encoding: "utf8" }).stdout?.trim() || "unknown";
  const records: VerifyRecord[] = [];
  let good = true;
  for (const { cpu, tier } of processors) {
    const since = Date.now();
    const { status, failed, words, tier: got } = replay(cpu, program, [plans, "--threads", "2"]);
    const right = status === 0 && got === tier;
    good &&= right;
    console.log(`${right ? "ok    " : "FAILED"} -cpu ${cpu}, ${((Date.now() - since) / 1000).toFixed(1)} s: ${words.slice(-2000)}`);
    if (got !== null && got !== tier) console.log(`       expected the tier ${tier}`);
    const build = path.basename(path.dirname(program));
    if (got !== null)
      records.push(
        ...recordsOf(names, new Set(failed), {
          device: emulatedDevice("arm64", tier),
          build,
          machine: "emulated",
          emulator: `${emulator.replace(/ \(.*/, "")}, -cpu ${cpu}`,
          commit,
          at: new Date().toISOString(),
        }),
      );
  }
  new OperatorRecords(loadSettings().data).add(records);
  if (long || process.argv.includes("--plant")) {
    const found = await findPlanted(plans);
    good &&= found;
    console.log(`${found ? "ok    " : "FAILED"} a fault planted in a NEON kernel ${found ? "is found" : "was not found"}`);
  }
  process.exitCode = good ? 0 : 1;
} finally {
  fs.rmSync(folder, { recursive: true, force: true });
}
