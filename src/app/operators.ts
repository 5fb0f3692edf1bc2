/** @file `starbox ops …`: opens the devices of this machine and hands them to `compute`'s list, verification and benchmark. */
import os from "node:os";
import { StarboxError } from "#base";
import {
  benchCases,
  benchOps,
  CpuDevice,
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

const threadsOf = ({ threads }: OperatorsOptions): number => (threads === 0 ? os.availableParallelism() : threads);

async function openCpu(options: OperatorsOptions): Promise<CpuDevice> {
  const library = await ensureNative("release", (done, all) => {
    if (done === 1) options.note(`Compiling the native kernels, ${all} files …`, `正在编译原生算子，共 ${all} 个文件……`);
  });
  return new CpuDevice({ library, threads: threadsOf(options), ...(options.isa === null ? {} : { isa: options.isa }) });
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

async function* list(options: OperatorsOptions): AsyncGenerator<OperatorRow> {
  const devices = await openDevices(options);
  try {
    for (const op of opNames) {
      if (options.only !== null && !op.includes(options.only)) continue;
      const form = ops[op];
      yield {
        op,
        inputs: form.inputs.map(({ name, optional }) => (optional ? `${name}?` : name)),
        gradient: typeof form.gradient === "function",
        devices: Object.fromEntries(
          devices.map(({ name, kernels }) => {
            const entry = kernels[op];
            return [
              name,
              typeof entry === "string" ? { kernel: entry, maturity: "works" } : { kernel: null, reason: entry.unsupported, maturity: "none" },
            ];
          }),
        ),
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
  for await (const row of rows) yield { ...row, ...described };
}

/** Every sample of every operator on the opened devices, against the float64 reference. */
async function* verify(options: OperatorsOptions): AsyncGenerator<OperatorVerifyRow> {
  const devices = await openDevices(options);
  try {
    for (const device of devices) {
      for (const op of opNames) {
        if (options.only !== null && !op.includes(options.only)) continue;
        options.signal.throwIfAborted();
        yield* verifyOperator(device, op);
      }
    }
  } finally {
    for (const device of devices) device[Symbol.dispose]();
  }
}

export const operators: Operators = { list, verify, bench };
