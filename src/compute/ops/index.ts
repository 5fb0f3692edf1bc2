/** @file The table of operators. Every device must say for each what it does with it (`Kernels` in ../backends/backend.ts). */
import type { OpForm } from "../op.ts";
import { adamw } from "./adamw.ts";
import { add } from "./add.ts";
import { addRow } from "./add-row.ts";
import { argmax } from "./argmax.ts";
import { attention } from "./attention.ts";
import { attentionBackward } from "./attention-backward.ts";
import { attentionPaged } from "./attention-paged.ts";
import { cacheWrite } from "./cache-write.ts";
import { cast } from "./cast.ts";
import { clipScale } from "./clip-scale.ts";
import { concatColumns } from "./concat-columns.ts";
import { concatRows } from "./concat-rows.ts";
import { copy } from "./copy.ts";
import { dequantize } from "./dequantize.ts";
import { div } from "./div.ts";
import { dropout } from "./dropout.ts";
import { embedding } from "./embedding.ts";
import { embeddingBackward } from "./embedding-backward.ts";
import { exp } from "./exp.ts";
import { fill } from "./fill.ts";
import { geglu } from "./geglu.ts";
import { gegluBackward } from "./geglu-backward.ts";
import { gelu } from "./gelu.ts";
import { geluBackward } from "./gelu-backward.ts";
import { geluTanh } from "./gelu-tanh.ts";
import { geluTanhBackward } from "./gelu-tanh-backward.ts";
import { l2Normalize } from "./l2-normalize.ts";
import { l2NormalizeBackward } from "./l2-normalize-backward.ts";
import { layerNorm } from "./layer-norm.ts";
import { layerNormBackward } from "./layer-norm-backward.ts";
import { linear } from "./linear.ts";
import { linearCrossEntropy } from "./linear-cross-entropy.ts";
import { linearCrossEntropyDw } from "./linear-cross-entropy-dw.ts";
import { linearDw } from "./linear-dw.ts";
import { linearDx } from "./linear-dx.ts";
import { log } from "./log.ts";
import { logProbabilities } from "./log-probabilities.ts";
import { logProbabilitiesBackward } from "./log-probabilities-backward.ts";
import { loraDw } from "./lora-dw.ts";
import { loraLinear } from "./lora-linear.ts";
import { loraLinearDx } from "./lora-linear-dx.ts";
import { maxColumns } from "./max-columns.ts";
import { mean } from "./mean.ts";
import { meanPool } from "./mean-pool.ts";
import { meanPoolBackward } from "./mean-pool-backward.ts";
import { mul } from "./mul.ts";
import { mulColumn } from "./mul-column.ts";
import { mulRow } from "./mul-row.ts";
import { mulScalar } from "./mul-scalar.ts";
import { neg } from "./neg.ts";
import { placeColumns } from "./place-columns.ts";
import { placeRows } from "./place-rows.ts";
import { quantize } from "./quantize.ts";
import { reciprocal } from "./reciprocal.ts";
import { relu } from "./relu.ts";
import { reluBackward } from "./relu-backward.ts";
import { repeatRow } from "./repeat-row.ts";
import { reshape } from "./reshape.ts";
import { rmsNorm } from "./rms-norm.ts";
import { rmsNormBackward } from "./rms-norm-backward.ts";
import { rope } from "./rope.ts";
import { scale } from "./scale.ts";
import { sigmoid } from "./sigmoid.ts";
import { silu } from "./silu.ts";
import { siluBackward } from "./silu-backward.ts";
import { sliceColumns } from "./slice-columns.ts";
import { sliceRows } from "./slice-rows.ts";
import { softmax } from "./softmax.ts";
import { softmaxBackward } from "./softmax-backward.ts";
import { sqrt } from "./sqrt.ts";
import { square } from "./square.ts";
import { sub } from "./sub.ts";
import { sum } from "./sum.ts";
import { sumColumns } from "./sum-columns.ts";
import { sumRows } from "./sum-rows.ts";
import { sumSquares } from "./sum-squares.ts";
import { swapAxes } from "./swap-axes.ts";
import { swiglu } from "./swiglu.ts";
import { swigluBackward } from "./swiglu-backward.ts";
import { tanh } from "./tanh.ts";
import { topK } from "./top-k.ts";
import { transpose } from "./transpose.ts";
import { uniformNoise } from "./uniform-noise.ts";

const table = {
  adamw,
  addRow,
  add,
  argmax,
  attentionBackward,
  attentionPaged,
  attention,
  cacheWrite,
  cast,
  clipScale,
  concatColumns,
  concatRows,
  copy,
  dequantize,
  div,
  dropout,
  embeddingBackward,
  embedding,
  exp,
  fill,
  gegluBackward,
  geglu,
  geluBackward,
  geluTanhBackward,
  geluTanh,
  gelu,
  l2NormalizeBackward,
  l2Normalize,
  layerNormBackward,
  layerNorm,
  linearCrossEntropyDw,
  linearCrossEntropy,
  linearDw,
  linearDx,
  linear,
  logProbabilitiesBackward,
  logProbabilities,
  log,
  loraDw,
  loraLinearDx,
  loraLinear,
  maxColumns,
  meanPoolBackward,
  meanPool,
  mean,
  mulColumn,
  mulRow,
  mulScalar,
  mul,
  neg,
  placeColumns,
  placeRows,
  quantize,
  reciprocal,
  reluBackward,
  relu,
  repeatRow,
  reshape,
  rmsNormBackward,
  rmsNorm,
  rope,
  scale,
  sigmoid,
  siluBackward,
  silu,
  sliceColumns,
  sliceRows,
  softmaxBackward,
  softmax,
  sqrt,
  square,
  sub,
  sumColumns,
  sumRows,
  sumSquares,
  sum,
  swapAxes,
  swigluBackward,
  swiglu,
  tanh,
  topK,
  transpose,
  uniformNoise,
} as const satisfies Record<string, OpForm>;

export type OpName = keyof typeof table;
export const ops: Readonly<Record<OpName, OpForm>> = table;
export const opNames = Object.keys(table) as readonly OpName[];
