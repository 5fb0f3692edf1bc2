/** @file What `ops bench` measures: operators in the shapes of two real models. Each case is one step's worth of nodes over memory that does not fit the caches. */
import type { DType } from "../dtype.ts";
import type { Params, SampleInput } from "../op.ts";
import type { OpName } from "../ops/index.ts";
import type { BenchCase, BenchNode } from "./case.ts";

type Model = { readonly name: string; readonly width: number; readonly kv: number; readonly feedForward: number; readonly vocabulary: number };
type Sizes = {
  readonly models: readonly [Model, ...Model[]];
  /** Rows of a product. */
  readonly tokens: number;
  /** Rows and length of attention. */
  readonly context: number;
  /** Bytes of a tensor of a memory-bound operator, and of a decode step's weights. */
  readonly tensorBytes: number;
  readonly weightBytes: number;
  /** Row of the weights in 256-wide blocks. */
  readonly longRow: number;
};
const full: Sizes = {
  models: [
    { name: "Qwen2.5-0.5B", width: 896, kv: 128, feedForward: 4864, vocabulary: 151_936 },
    { name: "SmolLM2-135M", width: 576, kv: 192, feedForward: 1536, vocabulary: 49_152 },
  ],
  tokens: 512,
  context: 2048,
  tensorBytes: 48e6,
  weightBytes: 160e6,
  longRow: 4864,
};
/** Every kind of case in a second or so: shows that the bench works, says nothing about speed. */
const short: Sizes = {
  models: [{ name: "tiny", width: 128, kv: 32, feedForward: 256, vocabulary: 512 }],
  tokens: 32,
  context: 128,
  tensorBytes: 1e5,
  weightBytes: 1e5,
  longRow: 256,
};

type Shape = readonly [n: number, k: number];
/** [N, K] of a layer's products. */
const layer = ({ width, kv, feedForward }: Model): readonly Shape[] => [
  [width, width],
  [kv, width],
  [kv, width],
  [width, width],
  [feedForward, width],
  [feedForward, width],
  [width, feedForward],
];
const f = (dtype: DType, ...shape: number[]): SampleInput => ({ dtype, shape });
const linear = (m: number, [n, k]: Shape, weight: DType, x: DType): BenchNode => ({
  op: "linear",
  inputs: [f(x, m, k), f(weight, n, k)],
  weights: [1],
  as: x,
});
const linearDx = (m: number, [n, k]: Shape, type: DType): BenchNode => ({
  op: "linearDx",
  inputs: [f(type, m, n), f(type, n, k)],
  weights: [1],
  as: type,
});
const layerWork = (m: number, model: Model): number => 2 * m * layer(model).reduce((sum, [n, k]) => sum + n * k, 0);

function products(model: Model, m: number): BenchCase[] {
  const shapes = layer(model);
  const of = (op: OpName, dtype: "bf16" | "f32", nodes: readonly BenchNode[], kind: string, line: string): BenchCase => ({
    id: `${dtype} ${op} ${model.name}`,
    op,
    dtype,
    shape: `${model.name} layer, T ${m}`,
    limit: dtype,
    nodes,
    work: layerWork(m, model),
    torch: { kind, shapes: shapes.map(([n, k]) => [m, n, k]), dtype },
    ggml: op === "linear" ? shapes.map((shape) => linear(m, shape, dtype, "f32")) : null,
    lines: [line],
  });
  const dw = (type: DType): BenchNode[] => shapes.map(([n, k]) => ({ op: "linearDw", inputs: [f(type, m, n), f(type, m, k)] }));
  return (["bf16", "f32"] as const).flatMap((dtype) => {
    const line = dtype === "bf16" ? "bf16 y and dx" : "f32 matmul";
    return [
      of("linear", dtype, shapes.map((shape) => linear(m, shape, dtype, dtype)), "y", line), // biome-ignore format: one case a line
      of("linearDx", dtype, shapes.map((shape) => linearDx(m, shape, dtype)), "dx", line), // biome-ignore format: one case a line
      of("linearDw", dtype, dw(dtype), "dw", dtype === "bf16" ? "bf16 dW" : line),
    ];
  });
}

/** Base product and adapter in one, y and dx, against the base products alone: what the adapter adds. */
function lora(model: Model, m: number, rank: number): BenchCase {
  const adapter = (op: "loraLinear" | "loraLinearDx", [n, k]: Shape): BenchNode => ({
    op,
    inputs: [f("bf16", m, op === "loraLinear" ? k : n), f("bf16", n, k), f("bf16", 1, rank, k), f("bf16", 1, n, rank), f("f32", 1)],
    weights: [1, 2, 3],
    as: "bf16",
  });
  const shapes = layer(model);
  return {
    id: `bf16 lora r${rank} ${model.name}`,
    op: "loraLinear",
    dtype: "bf16",
    shape: `${model.name} layer, y and dx, T ${m}, rank ${rank}`,
    limit: "bf16",
    work: 2 * layerWork(m, model),
    nodes: [...shapes.map((shape) => adapter("loraLinear", shape)), ...shapes.map((shape) => adapter("loraLinearDx", shape))],
    base: [...shapes.map((shape) => linear(m, shape, "bf16", "bf16")), ...shapes.map((shape) => linearDx(m, shape, "bf16"))],
    ggml: null,
    lines: [`LoRA rank ${rank}`],
  };
}

/** As many layers as exceed the caches several times: a decode step reads every weight once. */
const repeated = <T>(nodes: readonly T[], bytes: number, wanted: number): T[] =>
  Array.from({ length: Math.max(1, Math.ceil(wanted / bytes)) }, () => nodes).flat();
const bytesEach: Partial<Record<DType, number>> = { q8_0: 34 / 32, q5_0: 22 / 32, q4_1: 20 / 32, q4_k: 144 / 256, q6_k: 210 / 256, bf16: 2 };

function decode(type: DType, name: string, shapes: readonly Shape[], weightBytes: number): BenchCase {
  const bytes = shapes.reduce((sum, [n, k]) => sum + n * k, 0) * bytesEach[type]!;
  const nodes = repeated(shapes, bytes, weightBytes).map((shape) => linear(1, shape, type, "f32"));
  return {
    id: `${type} matvec ${name}`,
    op: "linear",
    dtype: type,
    shape: `${name}, ${nodes.length / shapes.length} times, T 1`,
    limit: "read",
    int8: true,
    nodes,
    lines: [`${type} decode`],
  };
}

function int8(type: DType, model: Model, m: number): BenchCase {
  const nodes = layer(model).map((shape) => linear(m, shape, type, "f32"));
  return {
    id: `${type} linear ${model.name}`,
    op: "linear",
    dtype: type,
    shape: `${model.name} layer, T ${m}`,
    limit: "int8",
    int8: true,
    nodes,
    lines: [`${type} int8 matmul`],
  };
}

function lossHead({ name, width, vocabulary }: Model, m: number): BenchCase {
  const targets: SampleInput = { dtype: "i32", shape: [m], fill: { draw: "integers", from: 0, below: vocabulary } };
  return {
    id: `bf16 linearCrossEntropy ${name}`,
    op: "linearCrossEntropy",
    dtype: "bf16",
    shape: `T ${m}, D ${width}, V ${vocabulary}`,
    limit: "bf16",
    work: 4 * m * width * vocabulary,
    nodes: [{ op: "linearCrossEntropy", inputs: [f("bf16", m, width), f("bf16", vocabulary, width), targets], params: { withDx: 1 }, weights: [1] }],
    ggml: null,
    torch: { kind: "cross entropy", shapes: [[m, vocabulary, width]], dtype: "bf16" },
    lines: ["linear + cross entropy"],
  };
}

function attention(dtype: "f32" | "bf16", t: number): BenchCase[] {
  const [h, g, w] = [14, 2, 64];
  const qkv = (type: DType) => [f(type, t, h, w), f(type, t, g, w), f(type, t, g, w)];
  const segments: SampleInput = { dtype: "i32", shape: [1, 3], fill: { values: [0, t, -1] } };
  const params = { scale: 0.125, causal: 1 };
  const forward = 2 * t * t * h * w; // two products over the lower triangle
  const shared = { dtype, shape: `T ${t}, ${h}/${g} heads of ${w}, causal`, limit: dtype } as const;
  return [
    {
      ...shared,
      id: `${dtype} attention`,
      op: "attention",
      work: forward,
      nodes: [{ op: "attention", inputs: [...qkv(dtype), segments], params }],
      torch: { kind: "attention", shapes: [[t, h, g, w]], dtype },
      ggml: [{ op: "attention", inputs: [...qkv("f32"), segments], params }],
      lines: dtype === "bf16" ? ["attention forward"] : [],
    },
    {
      ...shared,
      id: `${dtype} attentionBackward`,
      op: "attentionBackward",
      work: 2.5 * forward,
      nodes: [{ op: "attentionBackward", inputs: [f(dtype, t, h, w), ...qkv(dtype), f(dtype, t, h, w), f("f32", t, h), segments], params }],
      torch: { kind: "attention backward", shapes: [[t, h, g, w]], dtype },
      ggml: null,
      lines: dtype === "bf16" ? ["attention backward"] : [],
    },
  ];
}

/** Decoding over pages: 8 sequences read their whole context once. */
function pagedAttention(type: "f32" | "bf16", context: number): BenchCase {
  const [h, g, w, page, sequences] = [14, 2, 64, 16, 8];
  const pages = context / page;
  const cache = f(type, sequences * pages, page, g, w);
  const table: SampleInput = { dtype: "i32", shape: [sequences, pages], fill: { values: Array.from({ length: sequences * pages }, (_, i) => i) } };
  const rows: SampleInput = {
    dtype: "i32",
    shape: [sequences, 3],
    fill: { values: Array.from({ length: sequences }, (_, i) => [i, 1, context]).flat() },
  };
  return {
    id: `${type} attentionPaged`,
    op: "attentionPaged",
    dtype: type,
    shape: `${sequences} sequences of ${context}, ${h}/${g} heads of ${w}, 1 token each`,
    limit: "read",
    work: 2 * sequences * context * g * w * (type === "f32" ? 4 : 2),
    nodes: [{ op: "attentionPaged", inputs: [f("f32", sequences, h, w), cache, cache, table, rows], params: { scale: 0.125 } }],
    ggml: null,
  };
}

/** The working set is past the caches. */
function streaming(type: "f32" | "bf16", tensorBytes: number): BenchCase[] {
  const columns = 1536;
  const rows = Math.ceil(tensorBytes / (type === "f32" ? 4 : 2) / columns);
  const x = f(type, rows, columns);
  const row = f(type, columns);
  const rstd = f("f32", rows);
  const of = (op: OpName, inputs: readonly SampleInput[], params: Params = {}): BenchCase => ({
    id: `${type} ${op}`,
    op,
    dtype: type,
    shape: inputs.map(({ shape }) => `[${shape.join(", ")}]`).join(" "),
    limit: "copy",
    nodes: [{ op, inputs, params }],
    lines: [`${type} norms, RoPE, SwiGLU${type === "f32" ? ", AdamW" : ""}`],
  });
  const positions: SampleInput = { dtype: "i32", shape: [rows], fill: { draw: "integers", from: 0, below: rows } };
  const hyper: SampleInput = { dtype: "f32", shape: [3], fill: { values: [1e-3, 3, 1] } };
  const adamw = { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0.01 };
  return [
    of("rmsNorm", [x, row], { eps: 1e-6 }),
    of("rmsNormBackward", [x, x, row, rstd]),
    of("layerNorm", [x, row, row], { eps: 1e-6 }),
    of("rope", [f(type, rows, 24, 64), positions], { base: 10_000, n: 64 }),
    of("swiglu", [x, x]),
    of("swigluBackward", [x, x, x]),
    ...(type === "f32" ? [of("adamw", [x, x, x, x, hyper], adamw)] : []),
  ];
}

function twoThreads(type: "bf16" | "f32", model: Model, m: number): BenchCase {
  return {
    id: `${type} linear, 2 threads, ${model.name}`,
    op: "linear",
    dtype: type,
    shape: `${model.name} layer, T ${m}`,
    limit: type,
    work: layerWork(m, model),
    nodes: layer(model).map((shape) => linear(m, shape, type, type)),
    threads: true,
    ggml: null,
    lines: ["2 threads over 1"],
  };
}

function casesOf({ models, tokens, context, tensorBytes, weightBytes, longRow }: Sizes): BenchCase[] {
  const [first] = models;
  const long: readonly Shape[] = [[first.width, longRow]];
  return [
    ...models.flatMap((model) => products(model, tokens)),
    ...[8, 16].flatMap((rank) => models.map((model) => lora(model, tokens, rank))),
    lossHead(first, tokens),
    ...(["q8_0", "q5_0", "q4_1"] as const).flatMap((type) => [decode(type, first.name, layer(first), weightBytes), int8(type, first, tokens)]),
    ...(["q4_k", "q6_k"] as const).map((type) => decode(type, `rows of ${longRow}`, long, weightBytes)),
    decode("bf16", first.name, layer(first), weightBytes),
    ...attention("bf16", context),
    ...attention("f32", context),
    pagedAttention("bf16", context),
    pagedAttention("f32", context),
    ...streaming("f32", tensorBytes),
    ...streaming("bf16", tensorBytes),
    twoThreads("bf16", first, tokens),
    twoThreads("f32", first, tokens),
  ];
}

export const benchCases = (form: "full" | "short"): readonly BenchCase[] => casesOf(form === "full" ? full : short);
