/** @file Low-rank adapters (Hu et al., 2021): which weights get one, how it begins, and how it stands in the graph in the weight's place. */
import { StarboxError } from "#base";
import { type ActivationType, createRandom, type Graph, seedOf, type TensorSpec, type Value } from "#compute";
import type { DecoderConfig, Project, Weights } from "#nn";
import { type RunConfig, type TargetName, targetNames } from "./run-config.ts";

/** Hugging Face's module name -> GGUF's tensor. */
export const ggufName: Readonly<Record<TargetName, string>> = {
  q_proj: "attn_q",
  k_proj: "attn_k",
  v_proj: "attn_v",
  o_proj: "attn_output",
  gate_proj: "ffn_gate",
  up_proj: "ffn_up",
  down_proj: "ffn_down",
};

/** One adapted weight. A is [rank, in], B is [out, rank]. */
export type Adapter = {
  /** GGUF's name of the weight. */
  readonly weight: string;
  readonly layer: number;
  readonly target: TargetName;
  readonly inputs: number;
  readonly outputs: number;
};

export type LoraConfig = Pick<RunConfig, "rank" | "targets" | "layers" | "seed">;

/** In the order of layers and targets: the order of everything that is stored. */
export function planAdapters(config: DecoderConfig, tensors: ReadonlyMap<string, TensorSpec>, { targets, layers }: LoraConfig): readonly Adapter[] {
  const wanted = targetNames.filter((name) => targets === "all-linear" || targets.includes(name));
  const beyond = layers?.find((layer) => layer >= config.layers);
  if (beyond !== undefined) {
    throw new StarboxError("invalid_input", `layers: expected layers from 0 to ${config.layers - 1}, got ${beyond}.`, {
      zh: { message: `layers：应为 0 到 ${config.layers - 1}，收到 ${beyond}。` },
    });
  }
  return Array.from({ length: config.layers }, (_, layer) => layer)
    .filter((layer) => layers === null || layers.includes(layer))
    .flatMap((layer) =>
      wanted.map((target): Adapter => {
        const weight = `blk.${layer}.${ggufName[target]}.weight`;
        const [outputs = 0, inputs = 0] = tensors.get(weight)?.shape ?? [];
        return { weight, layer, target, inputs, outputs };
      }),
    );
}

/** "a" or "b" of an adapted weight. */
export type Part = "a" | "b";
export const partName = (weight: string, part: Part): string => `${weight}.lora_${part}`;
export const partSpec = ({ inputs, outputs }: Adapter, rank: number, part: Part): TensorSpec => ({
  dtype: "f32",
  shape: part === "a" ? [1, rank, inputs] : [1, outputs, rank],
});

/** A as PEFT begins it (uniform within 1/√in, Kaiming's rule with a = √5), from seed and name; B zero: the adapter begins as nothing. */
export function initialValues(adapter: Adapter, rank: number, part: Part, seed: number): Float32Array {
  if (part === "b") return new Float32Array(adapter.outputs * rank);
  const random = createRandom(seedOf(`${seed} ${adapter.weight}`));
  const bound = 1 / Math.sqrt(adapter.inputs);
  return Float32Array.from({ length: rank * adapter.inputs }, () => bound * (2 * random() - 1));
}

export type LoraGraph = {
  readonly project: Project;
  readonly parts: readonly { readonly name: string; readonly part: Part; readonly value: Value }[];
};

type Options = {
  readonly adapters: readonly Adapter[];
  readonly rank: number;
  readonly scale: number;
  readonly as: ActivationType;
  /** Of the adapter's input while training (Hu et al.); `seed` i32 [1] changes with every micro-batch. */
  readonly dropout?: { readonly rate: number; readonly seed: Value };
};

/** Puts adapters in the place of their weights. */
export function loraProjection(graph: Graph, weights: Weights, { adapters, rank, scale, as, dropout }: Options): LoraGraph {
  const scales = graph.parameter("lora.scale", "f32", [1]);
  const parts = adapters.map((adapter) =>
    (["a", "b"] as const).map((part) => {
      const name = partName(adapter.weight, part);
      return { name, part, value: graph.parameter(name, "f32", partSpec(adapter, rank, part).shape, { needsGradient: true }) };
    }),
  );
  const found = new Map(adapters.map(({ weight }, i) => [weight, { index: i, a: parts[i]![0]!.value, b: parts[i]![1]!.value }]));
  const weightOf = (name: string): Value => {
    const value = weights(name);
    if (value === null) throw new StarboxError("internal", `no weight "${name}"`);
    return value;
  };
  const project: Project = (x, name, { residual } = {}) => {
    const [w, bias, adapter] = [weightOf(name), weights(name.replace(/weight$/, "bias")), found.get(name)];
    if (adapter === undefined) return graph.apply("linear", [x, w, bias, residual ?? null], {}, { as });
    if (dropout === undefined) return graph.apply("loraLinear", [x, w, adapter.a, adapter.b, scales, null, bias, residual ?? null], {}, { as });
    const matrix = (value: Value): Value => graph.apply("reshape", [value], { rank: 2, d0: value.spec.shape[1]!, d1: value.spec.shape[2]! });
    const dropped = graph.apply("dropout", [x, dropout.seed], { rate: dropout.rate, stream: adapter.index });
    const inner = graph.apply("linear", [dropped, matrix(adapter.a), null, null], {}, { as: "f32" }); // [T, rank]
    const outer = graph.apply("linear", [graph.apply("scale", [inner], { factor: scale }), matrix(adapter.b), null, null], {}, { as });
    return graph.apply("linear", [x, w, bias, residual === undefined ? outer : graph.apply("add", [outer, residual])], {}, { as });
  };
  return { project, parts: parts.flat() };
}
