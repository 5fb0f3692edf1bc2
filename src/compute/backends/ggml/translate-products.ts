/** @file Matrix products, embeddings, rope, attention and AdamW as ggml graphs. */
import type { TensorSpec } from "../../dtype.ts";
import { type Pointer, ropeNeox } from "./native.ts";
import type { Scope, Translation } from "./scope.ts";

const exact = 10; // GGML_PREC_F32

function product(s: Scope, a: Pointer, b: Pointer): Pointer {
  const y = s.g.mulMat(s.ctx, a, b);
  s.g.setPrecision(y, exact);
  return y;
}

function activate(s: Scope, y: Pointer): Pointer {
  switch (s.param("activation")) {
    case 1:
      return s.g.relu(s.ctx, y);
    case 2:
      return s.g.geluErf(s.ctx, y);
    case 4:
      return s.g.silu(s.ctx, y);
    default:
      return y;
  }
}
const noGeluTanh = (params: Readonly<Record<string, number>>): string | null =>
  params["activation"] === 3 ? "ggml's tanh gelu looks values up in half precision" : null;
const plainWeight = (w: TensorSpec | null | undefined): string | null => (w?.dtype === "packed" ? "packed weights belong to the cpu device" : null);

function epilogue(s: Scope, y: Pointer, bias: number, residual: number): Pointer {
  let result = y;
  if (s.inputs[bias] != null) result = s.g.add(s.ctx, result, s.in(bias));
  if ("activation" in s.params) result = activate(s, result);
  if (s.inputs[residual] != null) result = s.g.add(s.ctx, result, s.in(residual));
  return result;
}

/** [N, K] in f32, transposed to [K, N]. */
const weightTransposed = (s: Scope, i: number): Pointer => s.transposed(s.f32(s.in(i), s.inputSpecs[i]!));

/** One adapter: ggml has no products by groups of rows. */
const oneAdapter = (a: TensorSpec | null | undefined, group: TensorSpec | null | undefined): string | null =>
  group != null ? "ggml has no products with a different adapter for each row" : a!.shape[0] === 1 ? null : "only one adapter";

/** ggml reads whatever row an id names: ids outside the table become row 0, and their rows are multiplied by 0. */
function boundedIds(s: Scope, rows: number): { readonly ids: Pointer; readonly inside: Pointer } {
  const { shape } = s.inputSpecs[1]!;
  const isInside = (id: number): boolean => id >= 0 && id < rows;
  return {
    ids: s.derive({ dtype: "i32", shape }, [1], ([ids]) => Int32Array.from(ids!, (id) => (isInside(id) ? id : 0))),
    inside: s.derive({ dtype: "f32", shape: [...shape, 1] }, [1], ([ids]) => Float32Array.from(ids!, (id) => (isInside(id) ? 1 : 0))),
  };
}

/** Which keys each query sees: [T, S] of 0 and -infinity, from segments and positions. */
function attentionMask(tokens: number, segments: Int32Array, positions: Int32Array | undefined, causal: boolean, window: number): Float32Array {
  const mask = new Float32Array(tokens * tokens).fill(Number.NEGATIVE_INFINITY);
  const at = (t: number): number => positions?.[t] ?? t;
  const count = segments.length / 3;
  const range = (i: number): [number, number] => [Math.max(0, segments[i * 3]!), Math.min(tokens, segments[i * 3 + 1]!)];
  for (let i = 0; i < count; i++) {
    const [start, end] = range(i);
    for (let own = i, parent = i; parent >= 0; own = parent) {
      const [from, to] = range(own);
      for (let q = start; q < end; q++) {
        for (let k = from; k < to; k++) {
          const distance = at(q) - at(k);
          const near = window <= 0 || (causal ? distance < window : Math.abs(distance) < window);
          if (near && (own !== i || !causal || k <= q)) mask[q * tokens + k] = 0;
        }
      }
      const next = segments[own * 3 + 2]!;
      if (next < 0 || next >= own) break;
      parent = next;
    }
  }
  return mask;
}

function openEmptyRows(mask: Float32Array, tokens: number): Float32Array {
  for (let t = 0; t < tokens; t++) {
    const row = mask.subarray(t * tokens, (t + 1) * tokens);
    if (!row.includes(0)) row.fill(0);
  }
  return mask;
}

const heads = (s: Scope, i: number): Pointer => s.g.cont(s.ctx, s.g.permute(s.ctx, s.in(i), 0, 2, 1, 3)); // [T, H, W] -> [H, T, W]

/** [T, 1, 1] of 1, or 0 for a row in no segment: ggml's softmax of nothing is NaN, so such a row's mask is open and its result dropped. */
function seesSomething(s: Scope, segments: number, positions: number): Pointer {
  const tokens = s.shapeOf(0)[0]!;
  const from = s.inputs[positions] == null ? [segments] : [segments, positions];
  return s.derive({ dtype: "f32", shape: [tokens, 1, 1] }, from, (data) => {
    const mask = attentionMask(tokens, data[0] as Int32Array, data[1] as Int32Array | undefined, s.param("causal") !== 0, s.param("window"));
    return Float32Array.from({ length: tokens }, (_, t) => (mask.subarray(t * tokens, (t + 1) * tokens).includes(0) ? 1 : 0));
  });
}

/** softmax(scale · Q Kᵀ + mask) for each head: [H, T, S]. */
function attentionWeights(s: Scope, q: number, k: number, segments: number, positions: number): Pointer {
  const tokens = s.shapeOf(q)[0]!;
  const from = s.inputs[positions] == null ? [segments] : [segments, positions];
  const mask = s.derive({ dtype: "f32", shape: [tokens, tokens] }, from, (data) =>
    openEmptyRows(
      attentionMask(tokens, data[0] as Int32Array, data[1] as Int32Array | undefined, s.param("causal") !== 0, s.param("window")),
      tokens,
    ),
  );
  return s.g.softMaxExt(s.ctx, product(s, heads(s, k), heads(s, q)), mask, s.param("scale"), 0);
}

const attention: Translation = {
  kernel: "ggml_mul_mat, ggml_soft_max_ext",
  hostOperands: [3, 4],
  missing: { 1: "ggml gives no log-sum-exp of attention" },
  refuses: (_inputs, params) => (params["softcap"] ? "no soft cap" : null),
  build: (s) => {
    const weights = attentionWeights(s, 0, 1, 3, 4);
    const values = s.g.cont(s.ctx, s.g.permute(s.ctx, s.in(2), 1, 2, 0, 3)); // [S, G, W] -> [G, W, S]
    const mixed = product(s, values, weights); // [H, T, W]
    const o = s.g.cont(s.ctx, s.g.permute(s.ctx, mixed, 0, 2, 1, 3)); // [T, H, W]
    return [s.g.mul(s.ctx, o, seesSomething(s, 3, 4)), null];
  },
};

function rope(s: Scope): readonly Pointer[] {
  const turn = s.param("inverse") === 0 ? s.g.ropeExt : s.g.ropeExtBack;
  const mode = s.param("interleaved") === 0 ? ropeNeox : 0;
  const { base, n, positionScale, magnitude } = s.params as Readonly<Record<"base" | "n" | "positionScale" | "magnitude", number>>;
  return [turn(s.ctx, s.in(0), s.in(1), s.inputs[2] ?? 0, n, mode, 0, base, positionScale, 0, magnitude, 32, 1)];
}

export const productTranslations = {
  linear: {
    kernel: "ggml_mul_mat",
    refuses: ([, w], params) => plainWeight(w) ?? noGeluTanh(params),
    build: (s) => [epilogue(s, product(s, s.in(1), s.in(0)), 2, 3)],
  },
  linearDx: {
    kernel: "ggml_transpose, ggml_mul_mat",
    refuses: ([, w]) => plainWeight(w),
    build: (s) => [epilogue(s, product(s, weightTransposed(s, 1), s.in(0)), -1, 2)],
  },
  linearDw: {
    kernel: "ggml_transpose, ggml_mul_mat",
    build: (s) => {
      const dw = s.scaled(product(s, s.transposed(s.in(1)), s.transposed(s.in(0))), s.param("scale"));
      return [s.inputs[2] == null ? dw : s.g.add(s.ctx, dw, s.in(2))];
    },
  },
  loraLinear: {
    kernel: "ggml_mul_mat",
    refuses: ([, w, a, , , group]) => plainWeight(w) ?? oneAdapter(a, group),
    build: (s) => {
      const [, rank, width] = s.shapeOf(2) as [number, number, number];
      const h = product(s, s.reshape(s.in(2), [rank, width]), s.in(0)); // [M, R]
      const low = s.g.mul(s.ctx, product(s, s.reshape(s.in(3), [s.shapeOf(3)[1]!, rank]), h), s.in(4));
      return [epilogue(s, s.g.add(s.ctx, product(s, s.in(1), s.in(0)), low), 6, 7), h];
    },
  },
  loraLinearDx: {
    kernel: "ggml_transpose, ggml_mul_mat",
    refuses: ([, w, a, , , group]) => plainWeight(w) ?? oneAdapter(a, group),
    build: (s) => {
      const [, rank, width] = s.shapeOf(2) as [number, number, number];
      const b = s.reshape(s.in(3), [s.shapeOf(3)[1]!, rank]);
      const g = s.g.mul(s.ctx, product(s, s.transposed(b), s.in(0)), s.in(4)); // [M, R]
      const low = product(s, s.transposed(s.reshape(s.in(2), [rank, width])), g);
      return [epilogue(s, s.g.add(s.ctx, product(s, weightTransposed(s, 1), s.in(0)), low), -1, 6), g];
    },
  },
  embedding: {
    kernel: "ggml_get_rows",
    hostOperands: [1],
    refuses: ([table], _params, [y]) => (y!.dtype === "f32" && table!.dtype !== "packed" ? null : "only f32 results"),
    build: (s) => {
      const { ids, inside } = boundedIds(s, s.shapeOf(0)[0]!);
      return [s.g.mul(s.ctx, s.scaled(s.g.getRows(s.ctx, s.in(0), ids), s.param("scale")), inside)];
    },
  },
  embeddingBackward: {
    kernel: "ggml_get_rows_back",
    hostOperands: [1],
    build: (s) => {
      const { ids, inside } = boundedIds(s, s.outputSpecs[0]!.shape[0]!);
      const dy = s.g.mul(s.ctx, s.scaled(s.in(0), s.param("scale")), inside);
      return [s.g.getRowsBack(s.ctx, dy, ids, s.constant(s.outputSpecs[0]!.shape, 0))];
    },
  },
  rope: {
    kernel: "ggml_rope_ext",
    build: rope,
    refuses: (_inputs, params) => (params["n"] === 0 ? "ggml never ends where nothing is rotated" : null),
  },
  attention,
  adamw: {
    kernel: "ggml_opt_step_adamw",
    hostOperands: [4],
    missing: { 3: "no copy in bf16" },
    build: (s) => {
      const { beta1, beta2, eps, weightDecay } = s.params as Readonly<Record<"beta1" | "beta2" | "eps" | "weightDecay", number>>;
      const settings = s.derive({ dtype: "f32", shape: [7] }, [4], ([hyper]) => {
        const [rate, step] = hyper as Float32Array;
        return Float32Array.of(rate!, beta1, beta2, eps, weightDecay, 1 / (1 - beta1 ** step!), 1 / (1 - beta2 ** step!));
      });
      const gradScale = s.derive({ dtype: "f32", shape: [1] }, [4], ([hyper]) => Float32Array.of((hyper as Float32Array)[2]!));
      s.g.setParam(s.in(0));
      return [s.g.adamw(s.ctx, s.in(0), s.g.mul(s.ctx, s.in(1), gradScale), s.in(2), s.in(3), settings), s.in(2), s.in(3), null];
    },
  },
} as const satisfies Record<string, Translation>;
