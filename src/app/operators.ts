/** @file `starbox ops …`: opens the devices of this machine and hands them to `compute`'s list, verification and benchmark. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import {
  type AlignmentReport,
  type BenchRecord,
  type MaturityRow,
  maturityOf,
  OperatorRecords,
  type OperatorSummary,
  recordOf,
  renderReport,
  type VerifyRecord,
} from "#alignment";
import { StarboxError } from "#base";
import {
  benchCases,
  benchOps,
  CpuDevice,
  cpuKernels,
  crossBuild,
  type Device,
  ensureNative,
  findGgmlChips,
  GgmlDevice,
  opNames,
  ops,
  ReferenceDevice,
  startTorchPeer,
  verifyOperator,
} from "#compute";
import type { OperatorBenchRow, OperatorRow, Operators, OperatorsOptions, OperatorVerifyRow } from "#contracts";
import { readMachine } from "./machine.ts";
import { readCommit } from "./system-service.ts";
import { type ModelReport, verifyModel } from "./verify-model.ts";

const threadsOf = ({ threads }: OperatorsOptions): number => (threads === 0 ? os.availableParallelism() : threads);

const builds = new WeakMap<Device, string>();
/** What computes on this device: results count for this build only. */
const buildOf = (device: Device): string => builds.get(device) ?? device.description;
const machineName = (): string => {
  const { cpu, cores } = readMachine();
  return `${cpu}, ${cores} cores`;
};
const circumstances = (device: Device) => ({
  build: buildOf(device),
  machine: machineName(),
  commit: readCommit() ?? "unknown",
  at: new Date().toISOString(),
});

async function openCpu(options: OperatorsOptions): Promise<CpuDevice> {
  const library = await ensureNative("release", (done, all) => {
    if (done === 1) options.note(`Compiling the native kernels, ${all} files …`, `正在编译原生算子，共 ${all} 个文件……`);
  });
  // Of models only: samples and benchmarks make their weights up.
  const packCache = { folder: path.join(options.dataDir, "cache", "packed"), maxBytes: options.packCacheMb * 2 ** 20 };
  const device = new CpuDevice({
    library,
    threads: threadsOf(options),
    ...(options.isa === null ? {} : { isa: options.isa }),
    ...(options.model === null || packCache.maxBytes === 0 ? {} : { packCache }),
  });
  builds.set(device, `${path.basename(path.dirname(library))} ${device.isa}`);
  return device;
}

/** Devices that can be opened here, or the one asked for; those that cannot are told. */
export async function openDevices(options: OperatorsOptions): Promise<Device[]> {
  const wanted = options.device;
  const devices: Device[] = [];
  const open = async (name: string, create: () => Promise<Device> | Device): Promise<void> => {
    if (wanted !== null && wanted !== name) return;
    try {
      devices.push(await create());
    } catch (error) {
      if (wanted !== null || !StarboxError.is(error)) throw error;
      options.note(`${name}: ${error.message} ${error.hint ?? ""}`, `${name}：${error.zh?.message ?? error.message} ${error.zh?.hint ?? ""}`);
    }
  };
  if (wanted === "reference") await open("reference", () => new ReferenceDevice());
  await open("cpu", () => openCpu(options));
  await open("ggml", () => new GgmlDevice({ threads: threadsOf(options) }));
  for (const chip of findGgmlChips()) if (chip.kind !== "processor") await open(`ggml:${chip.name}`, () => new GgmlDevice({ chip: chip.name }));
  if (devices.length === 0) {
    throw new StarboxError("not_found", `There is no device "${wanted}" on this machine.`, {
      hint: "There are: cpu, ggml, and a ggml:CHIP for each graphics chip that was found.",
      zh: { message: `本机没有设备“${wanted}”。`, hint: "可用设备：cpu、ggml，以及检测到的每块显卡 ggml:CHIP。" },
    });
  }
  return devices;
}

/** Of every operator, on the opened devices. */
function maturityRows(devices: readonly Device[], dataDir: string, only: string | null): MaturityRow[] {
  const records = new OperatorRecords(dataDir).all;
  const names = opNames.filter((op) => only === null || op.includes(only));
  return names.flatMap((op) =>
    devices.map((device) => {
      const question = { op, device: device.name, kernel: typeof device.kernels[op] === "string", gradient: typeof ops[op].gradient === "function" };
      return { op, device: device.name, ...maturityOf({ ...question, build: buildOf(device), machine: machineName() }, records) };
    }),
  );
}

/** Processors whose kernels ran here under emulation, with these very sources. */
async function emulatedRows({ dataDir, only, device }: OperatorsOptions): Promise<MaturityRow[]> {
  const build = await crossBuild(process.arch === "arm64" ? "x64" : "arm64");
  const records = new OperatorRecords(dataDir).all.filter((one) => one.kind === "verify" && one.emulator !== undefined && one.build === build);
  const names = [...new Set(records.map((one) => one.device))].filter((name) => device === null || name === device);
  return opNames
    .filter((op) => only === null || op.includes(only))
    .flatMap((op) =>
      names.map((name) => {
        const question = { op, device: name, kernel: typeof cpuKernels[op] === "string", gradient: typeof ops[op].gradient === "function" };
        return { op, device: name, ...maturityOf({ ...question, build: build ?? "", machine: "emulated" }, records) };
      }),
    );
}

async function* list(options: OperatorsOptions): AsyncGenerator<OperatorRow> {
  const devices = await openDevices(options);
  const maturity = maturityRows(devices, options.dataDir, options.only);
  const emulated = await emulatedRows(options);
  try {
    for (const op of opNames) {
      if (options.only !== null && !op.includes(options.only)) continue;
      const form = ops[op];
      yield {
        op,
        inputs: form.inputs.map(({ name, optional }) => (optional ? `${name}?` : name)),
        gradient: typeof form.gradient === "function",
        devices: Object.fromEntries([
          ...devices.map(({ name, kernels }) => {
            const entry = kernels[op];
            const { level, why } = maturity.find((row) => row.op === op && row.device === name)!;
            const kernel = typeof entry === "string" ? { kernel: entry } : { kernel: null, reason: entry.unsupported };
            return [name, { ...kernel, maturity: level, why }] as const;
          }),
          ...emulated
            .filter((row) => row.op === op)
            .map(({ device, level, why }) => [device, { kernel: cpuKernels[op] as string, maturity: level, why }] as const),
        ]),
      };
    }
  } finally {
    for (const device of devices) device[Symbol.dispose]();
  }
}

async function* bench(options: OperatorsOptions): AsyncGenerator<OperatorBenchRow> {
  const { only, peers, rounds, short, signal, note } = options;
  const all = benchCases(short ? "short" : "full");
  const cases = all.filter(({ id }) => only === null || id.includes(only));
  if (cases.length === 0)
    throw new StarboxError("not_found", `No case contains "${only}".`, { hint: `There are: ${all.map(({ id }) => id).join(", ")}.` });
  using device = await openCpu(options);
  using single = await openCpu({ ...options, threads: 1 });
  using pair = await openCpu({ ...options, threads: 2 });
  using ggml = new GgmlDevice({ threads: threadsOf(options) });
  const torch = peers["torch"] === undefined ? null : startTorchPeer(peers["torch"], threadsOf(options));
  await using _ = torch;
  const { cpu, cores } = readMachine();
  const described = { machine: `${cpu}, ${cores} cores, ${device.isa}`, commit: readCommit() ?? "unknown" };
  const rows = benchOps(cases, all, {
    device,
    single,
    pair,
    ggml,
    outside: torch === null ? [] : [torch],
    rounds,
    probeSeconds: short ? 0.02 : 0.4,
    patience: short ? 1 : 3,
    signal,
    progress: ({ id }) => note(id, id),
  });
  const measured: BenchRecord[] = [];
  for await (const row of rows) {
    if (row.kind === "case") {
      const { op, case: id, shareOfLimit } = row;
      const ratio = Object.fromEntries(Object.entries(row.ratio).map(([name, { median }]) => [name, median]));
      measured.push({ kind: "bench", op, device: device.name, case: id, shareOfLimit, ratio, ...circumstances(device) });
    }
    yield { ...row, ...described };
  }
  if (!short) new OperatorRecords(options.dataDir).add(measured); // tiny shapes say nothing about speed
}

/** Every sample of every operator on the opened devices, against the float64 reference; or a model's own operators and layers. Then the report, where one is asked for. */
async function* verify(options: OperatorsOptions): AsyncGenerator<OperatorVerifyRow> {
  const devices = await openDevices(options);
  try {
    const operators: OperatorSummary[] = [];
    let model: ModelReport = { model: null, canRun: [], networks: [] };
    if (options.model === null) {
      for (const device of devices) yield* verifyDevice(device, options, operators);
    } else model = yield* verifyModel(options.model, devices, threadsOf(options), options);
    if (options.report !== null) {
      const described = devices.map((device) => ({ name: device.name, description: device.description, build: buildOf(device) }));
      const shared = { made: new Date().toISOString(), machine: machineName(), commit: readCommit() ?? "unknown" };
      const used = new Set(model.canRun.map(({ op }) => op));
      const maturity = maturityRows(devices, options.dataDir, options.only).filter(({ op }) => options.model === null || used.has(op));
      writeReport(options, { ...shared, ...model, devices: described, operators, maturity });
    }
  } finally {
    for (const device of devices) device[Symbol.dispose]();
  }
}

async function* verifyDevice(device: Device, options: OperatorsOptions, summaries: OperatorSummary[]): AsyncGenerator<OperatorVerifyRow> {
  const records: VerifyRecord[] = [];
  for (const op of opNames) {
    if (options.only !== null && !op.includes(options.only)) continue;
    options.signal.throwIfAborted();
    const rows: OperatorVerifyRow[] = [];
    for await (const row of verifyOperator(device, op)) {
      rows.push(row);
      yield row;
    }
    records.push(recordOf(op, device.name, rows, circumstances(device)));
    for (const pass of ["fwd", "bwd"] as const) {
      const mine = rows.filter((row) => row.pass === pass && row.value !== null);
      if (mine.length === 0) continue;
      const failed = mine.filter(({ ok }) => !ok);
      const worst = Math.max(...mine.map(({ value }) => value!));
      summaries.push({ op, device: device.name, pass, checks: mine.length, failed: failed.length, worst, problem: failed[0]?.reason ?? "" });
    }
  }
  new OperatorRecords(options.dataDir).add(records);
}

/** A folder, or a file's name: the page, and the same as JSON beside it. */
function writeReport({ report, note }: OperatorsOptions, content: AlignmentReport): void {
  const page = /\.html?$/i.test(report!) ? path.resolve(report!) : path.resolve(report!, "alignment.html");
  fs.mkdirSync(path.dirname(page), { recursive: true });
  fs.writeFileSync(page, renderReport(content));
  fs.writeFileSync(page.replace(/\.html?$/i, ".json"), `${JSON.stringify(content, null, 1)}\n`);
  note(`The report: ${page}`, `报告：${page}`);
}

export const operators: Operators = { list, verify, bench };
