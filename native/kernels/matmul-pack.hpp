/** @file Rearranging operands into panels: [units][width], values widened to f32 or paired as bf16. */
#pragma once
#include "matmul.h"
#include "matmul-tile.hpp"

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuninitialized"  // GCC 12's own AVX-512 headers
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

namespace sb {
namespace SB_TIER {

struct half {
  uint16_t bits;
};
static inline float load1(const half *p) {
  const uint32_t sign = static_cast<uint32_t>(p->bits & 0x8000u) << 16, exponent = (p->bits >> 10) & 31u, fraction = p->bits & 0x3ffu;
  uint32_t bits;
  if (exponent == 31) bits = sign | 0x7f800000u | (fraction << 13) | (fraction ? 0x400000u : 0);
  else if (exponent) bits = sign | ((exponent + 112) << 23) | (fraction << 13);
  else {
    const float tiny = static_cast<float>(fraction) * 5.9604644775390625e-8f;  // 2^-24
    std::memcpy(&bits, &tiny, 4);
    bits |= sign;
  }
  float y;
  std::memcpy(&y, &bits, 4);
  return y;
}
static inline vf load(const half *p) {
#if SB_W == 16
  typedef float v8 __attribute__((vector_size(32)));
  const v8 low = reinterpret_cast<v8>(_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i *>(p))));
  const v8 high = reinterpret_cast<v8>(_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i *>(p + 8))));
  vf y;
  std::memcpy(&y, &low, 32);
  std::memcpy(reinterpret_cast<char *>(&y) + 32, &high, 32);
  return y;
#elif SB_W == 8
  return reinterpret_cast<vf>(_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i *>(p))));
#elif defined(__aarch64__)
  return reinterpret_cast<vf>(vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(&p->bits))));
#else
  return vf{load1(p), load1(p + 1), load1(p + 2), load1(p + 3)};
#endif
}

/** v[i][j] becomes v[j][i]. */
static inline void transpose(vf *v) {
#if SB_W == 16
  __m512 a[16], b[16];
  for (int i = 0; i < 16; i++) a[i] = reinterpret_cast<__m512>(v[i]);
#pragma GCC unroll 8
  for (int i = 0; i < 16; i += 2) {
    b[i] = _mm512_unpacklo_ps(a[i], a[i + 1]);
    b[i + 1] = _mm512_unpackhi_ps(a[i], a[i + 1]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4)
#pragma GCC unroll 2
    for (int j = 0; j < 2; j++) {
      const __m512d x = _mm512_castps_pd(b[i + j]), y = _mm512_castps_pd(b[i + j + 2]);
      a[i + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(x, y));
      a[i + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(x, y));
    }
  const vi low = {0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27}, high = low + 4;  // 128-bit parts 0 and 2, 1 and 3
#pragma GCC unroll 4
  for (int j = 0; j < 4; j++) {  // a[4 q + j]: column j of each 128-bit part, rows 4 q to 4 q + 3
    const vf q0 = reinterpret_cast<vf>(a[j]), q1 = reinterpret_cast<vf>(a[4 + j]), q2 = reinterpret_cast<vf>(a[8 + j]), q3 = reinterpret_cast<vf>(a[12 + j]);
    const vf lo01 = __builtin_shuffle(q0, q1, low), hi01 = __builtin_shuffle(q0, q1, high);
    const vf lo23 = __builtin_shuffle(q2, q3, low), hi23 = __builtin_shuffle(q2, q3, high);
    v[j] = __builtin_shuffle(lo01, lo23, low);
    v[4 + j] = __builtin_shuffle(hi01, hi23, low);
    v[8 + j] = __builtin_shuffle(lo01, lo23, high);
    v[12 + j] = __builtin_shuffle(hi01, hi23, high);
  }
#elif SB_W == 8
  __m256 a[8], b[8];
#pragma GCC unroll 8
  for (int i = 0; i < 8; i++) a[i] = reinterpret_cast<__m256>(v[i]);
#pragma GCC unroll 4
  for (int i = 0; i < 8; i += 2) {
    b[i] = _mm256_unpacklo_ps(a[i], a[i + 1]);
    b[i + 1] = _mm256_unpackhi_ps(a[i], a[i + 1]);
  }
#pragma GCC unroll 2
  for (int i = 0; i < 8; i += 4)
#pragma GCC unroll 2
    for (int j = 0; j < 2; j++) {
      a[i + 2 * j] = _mm256_shuffle_ps(b[i + j], b[i + j + 2], 0x44);
      a[i + 2 * j + 1] = _mm256_shuffle_ps(b[i + j], b[i + j + 2], 0xee);
    }
#pragma GCC unroll 4
  for (int j = 0; j < 4; j++) {
    v[j] = reinterpret_cast<vf>(_mm256_permute2f128_ps(a[j], a[4 + j], 0x20));
    v[4 + j] = reinterpret_cast<vf>(_mm256_permute2f128_ps(a[j], a[4 + j], 0x31));
  }
#else
  const vf a = v[0], b = v[1], c = v[2], d = v[3];
  const vf ab0 = __builtin_shuffle(a, b, vi{0, 4, 1, 5}), ab1 = __builtin_shuffle(a, b, vi{2, 6, 3, 7});
  const vf cd0 = __builtin_shuffle(c, d, vi{0, 4, 1, 5}), cd1 = __builtin_shuffle(c, d, vi{2, 6, 3, 7});
  v[0] = __builtin_shuffle(ab0, cd0, vi{0, 1, 4, 5});
  v[1] = __builtin_shuffle(ab0, cd0, vi{2, 3, 6, 7});
  v[2] = __builtin_shuffle(ab1, cd1, vi{0, 1, 4, 5});
  v[3] = __builtin_shuffle(ab1, cd1, vi{2, 3, 6, 7});
#endif
}

/** How one unit is read from a row of elements T: widened to f32. */
template <class T> struct Wide {
  using Element = T;
  static constexpr int step = 1;
  static inline vf vector(const T *row, int64_t unit) { return load(row + unit); }
  static inline float one(const T *row, int64_t unit, int64_t) { return load1(row + unit); }
  static inline vf rows(const T *first, const T *) { return load(first); }
  static inline float rows1(const T *first, const T *) { return load1(first); }
};
/** Two bf16 neighbours of the summed dimension in 32 bits, the first in the low half. */
struct Pair {
  using Element = uint16_t;
  static constexpr int step = 2;
  static inline float bits(uint32_t low, uint32_t high) {
    const uint32_t both = low | (high << 16);
    float y;
    std::memcpy(&y, &both, 4);
    return y;
  }
  static inline vf vector(const uint16_t *row, int64_t unit) { return load(reinterpret_cast<const float *>(row + 2 * unit)); }
  static inline float one(const uint16_t *row, int64_t unit, int64_t k) { return bits(row[2 * unit], 2 * unit + 1 < k ? row[2 * unit + 1] : 0); }
  static inline vf rows(const uint16_t *first, const uint16_t *second) {
    const vu low = __builtin_convertvector(*reinterpret_cast<const vhu *>(first), vu);
    if (!second) return reinterpret_cast<vf>(low);
    return reinterpret_cast<vf>(low | (__builtin_convertvector(*reinterpret_cast<const vhu *>(second), vu) << 16));
  }
  static inline float rows1(const uint16_t *first, const uint16_t *second) { return bits(*first, second ? *second : 0); }
};

static inline int64_t stored_row(const Source &s, int64_t row) { return s.gather ? s.gather[row] : row; }

/** The summed dimension is contiguous: vectors along it are transposed. */
template <class Unit, int Width>
static void pack_along(const Source &s, int64_t w0, int64_t wn, int64_t k0, int64_t kn, int64_t stride, float *dst) {
  using T = typename Unit::Element;
  const int64_t units = (kn + Unit::step - 1) / Unit::step, whole = kn / Unit::step;
  for (int64_t p = 0; p * Width < wn; p++) {
    for (int g = 0; g < Width; g += SB_W) {
      constexpr int W_ = SB_W;
      const int kept = Width - g < W_ ? Width - g : W_;
      const int64_t left = wn - p * Width - g;
      const int valid = left <= 0 ? 0 : static_cast<int>(left < kept ? left : kept);
      const T *row[W_] = {};
      for (int i = 0; i < valid; i++) row[i] = static_cast<const T *>(s.data) + stored_row(s, w0 + p * Width + g + i) * s.ld + k0;
      float *to = dst + p * stride + g;
      int64_t u = 0;
      for (; u + W_ <= whole; u += W_) {
        vf v[W_];
#pragma GCC unroll 16
        for (int i = 0; i < W_; i++) v[i] = i < valid ? Unit::vector(row[i], u) : vf{};
        transpose(v);
        // A narrow panel's vectors overlap: each unit overwrites the surplus of the one before. The last must not.
        if (kept == W_ || (g == 0 && u + W_ < units)) {
#pragma GCC unroll 16
          for (int i = 0; i < W_; i++) store(to + (u + i) * Width, v[i]);
        } else {
          for (int i = 0; i < W_; i++) std::memcpy(to + (u + i) * Width, &v[i], static_cast<size_t>(kept) * 4);
        }
      }
      for (; u < units; u++)
        for (int i = 0; i < kept; i++) to[u * Width + i] = i < valid ? Unit::one(row[i], u, kn) : 0.0f;
    }
  }
}

/** The panel's width is contiguous: rows are copied, or two of them interleaved. */
template <class Unit, int Width>
static void pack_across(const Source &s, int64_t w0, int64_t wn, int64_t k0, int64_t kn, int64_t stride, float *dst) {
  using T = typename Unit::Element;
  const int64_t units = (kn + Unit::step - 1) / Unit::step;
  const int64_t full = wn / Width;
  for (int64_t u = 0; u < units; u++) {
    const int64_t k = u * Unit::step;
    const T *first = static_cast<const T *>(s.data) + stored_row(s, k0 + k) * s.ld + w0;
    const T *second = Unit::step == 2 && k + 1 < kn ? static_cast<const T *>(s.data) + stored_row(s, k0 + k + 1) * s.ld + w0 : nullptr;
    for (int64_t p = 0; p < full; p++) {
      float *to = dst + p * stride + u * Width;
      const int64_t at = p * Width;
#pragma GCC unroll 8
      for (int g = 0; g + SB_W <= Width; g += SB_W) store(to + g, Unit::rows(first + at + g, second ? second + at + g : nullptr));
      if constexpr (Width % SB_W != 0) {
        constexpr int g = Width / SB_W * SB_W, kept = Width - g;
        if (at + g + SB_W <= wn) {  // enough elements follow in this row
          const vf v = Unit::rows(first + at + g, second ? second + at + g : nullptr);
          std::memcpy(to + g, &v, kept * 4);
        } else {
          for (int i = g; i < Width; i++) to[i] = Unit::rows1(first + at + i, second ? second + at + i : nullptr);
        }
      }
    }
    if (full * Width < wn) {
      float *to = dst + full * stride + u * Width;
      const int64_t at = full * Width;
      for (int i = 0; i < Width; i++) to[i] = at + i < wn ? Unit::rows1(first + at + i, second ? second + at + i : nullptr) : 0.0f;
    }
  }
}

template <class Unit, int Width>
static inline void pack_width(const Source &s, int64_t w0, int64_t wn, int64_t k0, int64_t kn, int64_t stride, float *dst) {
  if (s.order == Order::along) pack_along<Unit, Width>(s, w0, wn, k0, kn, stride, dst);
  else pack_across<Unit, Width>(s, w0, wn, k0, kn, stride, dst);
}
template <class Unit>
static void pack_unit(const Source &s, int64_t w0, int64_t wn, int64_t k0, int64_t kn, int width, int64_t stride, float *dst) {
  if (width == MR) pack_width<Unit, MR>(s, w0, wn, k0, kn, stride, dst);
  else if (width == NR) pack_width<Unit, NR>(s, w0, wn, k0, kn, stride, dst);
  else pack_width<Unit, SB_W>(s, w0, wn, k0, kn, stride, dst);
}
static void pack_f32(const Source &s, int64_t w0, int64_t wn, int64_t k0, int64_t kn, int width, int64_t stride, float *dst) {
  if (s.type == SB_F32) pack_unit<Wide<float>>(s, w0, wn, k0, kn, width, stride, dst);
  else if (s.type == SB_BF16) pack_unit<Wide<uint16_t>>(s, w0, wn, k0, kn, width, stride, dst);
  else pack_unit<Wide<half>>(s, w0, wn, k0, kn, width, stride, dst);
}
#if defined(SB_DOT_X86) || defined(SB_DOT_NEON)
static void pack_pairs(const Source &s, int64_t w0, int64_t wn, int64_t k0, int64_t kn, int width, int64_t stride, float *dst) {
  pack_unit<Pair>(s, w0, wn, k0, kn, width, stride, dst);
}
#endif

}  // namespace SB_TIER
}  // namespace sb
