/** @file `starbox ops list | verify | bench`: the operator library: what runs where, whether it is right, how close to the machine's limit. */
import type { Command } from "commander";
import { StarboxError } from "#base";
import type { OperatorBenchCase, OperatorBenchSummary, OperatorRow, OperatorsOptions, OperatorVerifyRow, Spread } from "#contracts";
import type { Cli } from "../cli.ts";
import { wholeNumber } from "../options.ts";
import type { Builder } from "./builder.ts";
import { peersOf } from "./peers.ts";

type Flags = {
  readonly device?: string;
  readonly model?: string;
  readonly only?: string;
  readonly peer?: readonly string[];
  readonly rounds?: number;
  readonly short?: boolean;
  readonly threads?: number;
  readonly isa?: string;
  readonly report?: string;
};

const optionsOf = ({ signal, terminal, settings }: Cli, flags: Flags): OperatorsOptions => ({
  dataDir: settings.data,
  packCacheMb: settings.packCacheMb,
  device: flags.device ?? null,
  model: flags.model ?? null,
  only: flags.only ?? null,
  peers: peersOf(flags.peer ?? []),
  rounds: flags.rounds ?? (flags.short ? 1 : 5),
  short: flags.short ?? false,
  threads: flags.threads ?? 0,
  isa: flags.isa ?? null,
  report: flags.report ?? null,
  signal,
  note: terminal.note,
});

export function addOps(program: Command, { add, t, run }: Builder): void {
  const group = add(
    "ops",
    ["operators: what runs where, whether it is right, how fast", "算子：在哪里可运行、结果是否正确、速度如何"],
    [
      "starbox ops list",
      "starbox ops verify --device cpu",
      "starbox ops verify --model model.gguf",
      "starbox ops bench --peer torch=/usr/bin/python3",
    ],
  );
  const shared = (command: Command): Command =>
    command
      .option("--device <NAME>", t("only this device: reference, cpu, ggml, …", "只看此设备：reference、cpu、ggml 等"))
      .option("--only <TEXT>", t("only operators or cases whose name contains this", "只运行名称包含该文字的算子或项目"))
      .option("--threads <N>", t("threads of the processor; 0: all", "处理器线程数；0 表示全部"), wholeNumber(0, 1024))
      .option("--isa <TIER>", t("a lower instruction-set tier than the best: base, avx2, …", "使用较低的指令集档位：base、avx2 等"));
  group.addCommand(
    shared(
      add(
        "list",
        ["every operator on every device: kernel or the reason there is none", "列出每个算子在各设备上的内核，或没有内核的原因"],
        ["starbox ops list", "starbox ops list --json"],
      ),
    ).action(async (flags: Flags) => {
      await run(async (cli) => {
        for await (const row of (await cli.parts.operators()).list(optionsOf(cli, flags))) cli.terminal.result(row, listLine(row));
      });
    }),
  );
  group.addCommand(
    shared(
      add(
        "verify",
        ["alignment report: can it run, same numbers, same network", "对齐报告：能否运行、数值是否一致、网络是否一致"],
        ["starbox ops verify", "starbox ops verify --model model.gguf --report report.html"],
      ),
    )
      .option("--model <FILE>", t("a GGUF model: its own operators, shapes and layers", "GGUF 模型：按其自身的算子、形状与层进行检查"))
      .option(
        "--report <PATH>",
        t("write a page (a folder, or a name ending in .html) and the same as JSON", "写出 HTML 报告（文件夹或 .html 文件名）及 JSON"),
      )
      .action(async (flags: Flags) => {
        await run(async (cli) => await verify(cli, flags));
      }),
  );
  group.addCommand(
    shared(
      add(
        "bench",
        ["share of the machine's limit, beside ggml and other peers", "占机器上限的比例，并与 ggml 等对比"],
        ["starbox ops bench", "starbox ops bench --only linear --peer torch=/usr/bin/python3"],
      ),
    )
      .option("--peer <NAME=PATH...>", t("torch=PYTHON: oneDNN through PyTorch", "torch=PYTHON：通过 PyTorch 使用 oneDNN"))
      .option("--rounds <N>", t("rounds by turns", "轮流测量的次数"), wholeNumber(1, 1000))
      .option("--short", t("tiny shapes, a second: shows that it works, not how fast", "极小尺寸，约一秒：只验证可运行，不代表速度"))
      .action(async (flags: Flags) => {
        await run(async (cli) => await bench(cli, flags));
      }),
  );
  program.addCommand(group);
}

function listLine({ op, devices }: OperatorRow): string {
  const each = Object.entries(devices).map(
    ([name, { kernel, reason, maturity, why }]) => `  ${name}: ${kernel ?? `– ${reason}`}${kernel === null ? "" : `  ${maturity}: ${why}`}`,
  );
  return [op, ...each].join("\n");
}

async function verify(cli: Cli, flags: Flags): Promise<number> {
  const { terminal } = cli;
  const counts = { good: 0, bad: 0, known: 0, skipped: 0 };
  for await (const row of (await cli.parts.operators()).verify(optionsOf(cli, flags))) {
    if (row.pass !== "speed") counts[row.known ? "known" : row.ok ? (row.value === null && row.reason !== undefined ? "skipped" : "good") : "bad"]++;
    terminal.result(row, row.ok && row.reason === undefined && flags.only === undefined && flags.model === undefined ? "" : verifyLine(row));
  }
  if (counts.good + counts.bad + counts.known === 0)
    throw new StarboxError("not_found", "Nothing was verified: no operator matches.", { zh: { message: "没有匹配的算子，未进行任何检查。" } });
  terminal.note(
    `${counts.good} checks hold, ${counts.bad} do not, ${counts.known} differ by the device's own design, ${counts.skipped} cannot run (reasons above).`,
    `${counts.good} 项通过，${counts.bad} 项未通过，${counts.known} 项为设备自身设计造成的已知差异，${counts.skipped} 项无法运行（原因见上）。`,
  );
  return counts.bad === 0 ? 0 : 1;
}

function verifyLine({ op, device, dtype, shape, pass, ok, metric, value, threshold, reason, known }: OperatorVerifyRow): string {
  const sign = known ? "≈" : value === null && reason !== undefined && ok ? "–" : ok ? "✓" : "✗";
  const measured = value === null ? "" : ` ${metric} ${value.toPrecision(3)}${threshold === null ? "" : ` ≤ ${threshold.toPrecision(3)}`}`;
  return `${sign} ${device} ${op} ${pass} ${dtype} ${shape}${measured}${reason === undefined ? "" : `  ${reason}`}`;
}

const short = ({ min, median, max }: Spread, digits: number): string => `${median.toFixed(digits)} (${min.toFixed(digits)} – ${max.toFixed(digits)})`;

/** A share above 100 % says that the limit was not measured rightly: the run fails. Tiny shapes live in the caches, where no limit of memory holds. */
async function bench(cli: Cli, flags: Flags): Promise<number> {
  const impossible: string[] = [];
  for await (const row of (await cli.parts.operators()).bench(optionsOf(cli, flags))) {
    cli.terminal.result(row, row.kind === "case" ? caseLine(row) : summaryLine(row));
    if (row.kind === "case" && row.shareOfLimit > 1) impossible.push(row.case);
  }
  if (flags.short) cli.terminal.note("Tiny shapes: these figures say nothing about speed.", "极小尺寸：以上数字不代表速度。");
  else if (impossible.length > 0) {
    const names = impossible.join(", ");
    cli.terminal.note(
      `Above 100 % of a measured limit: ${names}. The limits are wrong; run it again.`,
      `超过实测上限：${names}。上限测量有误，请重新运行。`,
    );
    return 1;
  }
  return 0;
}

function caseLine(row: OperatorBenchCase): string {
  const share = `${(row.shareOfLimit * 100).toFixed(0)} %${row.shareOfLimit > 1 ? " (!)" : ""}`;
  const peers = Object.entries(row.ratio).map(([name, ratio]) => `${short(ratio, 2)}× ${name}`);
  return [`${row.case}: ${short(row.spread, 0)} ${row.unit}, ${share} of ${row.limit.toFixed(0)} ${row.limitName}`, ...peers].join(", ");
}

function summaryLine({ what, value, unit, must, goal, verdict }: OperatorBenchSummary): string {
  const digits = unit === "×" ? 2 : 1;
  const asked = [...(must === null ? [] : [`must ${must}`]), `goal ${goal}`].join(", ");
  return `${verdict === "missed" ? "✗" : verdict === "goal held" ? "✓" : "~"} ${what}: ${short(value, digits)} ${unit} (${asked}): ${verdict}`;
}
