/** @file 16-bit floats in plain TypeScript: bf16 and IEEE half, rounded to nearest, ties to even. */

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

export function toBf16(value: number): number {
  float[0] = value;
  const raw = bits[0]!;
  if ((raw & 0x7fffffff) > 0x7f800000) return (raw >>> 16) | 0x40; // NaN stays NaN
  return (raw + 0x7fff + ((raw >>> 16) & 1)) >>> 16;
}

export function fromBf16(half: number): number {
  bits[0] = half << 16;
  return float[0]!;
}

export function toHalf(value: number): number {
  float[0] = value;
  const raw = bits[0]!;
  const sign = (raw >>> 16) & 0x8000;
  const magnitude = raw & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x47800000) return sign | 0x7c00; // 65536 and above
  if (magnitude < 0x38800000) {
    // Below 2^-14: multiples of 2^-24. Exact in float64, so this rounds once.
    return sign | roundEven(Math.abs(float[0]!) * 2 ** 24);
  }
  const rounded = magnitude + 0xfff + ((magnitude >>> 13) & 1);
  return sign | ((rounded - 0x38000000) >>> 13);
}

export function fromHalf(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >>> 10) & 31;
  const fraction = half & 0x3ff;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25));
}

/** A value as f16 holds it. */
export const throughHalf = (value: number): number => fromHalf(toHalf(value));

/** To the nearest whole number, ties to even: what f32 arithmetic does, and `nearest_int` of ggml. */
export function roundEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor;
}
