/** @file Elementwise operators, reductions, shapes and norms as ggml graphs. */
import { dtypes } from "../../dtype.ts";
import type { Scope, Translation } from "./scope.ts";

const unary = (
  name: "neg" | "exp" | "log" | "sqr" | "sqrt" | "tanh" | "sigmoid" | "relu" | "silu" | "geluErf",
  kernel = name as string,
): Translation => ({
  kernel: `ggml_${kernel}`,
  build: (s) => [s.g[name](s.ctx, s.in(0))],
});
const binary = (name: "add" | "sub" | "mul" | "div"): Translation => ({ kernel: `ggml_${name}`, build: (s) => [s.g[name](s.ctx, s.in(0), s.in(1))] });

/** silu's derivative times dy, and the other half of the gated product. */
const swigluBackward: Translation = {
  kernel: "ggml_silu_back, ggml_mul",
  build: (s) => [s.g.siluBack(s.ctx, s.g.mul(s.ctx, s.in(0), s.in(2)), s.in(1)), s.g.mul(s.ctx, s.in(0), s.g.silu(s.ctx, s.in(1)))],
};

const mean = (s: Scope, tensor: number, columns: number): number => s.scaled(s.rowSums(tensor), 1 / columns);
const columnsOf = (s: Scope, i: number): number => s.shapeOf(i).at(-1)!;
const rowsOf = (s: Scope, i: number): number =>
  s
    .shapeOf(i)
    .slice(0, -1)
    .reduce((product, size) => product * size, 1);
const flat = (s: Scope, i: number): number => s.reshape(s.in(i), [rowsOf(s, i), columnsOf(s, i)]);

/** 1 / sqrt(mean(x²) + eps) of each row, [T, 1]. */
function inverseRms(s: Scope, x: number, columns: number, eps: number): number {
  const root = s.g.sqrt(s.ctx, s.scaled(s.rowSums(s.g.sqr(s.ctx, x)), 1 / columns, eps));
  return root;
}

const rmsNorm: Translation = {
  kernel: "ggml_rms_norm, ggml_mul",
  build: (s) => {
    const [rows, columns] = [rowsOf(s, 0), columnsOf(s, 0)];
    const weight = s.param("offset") === 0 ? s.in(1) : s.scaled(s.in(1), 1, s.param("offset"));
    const y = s.g.mul(s.ctx, s.g.rmsNorm(s.ctx, s.in(0), s.param("eps")), weight);
    const rstd = s.g.div(s.ctx, s.constant([rows, 1], 1), inverseRms(s, flat(s, 0), columns, s.param("eps")));
    return [y, s.reshape(rstd, s.outputSpecs[1]!.shape)];
  },
};

/** dx = rstd · (g − x · rstd² · mean(g · x)), g = dy · (offset + w). */
const rmsNormBackward: Translation = {
  kernel: "ggml_mul, ggml_sum_rows",
  build: (s) => {
    const { g, ctx } = s;
    const [rows, columns] = [rowsOf(s, 1), columnsOf(s, 1)];
    const [dy, x] = [flat(s, 0), flat(s, 1)];
    const weight = s.param("offset") === 0 ? s.in(2) : s.scaled(s.in(2), 1, s.param("offset"));
    const rstd = s.reshape(s.in(3), [rows, 1]);
    const upstream = g.mul(ctx, dy, weight);
    const shared = g.mul(ctx, mean(s, g.mul(ctx, upstream, x), columns), g.sqr(ctx, rstd));
    const dx = s.reshape(g.mul(ctx, g.sub(ctx, upstream, g.mul(ctx, x, shared)), rstd), s.shapeOf(1));
    const dw = s.columnSums(g.mul(ctx, g.mul(ctx, dy, x), rstd), columns);
    return [s.inputs[4] == null ? dx : g.add(ctx, dx, s.in(4)), dw];
  },
};

const layerNorm: Translation = {
  kernel: "ggml_norm, ggml_mul, ggml_add",
  build: (s) => {
    const { g, ctx } = s;
    const [rows, columns] = [rowsOf(s, 0), columnsOf(s, 0)];
    const y = g.add(ctx, g.mul(ctx, g.norm(ctx, s.in(0), s.param("eps")), s.in(1)), s.in(2));
    const x = flat(s, 0);
    const average = mean(s, x, columns);
    const root = inverseRms(s, g.sub(ctx, x, average), columns, s.param("eps"));
    const rstd = g.div(ctx, s.constant([rows, 1], 1), root);
    return [y, s.reshape(average, s.outputSpecs[1]!.shape), s.reshape(rstd, s.outputSpecs[2]!.shape)];
  },
};

/** dx = rstd · (g − mean(g) − x̂ · mean(g · x̂)), x̂ = (x − mean) · rstd, g = dy · w. */
const layerNormBackward: Translation = {
  kernel: "ggml_mul, ggml_sum_rows",
  build: (s) => {
    const { g, ctx } = s;
    const [rows, columns] = [rowsOf(s, 1), columnsOf(s, 1)];
    const dy = flat(s, 0);
    const rstd = s.reshape(s.in(4), [rows, 1]);
    const normal = g.mul(ctx, g.sub(ctx, flat(s, 1), s.reshape(s.in(3), [rows, 1])), rstd);
    const upstream = g.mul(ctx, dy, s.in(2));
    const centred = g.sub(ctx, upstream, mean(s, upstream, columns));
    const dx = s.reshape(g.mul(ctx, g.sub(ctx, centred, g.mul(ctx, normal, mean(s, g.mul(ctx, upstream, normal), columns))), rstd), s.shapeOf(1));
    return [s.inputs[5] == null ? dx : g.add(ctx, dx, s.in(5)), s.columnSums(g.mul(ctx, dy, normal), columns), s.columnSums(dy, columns)];
  },
};

const bytesPerValue = (s: Scope): number => dtypes[s.inputSpecs[0]!.dtype].blockBytes;

export const simpleTranslations = {
  neg: unary("neg"),
  exp: unary("exp"),
  log: unary("log"),
  sqrt: unary("sqrt"),
  square: unary("sqr"),
  tanh: unary("tanh"),
  sigmoid: unary("sigmoid"),
  relu: unary("relu"),
  silu: unary("silu"),
  gelu: unary("geluErf", "gelu_erf"),
  reciprocal: { kernel: "ggml_div", build: (s) => [s.g.div(s.ctx, s.constant(s.shapeOf(0), 1), s.in(0))] },
  siluBackward: { kernel: "ggml_silu_back", build: (s) => [s.g.siluBack(s.ctx, s.in(0), s.in(1))] },
  reluBackward: { kernel: "ggml_step, ggml_mul", build: (s) => [s.g.mul(s.ctx, s.in(0), s.g.step(s.ctx, s.in(1)))] },
  scale: { kernel: "ggml_scale_bias", build: (s) => [s.scaled(s.in(0), s.param("factor"), s.param("offset"))] },
  add: binary("add"),
  sub: binary("sub"),
  mul: binary("mul"),
  div: binary("div"),
  addRow: binary("add"),
  mulRow: binary("mul"),
  mulColumn: { kernel: "ggml_mul", build: (s) => [s.g.mul(s.ctx, s.in(0), s.reshape(s.in(1), [s.shapeOf(1)[0]!, 1]))] },
  mulScalar: { kernel: "ggml_mul", build: (s) => [s.g.mul(s.ctx, s.in(0), s.in(1))] },
  copy: { kernel: "ggml_cont", build: (s) => [s.g.cont(s.ctx, s.in(0))] },
  cast: {
    kernel: "ggml_cast",
    refuses: ([x], _params, [y]) => (x!.dtype === "i32" || y!.dtype === "i32" ? "ggml casts no whole numbers the way we do" : null),
    build: (s) => [s.g.cast(s.ctx, s.in(0), dtypes[s.outputSpecs[0]!.dtype].id)],
  },
  fill: {
    kernel: "a tensor set from the host",
    refuses: (_inputs, _params, [y]) => (y!.dtype === "f32" ? null : "only f32"),
    build: (s) => [s.constant(s.outputSpecs[0]!.shape, s.param("value"))],
  },
  swiglu: { kernel: "ggml_swiglu_split", build: (s) => [s.g.swigluSplit(s.ctx, s.in(0), s.in(1))] },
  swigluBackward,
  sum: { kernel: "ggml_sum", build: (s) => [s.g.sum(s.ctx, s.in(0))] },
  mean: { kernel: "ggml_sum, ggml_scale", build: (s) => [s.scaled(s.g.sum(s.ctx, s.in(0)), 1 / (rowsOf(s, 0) * columnsOf(s, 0)))] },
  sumSquares: { kernel: "ggml_sqr, ggml_sum", build: (s) => [s.g.sum(s.ctx, s.g.sqr(s.ctx, s.in(0)))] },
  sumRows: { kernel: "ggml_sum_rows", build: (s) => [s.columnSums(flat(s, 0), columnsOf(s, 0))] },
  sumColumns: { kernel: "ggml_sum_rows", build: (s) => [s.reshape(s.rowSums(flat(s, 0)), s.outputSpecs[0]!.shape)] },
  sliceRows: {
    kernel: "ggml_view_2d, ggml_cont",
    refuses: ([x]) => (x!.shape.length === 2 ? null : "only matrices"),
    build: (s) => {
      const [, columns] = s.shapeOf(0) as [number, number];
      const stride = columns * bytesPerValue(s);
      return [s.g.cont(s.ctx, s.g.view2d(s.ctx, s.in(0), columns, s.param("count"), stride, stride * s.param("start")))];
    },
  },
  sliceColumns: {
    kernel: "ggml_view_2d, ggml_cont",
    build: (s) => {
      const [rows, columns] = s.shapeOf(0) as [number, number];
      return [s.g.cont(s.ctx, s.g.view2d(s.ctx, s.in(0), s.param("count"), rows, columns * bytesPerValue(s), s.param("start") * bytesPerValue(s)))];
    },
  },
  placeRows: {
    kernel: "ggml_pad_ext",
    refuses: ([x]) => (x!.shape.length === 2 ? null : "only matrices"),
    build: (s) => [s.g.padExt(s.ctx, s.in(0), 0, 0, s.param("start"), s.param("rows") - s.param("start") - s.shapeOf(0)[0]!, 0, 0, 0, 0)],
  },
  placeColumns: {
    kernel: "ggml_pad_ext",
    build: (s) => [s.g.padExt(s.ctx, s.in(0), s.param("start"), s.param("columns") - s.param("start") - s.shapeOf(0)[1]!, 0, 0, 0, 0, 0, 0)],
  },
  concatRows: {
    kernel: "ggml_concat",
    refuses: ([x]) => (x!.shape.length === 2 ? null : "only matrices"),
    build: (s) => [s.g.concat(s.ctx, s.in(0), s.in(1), 1)],
  },
  concatColumns: { kernel: "ggml_concat", build: (s) => [s.g.concat(s.ctx, s.in(0), s.in(1), 0)] },
  transpose: { kernel: "ggml_transpose, ggml_cont", build: (s) => [s.transposed(s.in(0))] },
  swapAxes: { kernel: "ggml_permute, ggml_cont", build: (s) => [s.g.cont(s.ctx, s.g.permute(s.ctx, s.in(0), 0, 2, 1, 3))] },
  repeatRow: { kernel: "ggml_repeat", build: (s) => [s.g.repeat(s.ctx, s.in(0), s.constant(s.outputSpecs[0]!.shape, 0))] },
  reshape: { kernel: "ggml_reshape", build: (s) => [s.reshape(s.in(0), s.outputSpecs[0]!.shape)] },
  softmax: { kernel: "ggml_soft_max", build: (s) => [s.g.softMax(s.ctx, s.in(0))] },
  softmaxBackward: { kernel: "ggml_soft_max_ext_back", build: (s) => [s.g.softMaxExtBack(s.ctx, s.in(0), s.in(1), 1, 0)] },
  rmsNorm,
  rmsNormBackward,
  layerNorm,
  layerNormBackward,
} as const satisfies Record<string, Translation>;
