/** @file Vector functions of tier code: exp, log, tanh, the normal distribution. f32, a few ulp at most; IEEE at the edges. */
#pragma once
#include "simd.h"

namespace sb {
namespace SB_TIER {

static inline vf as_float(vi x) { return reinterpret_cast<vf>(x); }
/** Bits to calculate with: signed overflow is undefined in C++, unsigned wraps. */
static inline vf as_float(vu x) { return reinterpret_cast<vf>(x); }
static inline vu as_bits(vf x) { return reinterpret_cast<vu>(x); }
static inline vi as_int(vf x) { return reinterpret_cast<vi>(x); }
static inline vi isplat(int32_t x) { return x - vi{}; }
static inline vf vabs(vf x) { return as_float(as_int(x) & 0x7fffffff); }
/** Nearest whole number, for |x| < 2^22. */
static inline vf vround(vf x) {
  const vf magic = splat(12582912.0f);  // 1.5 * 2^23
  return (x + magic) - magic;
}

static inline vf vsqrt(vf x) {
#if SB_W == 16
  return reinterpret_cast<vf>(_mm512_sqrt_ps(reinterpret_cast<__m512>(x)));
#elif SB_W == 8
  return reinterpret_cast<vf>(_mm256_sqrt_ps(reinterpret_cast<__m256>(x)));
#elif defined(__x86_64__)
  return reinterpret_cast<vf>(_mm_sqrt_ps(reinterpret_cast<__m128>(x)));
#elif defined(__aarch64__)
  return reinterpret_cast<vf>(vsqrtq_f32(reinterpret_cast<float32x4_t>(x)));
#else
  for (int i = 0; i < SB_W; i++) x[i] = __builtin_sqrtf(x[i]);
  return x;
#endif
}

/** e^x - 1 on |x| <= ln2/2 as x + x^2 q(x); `vexp` and `vexpm1` share it. */
static inline vf exp_tail(vf r) {
  vf q = splat(1.9841270e-4f);
  q = q * r + 1.3888889e-3f;
  q = q * r + 8.3333333e-3f;
  q = q * r + 4.1666667e-2f;
  q = q * r + 1.6666667e-1f;
  q = q * r + 0.5f;
  return r + r * r * q;
}
static inline vf exp_reduce(vf x, vf *n) {
  *n = vround(x * 1.44269504f);
  return (x - *n * 0.693359375f) - *n * -2.12194440e-4f;
}
static inline vf pow2(vi n) { return as_float(reinterpret_cast<vu>(n + 127) << 23); }

/** e^x over the whole range, subnormal results included. */
static inline vf vexp(vf x) {
  const vf in = select(x > splat(104.0f), splat(104.0f), select(x < splat(-110.0f), splat(-110.0f), x));  // NaN goes through
  vf n;
  const vf r = exp_reduce(in, &n);
  const vf safe = select(n == n, n, vf{});
  const vi whole = __builtin_convertvector(safe, vi), half = whole >> 1;
  return (1.0f + exp_tail(r)) * pow2(half) * pow2(whole - half);
}

/** e^x for x <= 0 or so (up to 88); results under 2^-126 become 0. For softmax: one multiply less, no select for large x. */
static inline vf vexp_fast(vf x) {
  vf n;
  const vf r = exp_reduce(x, &n);
  const vu whole = as_bits(n + 12582912.0f) << 23;  // low bits of the magic sum hold n
  const vf y = as_float(as_bits(1.0f + exp_tail(r)) + whole);
  return select(x == x, select(x < splat(-87.0f), vf{}, y), x);
}

/** Natural logarithm. */
static inline vf vlog(vf x) {
  const vi tiny = x < splat(1.17549435e-38f);
  const vf scaled = select(tiny, x * 8388608.0f, x);
  // Mantissa in [sqrt(1/2), sqrt(2)), so that the polynomial's argument is small on both sides of 1.
  const vi bits = reinterpret_cast<vi>(as_bits(scaled) - 0x3f3504f3u);
  const vi exponent = bits >> 23;
  const vf m = as_float((bits & 0x7fffff) + 0x3f3504f3) - 1.0f;
  const vf e = __builtin_convertvector(exponent, vf) - select(tiny, splat(23.0f), vf{});
  const vf z = m * m;
  vf p = splat(7.0376836292e-2f);
  p = p * m - 1.1514610310e-1f;
  p = p * m + 1.1676998740e-1f;
  p = p * m - 1.2420140846e-1f;
  p = p * m + 1.4249322787e-1f;
  p = p * m - 1.6668057665e-1f;
  p = p * m + 2.0000714765e-1f;
  p = p * m - 2.4999993993e-1f;
  p = p * m + 3.3333331174e-1f;
  vf y = p * m * z + e * -2.12194440e-4f - z * 0.5f + m + e * 0.693359375f;
  const vf infinity = as_float(isplat(0x7f800000));
  y = select(x == infinity, x, y);
  y = select(x == vf{}, -infinity, y);
  return select((x < vf{}) | (x != x), as_float(isplat(0x7fc00000)), y);
}

/** 1 / (1 + e^-x). Below -88 the result would be subnormal: 0. */
static inline vf vsigmoid(vf x) {
  const vf in = vmax(splat(-87.0f), vmin(splat(88.0f), -x));  // NaN goes through: it is the second operand
  vf n;
  const vf r = exp_reduce(in, &n);
  const vf scale = as_float(as_bits(n + 12583039.0f) << 23);  // 1.5 * 2^23 + 127: low bits hold the exponent
  const vf y = 1.0f / (1.0f + (1.0f + exp_tail(r)) * scale);
  return as_float(as_int(y) & ~(x < splat(-88.0f)));
}

static inline vf vtanh(vf x) {
  const vf a = vabs(x), z = x * x;
  vf p = splat(-5.70498872745e-3f);
  p = p * z + 2.06390887954e-2f;
  p = p * z - 5.37397155531e-2f;
  p = p * z + 1.33314422036e-1f;
  p = p * z - 3.33332819422e-1f;
  const vf small = x + x * z * p;
  const vf large = 1.0f - 2.0f / (vexp(a + a) + 1.0f);
  const vf signed_large = as_float(as_int(large) | (as_int(x) & static_cast<int32_t>(0x80000000)));
  return select(a < splat(0.625f), small, signed_large);
}

/** The normal distribution function, right relatively also far to the left (erfc by a Chebyshev fit, 1.2e-7). */
static inline vf vnormal(vf x) {
  const vf z = vabs(x) * 0.70710678118f;
  const vf t = 1.0f / (1.0f + 0.5f * z);
  vf p = splat(0.17087277f);
  p = p * t - 0.82215223f;
  p = p * t + 1.48851587f;
  p = p * t - 1.13520398f;
  p = p * t + 0.27886807f;
  p = p * t - 0.18628806f;
  p = p * t + 0.09678418f;
  p = p * t + 0.37409196f;
  p = p * t + 1.00002368f;
  p = p * t - 1.26551223f;
  // exp(-x^2/2) from the exact square's two halves keeps the far tail right.
  const vf coarse = as_float(as_int(z) & ~0xfff);
  const vf tail = 0.5f * t * vexp(-coarse * coarse) * vexp((coarse - z) * (coarse + z) + p);
  const vf half = select(z > splat(20.0f), vf{}, tail);  // infinity times zero else
  return select(x > vf{}, 1.0f - half, half);
}
static inline vf vnormal_density(vf x) { return 0.3989422804f * vexp(-0.5f * x * x); }

}  // namespace SB_TIER
}  // namespace sb
