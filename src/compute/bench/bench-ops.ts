/** @file Runs the benchmark cases on our device and on peers, by turns in one process, and compares with limits measured in the same run. */
import type { Device } from "../backends/backend.ts";
import type { CpuDevice } from "../backends/cpu/cpu-device.ts";
import { ops } from "../ops/index.ts";
import type { BenchCase, BenchNode, LimitName, TorchRequest } from "./case.ts";
import { Contender } from "./contender.ts";
import { type Measured, type Spread, type SummaryLine, spread, summarize } from "./summary.ts";

export type OpBenchCase = {
  readonly kind: "case";
  readonly op: string;
  readonly device: string;
  readonly dtype: string;
  readonly shape: string;
  readonly case: string;
  readonly value: number;
  readonly spread: Spread;
  readonly unit: "GFLOPS" | "GB/s";
  readonly limit: number;
  readonly limitName: LimitName;
  /** Above 1 the limit is wrong: the row fails. */
  readonly shareOfLimit: number;
  readonly peers: Readonly<Record<string, Spread>>;
  /** Ours over the peer's, of rounds side by side. */
  readonly ratio: Readonly<Record<string, Spread>>;
};
export type OpBenchRow = OpBenchCase | ({ readonly kind: "summary" } & SummaryLine);

/** A peer outside this process, asked for one timing at a time. */
export type OutsidePeer = { readonly name: string; seconds(request: TorchRequest): Promise<number | null> };

export type BenchOptions = {
  readonly device: CpuDevice;
  /** The same kernels with one thread and with two. */
  readonly single: CpuDevice;
  readonly pair: CpuDevice;
  readonly ggml: Device | null;
  readonly outside: readonly OutsidePeer[];
  readonly rounds: number;
  readonly probeSeconds: number;
  /** Seconds a peer may take for one case: a slow one runs fewer rounds. */
  readonly patience: number;
  readonly signal: AbortSignal;
  readonly progress: (test: BenchCase) => void;
};

const limitUnits: Readonly<Record<LimitName, "GFLOPS" | "GB/s">> = { f32: "GFLOPS", bf16: "GFLOPS", int8: "GFLOPS", read: "GB/s", copy: "GB/s" };
/** Whoever reaches so much f32 shows that bf16 and int8 can do no less: values can be widened. */
const raises: Readonly<Record<LimitName, readonly LimitName[]>> = {
  f32: ["f32", "bf16", "int8"],
  bf16: ["bf16", "int8"],
  int8: ["int8"],
  read: ["read", "copy"],
  copy: ["copy"],
};

type Rival = { readonly name: string; readonly limit: LimitName | null; readonly seconds: () => Promise<number | null> };

/** Operations or bytes of one run, by the case's own count or the operators' costs. */
function workOf(test: BenchCase): number {
  if (test.work !== undefined) return test.work;
  return test.nodes.reduce((sum, node) => {
    const specs = node.inputs.map((input) => (input === null ? null : { dtype: input.dtype, shape: input.shape }));
    const form = ops[node.op];
    const params = Object.fromEntries(Object.entries(form.params ?? {}).map(([name, fallback]) => [name, node.params?.[name] ?? fallback ?? 0]));
    const padded = form.inputs.map((_, i) => specs[i] ?? null);
    const cost = form.cost(padded, form.infer(padded, params, node.as), params);
    return sum + (limitUnits[test.limit] === "GB/s" ? cost.bytes : cost.operations);
  }, 0);
}

/** Everybody else who does this case's work. */
function rivalsOf(test: BenchCase, options: BenchOptions, stack: DisposableStack): Rival[] {
  const { device, single, ggml, outside, signal } = options;
  const rivals: Rival[] = [];
  const add = (name: string, on: Device, nodes: readonly BenchNode[], limit: LimitName | null): void => {
    const contender = stack.use(new Contender(on, nodes, test.int8 ?? false));
    rivals.push({ name, limit, seconds: () => contender.seconds(signal) });
  };
  if (test.base !== undefined) add("base", device, test.base, null);
  if (test.threads) add("1 thread", single, test.nodes, null);
  if (ggml !== null && test.ggml !== null) {
    try {
      add("ggml", ggml, test.ggml ?? test.nodes, test.limit);
    } catch {
      // It has no such operator: the row says so by not naming it.
    }
  }
  const { torch } = test;
  if (torch === undefined) return rivals;
  for (const peer of outside) {
    rivals.push({ name: peer.name, limit: test.limit, seconds: () => peer.seconds(torch) });
    // Where the processor has no bf16 instruction, PyTorch's best on this work is its f32.
    if (torch.dtype === "bf16" && !device.isa.endsWith("bf16"))
      rivals.push({ name: `${peer.name} f32`, limit: "f32", seconds: () => peer.seconds({ ...torch, dtype: "f32" }) });
  }
  return rivals;
}

async function measure(
  test: BenchCase,
  options: BenchOptions,
  beside: () => void,
): Promise<Omit<Measured, "limit"> & { readonly rivals: readonly Rival[] }> {
  const { device, pair, rounds, signal, patience } = options;
  const work = workOf(test);
  using stack = new DisposableStack();
  const ours = stack.use(new Contender(test.threads ? pair : device, test.nodes, test.int8 ?? false));
  const rivals = rivalsOf(test, options, stack);
  const rates: number[] = [];
  const peers = new Map<string, number[]>();
  const turns = new Map<Rival, number>();
  await ours.seconds(signal);
  for (const rival of rivals) {
    const seconds = await rival.seconds();
    const allowed = seconds === null ? 0 : Math.min(rounds, Math.floor(patience / seconds));
    turns.set(rival, allowed);
    // Too slow for a second time: the first one counts.
    if (seconds !== null && allowed === 0) peers.set(rival.name, [work / seconds / 1e9]);
  }
  for (let round = 0; round < rounds; round++) {
    signal.throwIfAborted();
    beside();
    rates.push(work / (await ours.seconds(signal)) / 1e9);
    for (const rival of rivals) {
      if (round >= turns.get(rival)!) continue;
      const seconds = await rival.seconds();
      if (seconds !== null) peers.set(rival.name, [...(peers.get(rival.name) ?? []), work / seconds / 1e9]);
    }
  }
  return { test, work, ours: rates, peers, scratchBytes: ours.memory.scratchBytes, rivals };
}

function rowOf({ test, ours, peers, limit }: Measured, device: string): OpBenchCase {
  const value = spread(ours);
  return {
    kind: "case",
    op: test.op,
    device,
    dtype: test.dtype,
    shape: test.shape,
    case: test.id,
    value: value.median,
    spread: value,
    unit: limitUnits[test.limit],
    limit,
    limitName: test.limit,
    shareOfLimit: value.median / limit,
    peers: Object.fromEntries([...peers].map(([name, values]) => [name, spread(values)])),
    ratio: Object.fromEntries([...peers].map(([name, values]) => [name, spread(values.map((theirs, i) => ours[i]! / theirs))])),
  };
}

/** Yields when all is measured: a limit is the best of the probes and of everybody in this run. `all`: of which `cases` are a choice. */
export async function* benchOps(cases: readonly BenchCase[], all: readonly BenchCase[], options: BenchOptions): AsyncGenerator<OpBenchRow> {
  const { device, pair, probeSeconds, progress } = options;
  const best = new Map<string, number>();
  const key = (name: LimitName, on: CpuDevice): string => `${name} ${on.threads}`;
  const raise = (name: LimitName, on: CpuDevice, value: number): void => {
    for (const other of raises[name]) best.set(key(other, on), Math.max(best.get(key(other, on)) ?? 0, value));
  };
  const probe = (names: readonly LimitName[], on: CpuDevice, seconds: number): void => {
    for (const name of names) raise(name, on, on.probe(name, seconds) / 1e9);
  };
  const named = [
    ...new Set(cases.flatMap(({ limit }): LimitName[] => (limit === "bf16" ? ["f32", "bf16"] : limit === "copy" ? ["read", "copy"] : [limit]))),
  ];
  probe(named, device, probeSeconds);
  const measured: Omit<Measured, "limit">[] = [];
  for (const test of cases) {
    progress(test);
    const on = test.threads ? pair : device;
    const result = await measure(test, options, () => probe([test.limit], on, probeSeconds / 20));
    measured.push(result);
    for (const { name, limit } of result.rivals) if (limit !== null && result.peers.has(name)) raise(limit, on, Math.max(...result.peers.get(name)!));
  }
  probe(named, device, probeSeconds);
  const limited = measured.map((one) => ({ ...one, limit: best.get(key(one.test.limit, one.test.threads ? pair : device))! }));
  for (const one of limited) yield rowOf(one, device.name);
  for (const line of summarize(limited, all)) yield { kind: "summary", ...line };
}
