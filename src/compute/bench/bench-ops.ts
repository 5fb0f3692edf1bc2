/** @file Runs the benchmark cases on our device and on peers, by turns in one process, and compares with limits measured in the same run. */
import type { Device, TensorData } from "../backends/backend.ts";
import type { CpuDevice } from "../backends/cpu/cpu-device.ts";
import { Graph } from "../graph/graph.ts";
import { ops } from "../ops/index.ts";
import type { BenchCase, BenchNode, LimitName } from "./cases.ts";
import { benchData } from "./fill.ts";

export type Spread = { readonly min: number; readonly median: number; readonly max: number };
export type OpBenchRow = {
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

/** A peer outside this process, asked for one timing at a time. */
export type OutsidePeer = { readonly name: string; seconds(request: NonNullable<BenchCase["torch"]>): Promise<number | null> };

export type BenchOptions = {
  readonly device: CpuDevice;
  readonly ggml: Device | null;
  readonly outside: readonly OutsidePeer[];
  readonly rounds: number;
  readonly probeSeconds: number;
  readonly signal: AbortSignal;
};

const limitUnits: Readonly<Record<LimitName, "GFLOPS" | "GB/s">> = { f32: "GFLOPS", bf16: "GFLOPS", int8: "GFLOPS", read: "GB/s", copy: "GB/s" };

export function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  return { min: sorted[0]!, median: sorted[Math.floor(sorted.length / 2)]!, max: sorted.at(-1)! };
}

/** One program of a case's nodes, ready to be timed. */
class Contender implements Disposable {
  readonly #device: Device;
  readonly #executable: ReturnType<Device["compile"]>;
  readonly #tensors: Disposable[] = [];
  readonly #inputs: Record<string, TensorData> = {};

  constructor(device: Device, nodes: readonly BenchNode[], int8: boolean) {
    this.#device = device;
    const graph = new Graph();
    const parameters: Record<string, ReturnType<Device["tensor"]>> = {};
    const shared = new Map<string, ReturnType<Graph["input"]>>();
    let seed = 1;
    nodes.forEach((node, n) => {
      const values = node.inputs.map((input, i) => {
        if (input === null) return null;
        const inPlace = Object.values(ops[node.op].inPlace ?? {}).includes(i);
        if (node.weights?.includes(i) || inPlace) {
          const name = `w${n}.${i}`;
          const tensor = device.tensor(name, { dtype: input.dtype, shape: input.shape }, benchData(input, seed++));
          this.#tensors.push(tensor);
          parameters[name] = tensor;
          return graph.parameter(name, input.dtype, input.shape);
        }
        // Activations of one shape are one input: a step reads them from where the last operator left them.
        const key = JSON.stringify([input, node.weights === undefined ? i : 0]);
        const known = shared.get(key);
        if (known !== undefined) return known;
        const name = `x${shared.size}`;
        this.#inputs[name] = benchData(input, seed++);
        const value = graph.input(name, input.dtype, input.shape);
        shared.set(key, value);
        return value;
      });
      graph.output(`y${n}`, graph.apply(node.op, values, node.params, node.as === undefined ? {} : { as: node.as }));
    });
    this.#executable = device.compile(graph.build(), { parameters, int8 });
  }

  async seconds(signal: AbortSignal): Promise<number> {
    let total = 0;
    await this.#executable.run({ inputs: this.#inputs, signal, timing: (_node, seconds) => (total += seconds) });
    return total;
  }

  [Symbol.dispose](): void {
    this.#executable[Symbol.dispose]();
    for (const tensor of this.#tensors) tensor[Symbol.dispose]();
  }

  get device(): Device {
    return this.#device;
  }
}

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

type Measured = { readonly test: BenchCase; readonly ours: readonly number[]; readonly peers: ReadonlyMap<string, readonly number[]> };

async function measure(test: BenchCase, { device, ggml, outside, rounds, signal }: BenchOptions): Promise<Measured> {
  const work = workOf(test) / 1e9;
  using ours = new Contender(device, test.nodes, test.int8 ?? false);
  let theirs: Contender | null = null;
  try {
    if (ggml !== null && test.ggml !== null) theirs = new Contender(ggml, test.ggml ?? test.nodes, false);
  } catch {
    theirs = null; // It has no such operator: the row says so by not naming it.
  }
  using _ = theirs;
  const rates: number[] = [];
  const peers = new Map<string, number[]>();
  const note = (name: string, seconds: number | null, round: number): void => {
    if (seconds === null || round < 0) return;
    peers.set(name, [...(peers.get(name) ?? []), work / seconds]);
  };
  for (let round = -1; round < rounds; round++) {
    const mine = await ours.seconds(signal);
    if (round >= 0) rates.push(work / mine);
    if (theirs !== null) note("ggml", await theirs.seconds(signal), round);
    if (test.torch !== undefined) for (const peer of outside) note(peer.name, await peer.seconds(test.torch), round);
  }
  return { test, ours: rates, peers };
}

/** Yields a row when all cases with its limit are done: the limit is the best of the probes and of everybody in this run. */
export async function* benchOps(cases: readonly BenchCase[], options: BenchOptions): AsyncGenerator<OpBenchRow> {
  const { device, probeSeconds } = options;
  const measured: Measured[] = [];
  const best = new Map<LimitName, number>();
  const raise = (name: LimitName, value: number): void => {
    best.set(name, Math.max(best.get(name) ?? 0, value));
  };
  const probe = (): void => {
    for (const name of ["f32", "bf16", "int8", "read", "copy"] as const)
      if (cases.some(({ limit }) => limit === name)) raise(name, device.probe(name, probeSeconds) / 1e9);
  };
  probe();
  for (const test of cases) {
    const result = await measure(test, options);
    measured.push(result);
    for (const values of result.peers.values()) raise(test.limit, Math.max(...values));
  }
  probe();
  for (const { test, ours, peers } of measured) {
    const limit = best.get(test.limit)!;
    const value = spread(ours);
    yield {
      op: test.op,
      device: device.name,
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
}
