/** @file What `ops bench` measures: operators in the shapes of two real models. Each case is one step's worth of nodes over memory that does not fit the caches. */
import type { DType } from "../dtype.ts";
import type { Params, SampleInput } from "../op.ts";
import type { OpName } from "../ops/index.ts";

/** What bounds the work: operations or bytes a second of the machine. */
export type LimitName = "f32" | "bf16" | "int8" | "read" | "copy";

export type BenchNode = {
  readonly op: OpName;
  readonly inputs: readonly (SampleInput | null)[];
  readonly params?: Params;
  readonly as?: DType;
  /** Operands that live on the device between runs: weights. */
  readonly weights?: readonly number[];
};

export type BenchCase = {
  readonly id: string;
  readonly op: OpName;
  readonly dtype: string;
  readonly shape: string;
  readonly limit: LimitName;
  readonly nodes: readonly BenchNode[];
  /** Work of one run in operations (or bytes, for memory limits), where the operators' own costs are not the agreed measure. */
  readonly work?: number;
  readonly int8?: boolean;
  /** What ggml is given: its activations are f32. Null: it has no such operator. */
  readonly ggml?: readonly BenchNode[] | null;
  /** What PyTorch is asked for, in the words of scripts/peers/torch_ops.py. */
  readonly torch?: { readonly kind: string; readonly shapes: readonly (readonly number[])[]; readonly dtype: string };
};

type Model = { readonly name: string; readonly width: number; readonly kv: number; readonly feedForward: number; readonly vocabulary: number };
export const qwen: Model = { name: "Qwen2.5-0.5B", width: 896, kv: 128, feedForward: 4864, vocabulary: 151_936 };
export const smol: Model = { name: "SmolLM2-135M", width: 576, kv: 192, feedForward: 1536, vocabulary: 49_152 };
const tokens = 512;

/** [N, K] of a layer's products. */
const layer = ({ width, kv, feedForward }: Model): readonly (readonly [number, number])[] => [
  [width, width],
  [kv, width],
  [kv, width],
  [width, width],
  [feedForward, width],
  [feedForward, width],
  [width, feedForward],
];
const f = (dtype: DType, ...shape: number[]): SampleInput => ({ dtype, shape });

function linearLayer(model: Model, m: number, weight: DType, x: DType): BenchNode[] {
  return layer(model).map(([n, k]) => ({ op: "linear", inputs: [f(x, m, k), f(weight, n, k)], weights: [1], as: x }));
}

function products(model: Model): BenchCase[] {
  const shape = `${model.name} layer, T ${tokens}`;
  const flops = 2 * tokens * layer(model).reduce((sum, [n, k]) => sum + n * k, 0);
  const shapes = layer(model).map(([n, k]) => [tokens, n, k]);
  const of = (op: OpName, dtype: "bf16" | "f32", nodes: readonly BenchNode[], kind: string): BenchCase => ({
    id: `${dtype} ${op} ${model.name}`,
    op,
    dtype,
    shape,
    limit: dtype,
    nodes,
    work: flops,
    torch: { kind, shapes, dtype },
    ...(op === "linear" ? { ggml: linearLayer(model, tokens, dtype, "f32") } : {}),
  });
  return (["bf16", "f32"] as const).flatMap((dtype) => [
    of("linear", dtype, linearLayer(model, tokens, dtype, dtype), "y"),
    of(
      "linearDx",
      dtype,
      layer(model).map(([n, k]) => ({ op: "linearDx", inputs: [f(dtype, tokens, n), f(dtype, n, k)], weights: [1], as: dtype })),
      "dx",
    ),
    of(
      "linearDw",
      dtype,
      layer(model).map(([n, k]) => ({ op: "linearDw", inputs: [f(dtype, tokens, n), f(dtype, tokens, k)] })),
      "dw",
    ),
  ]);
}

/** Base product and adapter in one, counted as the base product alone: the share lost against `linear` is what the adapter costs. */
function lora(model: Model, rank: number): BenchCase {
  return {
    id: `bf16 loraLinear r${rank} ${model.name}`,
    op: "loraLinear",
    dtype: "bf16",
    shape: `${model.name} layer, T ${tokens}, rank ${rank}`,
    limit: "bf16",
    work: 2 * tokens * layer(model).reduce((sum, [n, k]) => sum + n * k, 0),
    nodes: layer(model).map(([n, k]) => ({
      op: "loraLinear",
      inputs: [f("bf16", tokens, k), f("bf16", n, k), f("bf16", 1, rank, k), f("bf16", 1, n, rank), f("f32", 1)],
      weights: [1, 2, 3, 4],
      as: "bf16",
    })),
    ggml: null,
  };
}

function quantized(model: Model, type: DType): BenchCase[] {
  const usable = layer(model).filter(([, k]) => (["q4_k", "q5_k", "q6_k"].includes(type) ? k % 256 === 0 : true));
  if (usable.length === 0) return [];
  // As many layers as exceed the caches several times: a decode step reads every weight once.
  const layers = Math.ceil(160e6 / usable.reduce((sum, [n, k]) => sum + n * k * 0.7, 0));
  const many = Array.from({ length: layers }, () => usable).flat();
  const nodes = (m: number, shapes: readonly (readonly [number, number])[]): BenchNode[] =>
    shapes.map(([n, k]) => ({ op: "linear", inputs: [f("f32", m, k), f(type, n, k)], weights: [1] }));
  return [
    {
      id: `${type} matvec ${model.name}`,
      op: "linear",
      dtype: type,
      shape: `${model.name}, ${layers} layers, T 1`,
      limit: "read",
      int8: true,
      nodes: nodes(1, many),
      ggml: nodes(1, many),
    },
    {
      id: `${type} linear ${model.name}`,
      op: "linear",
      dtype: type,
      shape: `${model.name} layer, T ${tokens}`,
      limit: "int8",
      int8: true,
      nodes: nodes(tokens, usable),
      ggml: nodes(tokens, usable),
    },
  ];
}

function lossHead(model: Model, supervised: number): BenchCase {
  const { width, vocabulary } = model;
  return {
    id: `bf16 linearCrossEntropy ${model.name}`,
    op: "linearCrossEntropy",
    dtype: "bf16",
    shape: `T ${supervised}, D ${width}, V ${vocabulary}`,
    limit: "bf16",
    work: 4 * supervised * width * vocabulary,
    nodes: [
      {
        op: "linearCrossEntropy",
        inputs: [
          f("bf16", supervised, width),
          f("bf16", vocabulary, width),
          { dtype: "i32", shape: [supervised], fill: { draw: "integers", from: 0, below: vocabulary } },
        ],
        params: { withDx: 1 },
        weights: [1],
      },
    ],
    ggml: null,
    torch: { kind: "cross entropy", shapes: [[supervised, vocabulary, width]], dtype: "bf16" },
  };
}

function attention(dtype: "f32" | "bf16"): BenchCase[] {
  const [t, h, g, w] = [2048, 14, 2, 64];
  const qkv = [f(dtype, t, h, w), f(dtype, t, g, w), f(dtype, t, g, w)];
  const segments: SampleInput = { dtype: "i32", shape: [1, 3], fill: { values: [0, t, -1] } };
  const params = { scale: 0.125, causal: 1 };
  const forward = 2 * t * t * h * w; // two products over the lower triangle
  const shape = `T ${t}, ${h}/${g} heads of ${w}, causal`;
  const torch = (kind: string) => ({ kind, shapes: [[t, h, g, w]], dtype });
  return [
    {
      id: `${dtype} attention`,
      op: "attention",
      dtype,
      shape,
      limit: "bf16",
      work: forward,
      nodes: [{ op: "attention", inputs: [...qkv, segments], params }],
      torch: torch("attention"),
      ggml: [{ op: "attention", inputs: [f("f32", t, h, w), f("f32", t, g, w), f("f32", t, g, w), segments], params }],
    },
    {
      id: `${dtype} attentionBackward`,
      op: "attentionBackward",
      dtype,
      shape,
      limit: "bf16",
      work: 2.5 * forward,
      nodes: [{ op: "attentionBackward", inputs: [f(dtype, t, h, w), ...qkv, f(dtype, t, h, w), f("f32", t, h), segments], params }],
      torch: torch("attention backward"),
      ggml: null,
    },
  ];
}

/** Working set of at least 64 MB. */
function streaming(): BenchCase[] {
  const [rows, columns] = [8192, 1536]; // 50 MB a tensor in f32
  const x = f("f32", rows, columns);
  const row = f("f32", columns);
  const rstd = f("f32", rows);
  const of = (op: OpName, inputs: readonly SampleInput[], params: Params = {}, ggml?: null): BenchCase => ({
    id: `f32 ${op}`,
    op,
    dtype: "f32",
    shape: inputs.map(({ shape }) => `[${shape.join(", ")}]`).join(" "),
    limit: "copy",
    nodes: [{ op, inputs, params }],
    ...(ggml === null ? { ggml } : {}),
  });
  const heads = f("f32", rows, 24, 64);
  const positions: SampleInput = { dtype: "i32", shape: [rows], fill: { draw: "integers", from: 0, below: rows } };
  return [
    of("rmsNorm", [x, row], { eps: 1e-6 }),
    of("rmsNormBackward", [x, x, row, rstd]),
    of("layerNorm", [x, row, row], { eps: 1e-6 }),
    of("rope", [heads, positions], { base: 10_000, n: 64 }),
    of("swiglu", [x, x]),
    of("swigluBackward", [x, x, x]),
    of("adamw", [x, x, x, x, { dtype: "f32", shape: [3], fill: { values: [1e-3, 3, 1] } }], {
      beta1: 0.9,
      beta2: 0.999,
      eps: 1e-8,
      weightDecay: 0.01,
    }),
  ];
}

export const benchCases: readonly BenchCase[] = [
  ...products(qwen),
  ...products(smol),
  ...[8, 16].flatMap((rank) => [lora(qwen, rank), lora(smol, rank)]),
  lossHead(qwen, tokens),
  ...(["q8_0", "q5_0", "q4_1"] as const).flatMap((type) => quantized(qwen, type)),
  ...(["q4_k", "q6_k"] as const).flatMap((type) =>
    quantized({ ...qwen, name: "rows of 4,864", width: 4864, kv: 0, feedForward: 896 }, type).slice(0, 1),
  ),
  {
    id: "bf16 matvec Qwen2.5-0.5B",
    op: "linear",
    dtype: "bf16",
    shape: "Qwen2.5-0.5B, 6 layers, T 1",
    limit: "read",
    nodes: Array.from({ length: 6 }, () => linearLayer(qwen, 1, "bf16", "f32")).flat(),
    ggml: Array.from({ length: 6 }, () => linearLayer(qwen, 1, "bf16", "f32")).flat(),
  },
  ...attention("bf16"),
  ...attention("f32"),
  ...streaming(),
];
