/** @file Functions that JavaScript's Math lacks, in float64, for the references. */

const rootPi = Math.sqrt(Math.PI);

/** Series with positive terms only: no cancellation. */
function erfSeries(x: number): number {
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(sum) && n < 200; n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / rootPi) * Math.exp(-x * x) * sum;
}

/** Continued fraction, for x ≥ 2. (Abramowitz and Stegun 7.1.14.) */
function erfcFraction(x: number): number {
  let fraction = 0;
  for (let n = 120; n > 0; n--) fraction = n / 2 / (x + fraction);
  return Math.exp(-x * x) / rootPi / (x + fraction);
}

/** 1 − erf(x), with full relative precision in both tails. */
export function erfc(x: number): number {
  if (Number.isNaN(x)) return x;
  if (x < 0) return 2 - erfc(-x);
  if (x > 28) return 0;
  return x < 2 ? 1 - erfSeries(x) : erfcFraction(x);
}

export const sigmoid = (x: number): number => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)));
export const silu = (x: number): number => x / (1 + Math.exp(-x));
export const siluSlope = (x: number): number => sigmoid(x) * (1 + x * (1 - sigmoid(x)));
/** Φ(x), the normal distribution. */
const phi = (x: number): number => 0.5 * erfc(-x / Math.SQRT2);
export const gelu = (x: number): number => x * phi(x);
export const geluSlope = (x: number): number => phi(x) + (x * Math.exp(-0.5 * x * x)) / Math.sqrt(2 * Math.PI);
const cubic = 0.044715;
const inner = (x: number): number => Math.sqrt(2 / Math.PI) * (x + cubic * x * x * x);
/** 0.5 x (1 + tanh u), written so that it keeps its precision where tanh is near −1. */
export const geluTanh = (x: number): number => x * sigmoid(2 * inner(x));
export const geluTanhSlope = (x: number): number => {
  const s = sigmoid(2 * inner(x));
  return s + x * s * (1 - s) * 2 * Math.sqrt(2 / Math.PI) * (1 + 3 * cubic * x * x);
};

/** log Σ e^x of `count` values from `from`; −Infinity of none. */
export function logSumExp(values: Float64Array, from: number, count: number): number {
  let most = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < count; i++) {
    if (Number.isNaN(values[from + i]!)) return Number.NaN;
    most = Math.max(most, values[from + i]!);
  }
  if (!Number.isFinite(most)) return most > 0 ? Number.NaN : most;
  let sum = 0;
  for (let i = 0; i < count; i++) sum += Math.exp(values[from + i]! - most);
  return most + Math.log(sum);
}

/** The counter-based hash of dropout and noise: 32 bits from a seed, a stream and an element's index. Native code has the same lines. */
export function counterHash(seed: number, stream: number, index: number): number {
  const low = index >>> 0;
  const high = Math.floor(index / 2 ** 32) >>> 0;
  const key = (Math.imul(seed, 0x85ebca77) + Math.imul(stream, 0xc2b2ae3d) + Math.imul(high, 0x27d4eb2f)) >>> 0;
  let x = (Math.imul(low, 0x9e3779b1) ^ ((key << 15) | (key >>> 17))) >>> 0;
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d) >>> 0;
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b) >>> 0;
  return (x ^ (x >>> 16)) >>> 0;
}
