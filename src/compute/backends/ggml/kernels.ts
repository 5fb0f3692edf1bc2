/** @file What ggml does with each operator: a translation, or the reason there is none. */
import type { OpName } from "../../ops/index.ts";
import type { KernelTable, KnownDifference } from "../backend.ts";
import type { Translation } from "./scope.ts";
import { productTranslations } from "./translate-products.ts";
import { simpleTranslations } from "./translate-simple.ts";

const halfTable = { unsupported: "ggml looks tanh gelu up in a half-precision table" };
const noDerivative = { unsupported: "ggml has no such derivative" };
const noRandom = { unsupported: "ggml has no random numbers" };
const packedOnly = { unsupported: "ggml has no such operator" };

export const ggmlTranslations: Readonly<Record<OpName, Translation | { readonly unsupported: string }>> = {
  ...simpleTranslations,
  ...productTranslations,
  geluTanh: halfTable,
  geglu: halfTable,
  geluBackward: noDerivative,
  geluTanhBackward: noDerivative,
  gegluBackward: noDerivative,
  attentionBackward: { unsupported: "ggml's backward of attention is not implemented" },
  logProbabilities: packedOnly,
  logProbabilitiesBackward: noDerivative,
  linearCrossEntropy: { unsupported: "ggml's loss takes dense one-hot targets and whole logits" },
  linearCrossEntropyDw: { unsupported: "ggml's loss takes dense one-hot targets and whole logits" },
  loraDw: { unsupported: "ggml has no products summed by groups of rows" },
  dropout: noRandom,
  uniformNoise: noRandom,
  clipScale: packedOnly,
  maxColumns: { unsupported: "ggml has no maximum of rows" },
  argmax: { unsupported: "ggml's argmax takes the last of equal values, not the first" },
  topK: { unsupported: "ggml's top-k promises no order of ties" },
  l2Normalize: { unsupported: "ggml's l2 norm treats its epsilon as a floor, not as a term" },
  l2NormalizeBackward: noDerivative,
  meanPool: packedOnly,
  meanPoolBackward: noDerivative,
  attentionPaged: { unsupported: "ggml has no paged cache" },
  cacheWrite: { unsupported: "ggml's row writes cannot skip rows" },
  quantize: { unsupported: "ggml quantises on the host, not as a node" },
  dequantize: {
    kernel: "ggml_cast",
    build: (s) => [s.g.cast(s.ctx, s.in(0), 0)],
    refuses: (_inputs, _params, [y]) => (y!.dtype === "f32" ? null : "only to f32"),
  },
};

export const ggmlKernels: KernelTable = Object.fromEntries(
  Object.entries(ggmlTranslations).map(([op, entry]) => [op, "unsupported" in entry ? entry : entry.kernel]),
) as KernelTable;

const noNan = (why: string): KnownDifference => ({ why, within: "not a number" });
const angles = (within: number): KnownDifference => ({
  why: "ggml multiplies the angle up from pair to pair in f32, so it errs by a share of the angle itself",
  within,
});

/** Of the processor's build; a chip's own differences are not known before somebody runs it. */
export const ggmlDifferences: Readonly<Record<string, KnownDifference>> = {
  "relu, NaN, infinities, extremes": noNan("ggml's relu turns NaN into 0"),
  "reluBackward, NaN, infinities, extremes": noNan("ggml multiplies by the step, and NaN times 0 is NaN"),
  "rope, interleaved": angles(10),
  "rope, many tokens": angles(100), // angles to 199 over 32 pairs: 199 · 32 · 2⁻²⁴ = 4e-4, four times the limit of 1e-4, and more for small results
  "rope, far positions": angles(2000),
};
