/** @file Are two tensors the same numbers? Thresholds follow the precision criteria of Ascend's msprobe; every comparison also counts ULPs. */
import type { TensorData } from "../backends/backend.ts";
import { loadValues } from "../backends/reference/storage.ts";
import { dtypes, type TensorSpec } from "../dtype.ts";

/**
 * `exact`: equal bits (whole numbers, moves, quantised blocks). `f32`: every step in f32. `bf16`: operands are bf16, so devices may round what lies between to bf16.
 * `int8`: activations rounded to int8 by blocks: half a level of 127 is 0.4 % of the block's peak, which over a dot product leaves about 1 % of its norm.
 */
export type Precision = "exact" | "f32" | "bf16" | "int8";

export type Comparison = {
  readonly ok: boolean;
  /** In words, when not ok. */
  readonly problem: string;
  /** The largest error over what is allowed; infinite where values may not differ at all. */
  readonly excess: number;
  readonly ulpMean: number;
  readonly ulpMax: number;
};

type Limits = {
  readonly relative: number;
  readonly absolute: number /** Of the tensor's root mean square: what cancellation in a sum may leave. */;
  readonly ofNorm: number;
};
const limits: Readonly<Record<Exclude<Precision, "exact" | "int8">, Limits>> = {
  f32: { relative: 1e-4, absolute: 2 ** -30, ofNorm: 2 ** -18 },
  bf16: { relative: 2 ** -7, absolute: 2 ** -30, ofNorm: 2 ** -7 },
};
const mantissaBits = { f32: 23, bf16: 7, f16: 10 } as const;

/** Distance in units in the last place of a number of this size. */
function ulps(expected: number, got: number, size: number, bits: number): number {
  if (expected === got) return 0;
  const exponent = Math.max(-126, Math.floor(Math.log2(size || Number.MIN_VALUE)));
  return Math.abs(expected - got) / 2 ** (exponent - bits);
}

const rms = (values: Float64Array): number => {
  const finite = values.filter(Number.isFinite);
  return Math.sqrt(finite.reduce((sum, v) => sum + v * v, 0) / Math.max(1, finite.length));
};

/** What a result may differ by, as numbers: |got - expected| ≤ relative · |expected| + absolute (`norm`: of the difference's root mean square; `bytes`: not at all). */
export function allowedError(
  spec: TensorSpec,
  expected: TensorData,
  precision: Precision,
  slack: number,
): { readonly how: "numbers" | "norm" | "bytes"; readonly relative: number; readonly absolute: number } {
  if (dtypes[spec.dtype].kind === "quantized" || spec.dtype === "i32") return { how: "bytes", relative: 0, absolute: 0 };
  if (precision === "int8") return { how: "norm", relative: 0.02, absolute: 1e-12 };
  const limit = precision === "exact" ? { relative: 0, absolute: 0, ofNorm: 0 } : limits[precision];
  const bits = mantissaBits[spec.dtype as keyof typeof mantissaBits] ?? 23;
  // A result stored in 16 bits may always land on the neighbour: both sides rounded nearly the same number.
  const relative = Math.max(limit.relative * slack, precision === "exact" || spec.dtype === "f32" ? 0 : 2 ** -bits);
  return { how: "numbers", relative, absolute: slack * (limit.absolute + limit.ofNorm * rms(loadValues(spec, expected))) };
}

/** What an operator's own arithmetic may leave beside the general limits, derived from its operands. */
export type Allowance = {
  /** Of every element: see `conditioning` of the forms. */
  readonly elements?: Float64Array;
  /** int8: of the error's root mean square. */
  readonly rms?: number;
};

/** `slack` widens every limit: chains of operators (a gradient after a forward pass) multiply what one leaves. */
export function compareTensors(
  spec: TensorSpec,
  expectedData: TensorData,
  gotData: TensorData,
  precision: Precision,
  slack = 1,
  more: Allowance = {},
): Comparison {
  const failed = (problem: string): Comparison => ({ ok: false, problem, excess: Number.POSITIVE_INFINITY, ulpMean: 0, ulpMax: 0 });
  if (expectedData.length !== gotData.length) return failed(`expected ${expectedData.length} elements, got ${gotData.length}`);
  if (dtypes[spec.dtype].kind === "quantized" || spec.dtype === "i32") {
    const at = expectedData.findIndex((value, i) => value !== gotData[i]);
    return at < 0
      ? { ok: true, problem: "", excess: 0, ulpMean: 0, ulpMax: 0 }
      : failed(`element ${at}: expected ${expectedData[at]}, got ${gotData[at]}`);
  }
  const [expected, got] = [loadValues(spec, expectedData), loadValues(spec, gotData)];
  const norm = rms(expected);
  if (precision === "int8") return compareNorms(expected, got, norm, Math.max(0.02 * norm, more.rms ?? 0) + 1e-12);
  const bits = mantissaBits[spec.dtype as keyof typeof mantissaBits] ?? 23;
  const { relative, absolute } = allowedError(spec, expectedData, precision, slack);
  let [worst, worstAt, sum, most, counted, far] = [0, -1, 0, 0, 0, 0];
  for (let i = 0; i < expected.length; i++) {
    const [e, g] = [expected[i]!, got[i]!];
    if (!Number.isFinite(e) || !Number.isFinite(g)) {
      if (!Object.is(e, g)) return failed(`element ${i}: expected ${e}, got ${g}`);
      continue;
    }
    const allowed = relative * Math.abs(e) + absolute + (more.elements?.[i] ?? 0);
    const excess = Math.abs(e - g) === 0 ? 0 : Math.abs(e - g) / allowed;
    if (excess > worst) [worst, worstAt] = [excess, i];
    // Of the size of what was summed: where terms cancel, the value's own last place says nothing; and beyond what its operands' condition explains.
    const unexplained = Math.max(0, Math.abs(e - g) - (more.elements?.[i] ?? 0));
    const distance = ulps(0, unexplained, Math.max(Math.abs(e), norm), bits);
    sum += distance;
    counted++;
    most = Math.max(most, distance);
    if (distance > 32) far++;
  }
  const mean = counted === 0 ? 0 : sum / counted;
  const result = { excess: worst, ulpMean: mean, ulpMax: most };
  if (worst > 1)
    return {
      ok: false,
      ...result,
      problem: `element ${worstAt}: expected ${expected[worstAt]}, got ${got[worstAt]} (${worst.toPrecision(3)} times the limit)`,
    };
  if (precision === "f32" && spec.dtype === "f32" && slack === 1 && mean >= 64 && far >= 0.05 * counted)
    return { ok: false, ...result, problem: `a mean of ${mean.toPrecision(3)} ULP, ${far} of ${counted} elements above 32` };
  return { ok: true, problem: "", ...result };
}

function compareNorms(expected: Float64Array, got: Float64Array, norm: number, limit: number): Comparison {
  const error = rms(expected.map((v, i) => v - got[i]!));
  const finite = got.every(Number.isFinite);
  const ok = finite && error <= limit;
  return {
    ok,
    excess: error / limit,
    ulpMean: 0,
    ulpMax: 0,
    problem: ok ? "" : `an error of ${(error / norm).toPrecision(3)} of the norm, at most ${(limit / norm).toPrecision(3)}`,
  };
}
