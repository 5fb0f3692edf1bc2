/** @file `starbox bench NAME`: measurements that anybody can repeat, with machine and commit. What is measured belongs to the `bench` room. */
import fs from "node:fs";
import path from "node:path";
import type { Command } from "commander";
import { StarboxError } from "#base";
import type { BenchRow } from "#contracts";
import type { Cli } from "../cli.ts";
import type { Builder } from "./builder.ts";
import { peersOf } from "./peers.ts";

type Flags = { readonly peer?: readonly string[]; readonly long?: boolean; readonly case?: string; readonly save?: boolean };

export function addBench(program: Command, { add, t, run }: Builder): void {
  const command = add(
    "bench",
    ["measure this box: retrieve, ingest, answer, idle, load, infer", "测量本机：retrieve、ingest、answer、idle、load、infer"],
    ["starbox bench retrieve", "starbox bench answer --json", "starbox bench load --case ingest", "starbox bench idle --save"],
  )
    .argument("<NAME>", t("which measurement", "测量项目"))
    .option("--peer <NAME=PATH...>", t("another program to compare with", "用于对比的其他程序"))
    .option("--case <CASE>", t("only this part of the measurement", "只运行其中一项"))
    .option("--long", t("full counts instead of the short form", "使用完整规模而非简短形式"))
    .option("--save", t("write the rows to docs/numbers.json, from which the README quotes", "写入 docs/numbers.json，供 README 引用"))
    .action(async (name: string, flags: Flags) => {
      await run(async (cli) => await bench(cli, name, flags));
    });
  program.addCommand(command);
}

async function bench({ parts, settings, terminal, signal }: Cli, name: string, flags: Flags): Promise<void> {
  if (!parts.benchNames.includes(name)) {
    const known = parts.benchNames.join(", ");
    throw new StarboxError("usage", `No measurement "${name}".`, {
      hint: `There are: ${known}.`,
      zh: { message: `没有测量项目“${name}”。`, hint: `可用的有：${known}。` },
    });
  }
  const rows: BenchRow[] = [];
  const options = { settings, peers: peersOf(flags.peer ?? []), note: terminal.note, signal, long: flags.long === true };
  for await (const row of parts.bench(name, { ...options, ...(flags.case === undefined ? {} : { only: flags.case }) })) {
    rows.push(row);
    const { min, median, max } = row.starbox;
    const range = min === max ? "" : ` (${min} – ${max})`;
    terminal.result(row, `${row.name} ${row.case}: ${median} ${row.unit}${range}`);
  }
  const last = rows.at(-1);
  if (last !== undefined && !terminal.json) terminal.note(`${last.machine}, ${last.commit}`, `${last.machine}，${last.commit}`);
  if (flags.save === true) save(rows);
}

/** Rows of the same name and case are replaced; the file stays sorted, so that changes read well. */
function save(rows: readonly BenchRow[]): void {
  const file = path.join(import.meta.dirname, "../../../docs/numbers.json");
  const before: readonly BenchRow[] = fs.existsSync(file) ? (JSON.parse(fs.readFileSync(file, "utf8")) as BenchRow[]) : [];
  const key = (row: BenchRow): string => `${row.name} ${row.case}`;
  const fresh = new Set(rows.map(key));
  const all = [...before.filter((row) => !fresh.has(key(row))), ...rows].sort((a, b) => (key(a) < key(b) ? -1 : 1));
  fs.writeFileSync(file, `${JSON.stringify(all, null, 2)}\n`);
}
