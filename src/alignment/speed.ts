/** @file How fast does a model's own graph run on a device: tokens a second for a batch of tokens and for one, and the share of the limit measured beside it. No cache, no sampling. */
import { type Device, type DeviceTensor, Graph, ops, type Program, type TensorData, type Value } from "#compute";
import { modelStages } from "#nn";
import type { ModelSource } from "./model.ts";

export type SpeedRow = {
  readonly what: "prefill" | "decode";
  readonly int8: boolean;
  readonly tokens: number;
  readonly tokensPerSecond: number;
  /** Achieved, in the limit's unit. */
  readonly rate: number;
  readonly unit: "GFLOPS" | "GB/s";
  readonly limit: number | null;
  readonly share: number | null;
};

/** Measures a limit of the machine: operations or bytes a second. Null where the device cannot tell. */
export type Probe = (what: "f32" | "int8" | "read") => number | null;

/** The whole network over one text of so many tokens; its output is "y". */
export function wholeModel(model: ModelSource, tokens: number): { readonly program: Program; readonly weights: ReadonlySet<string> } {
  const graph = new Graph();
  const used = new Map<string, Value>();
  const weights = (name: string): Value | null => {
    const spec = model.tensors.get(name);
    if (spec === undefined) return null;
    const value = used.get(name) ?? graph.parameter(name, spec.dtype, spec.shape);
    used.set(name, value);
    return value;
  };
  const packed = {
    ids: graph.input("ids", "i32", [tokens]),
    positions: graph.input("positions", "i32", [tokens]),
    segments: graph.input("segments", "i32", [1, 3]),
  };
  let x: Value | null = null;
  for (const stage of modelStages(model.config)) x = stage.build(graph, weights, packed, x);
  graph.output("y", x!);
  return { program: graph.build(), weights: new Set(used.keys()) };
}

/** Operations, and bytes of weights and activations each once. */
function work({ values, nodes }: Program): { readonly operations: number; readonly bytes: number } {
  let [operations, bytes] = [0, 0];
  for (const { op, inputs, outputs, params } of nodes) {
    const spec = (id: number | null) => (id === null ? null : values.get(id)!.spec);
    const cost = ops[op].cost(
      inputs.map(spec),
      outputs.map((id) => spec(id)!),
      params,
    );
    operations += cost.operations;
    bytes += cost.bytes;
  }
  return { operations, bytes };
}

export async function measureSpeed(
  model: ModelSource,
  device: Device,
  options: { readonly int8: readonly boolean[]; readonly probe: Probe; readonly signal: AbortSignal },
): Promise<SpeedRow[]> {
  const tensors: Record<string, DeviceTensor> = {};
  const rows: SpeedRow[] = [];
  try {
    for (const name of wholeModel(model, 1).weights) tensors[name] = device.tensor(name, model.tensors.get(name)!, await model.read(name));
    for (const int8 of options.int8)
      for (const [what, tokens] of [
        ["prefill", 128],
        ["decode", 1],
      ] as const) {
        const { program } = wholeModel(model, tokens);
        using executable = device.compile(program, { parameters: tensors, int8 });
        const inputs: Record<string, TensorData> = {
          ids: Int32Array.from({ length: tokens }, (_, i) => 5 + (i % 50)),
          positions: Int32Array.from({ length: tokens }, (_, i) => i),
          segments: Int32Array.of(0, tokens, -1),
        };
        const seconds: number[] = [];
        for (let round = 0; round < 4; round++) {
          const since = performance.now();
          await executable.run({ inputs, signal: options.signal });
          if (round > 0) seconds.push((performance.now() - since) / 1000); // the first touches every page
        }
        const median = seconds.toSorted((a, b) => a - b)[1]!;
        const { operations, bytes } = work(program);
        const [unit, amount, limitName] =
          what === "prefill" ? (["GFLOPS", operations, int8 ? "int8" : "f32"] as const) : (["GB/s", bytes, "read"] as const);
        const limit = options.probe(limitName);
        const rate = amount / median / 1e9;
        rows.push({
          what,
          int8,
          tokens,
          tokensPerSecond: tokens / median,
          rate,
          unit,
          limit: limit === null ? null : limit / 1e9,
          share: limit === null ? null : rate / (limit / 1e9),
        });
      }
    return rows;
  } finally {
    for (const tensor of Object.values(tensors)) tensor[Symbol.dispose]();
  }
}
