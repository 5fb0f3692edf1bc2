/** @file `starbox bench NAME`: gives each measurement the real box it measures. What is measured lies in `bench`. */
import type { BenchOptions, BenchRow } from "#cli";
import { readMachine } from "./machine.ts";
import { readCommit } from "./system-service.ts";

export const benchNames = ["retrieve", "ingest", "answer", "idle"] as const;

/** Loaded when asked for: a box that serves needs none of it. */
export async function* runBench(name: string, options: BenchOptions): AsyncGenerator<BenchRow> {
  const { cpu, cores, memoryBytes } = readMachine();
  const about = { machine: `${cores} × ${cpu}, ${Math.round(memoryBytes / 2 ** 30)} GiB, Node ${process.versions.node}`, commit: readCommit() ?? "unknown" };
  void name;
  void options;
  void about;
}
