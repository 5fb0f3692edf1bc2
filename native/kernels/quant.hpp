/** @file Quantised weights, a tier's inner loops: int8 products over packed groups of 8 rows, dequantising, f32 dots.
 * With AVX2 (and up) eight rows are one vector; the portable form reads the same layout. */
#pragma once
#include <cmath>

#include "quant-blocks.h"
#include "quant-table.h"
#include "simd.h"

namespace sb {
namespace SB_TIER {

#if defined(__AVX2__)

/** Codes of 8 activations as 32-bit numbers. Adding and taking away 1.5 * 2^23 rounds to the nearest whole number. */
static inline __m256i codes_of(const float *x, __m256 inverse) {
  const __m256 magic = _mm256_set1_ps(12582912.0f);
  return _mm256_cvttps_epi32(_mm256_sub_ps(_mm256_add_ps(_mm256_mul_ps(_mm256_loadu_ps(x), inverse), magic), magic));
}
static inline float top_of(__m256 a) {
  __m128 m = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  m = _mm_max_ps(m, _mm_movehl_ps(m, m));
  return _mm_cvtss_f32(_mm_max_ss(m, _mm_movehdup_ps(m)));
}
static inline int32_t sum_of(__m256i a) {
  __m128i s = _mm_add_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
  s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1)));
}

/** The same numbers as the portable form: with one row of activations, this runs before any thread can begin. */
static void activate(const float *x, int64_t k, const ActivationForm &form, int8_t *code, ActivationUnit *unit) {
  const __m256 no_sign = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff)), most = _mm256_set1_ps(3.402823466e38f);
  const int64_t step = form.stride * (form.wide ? 64 : 32);
  for (int64_t b = 0; b < k / 32; b++, x += 32, code += step, unit += form.stride) {
    __m256 largest = _mm256_setzero_ps(), fine = _mm256_castsi256_ps(_mm256_set1_epi32(-1));
    for (int i = 0; i < 32; i += 8) {
      const __m256 size = _mm256_and_ps(_mm256_loadu_ps(x + i), no_sign);
      fine = _mm256_and_ps(fine, _mm256_cmp_ps(size, most, _CMP_LE_OQ));  // neither infinite nor NaN
      largest = _mm256_max_ps(size, largest);
    }
    const bool bad = _mm256_movemask_ps(fine) != 255;
    const float top = top_of(largest);
    const float scale = bad ? __builtin_nanf("") : top / 127, inverse = top > 0 && !bad ? 127 / top : 0;
    __m256i c[4];
    for (int i = 0; i < 4; i++) c[i] = bad ? _mm256_setzero_si256() : codes_of(x + 8 * i, _mm256_set1_ps(inverse));
    const __m256i packed = _mm256_packs_epi16(_mm256_packs_epi32(c[0], c[1]), _mm256_packs_epi32(c[2], c[3]));
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    const __m256i codes = _mm256_permutevar8x32_epi32(packed, order);
    if (form.wide) {
      const __m256i turned = _mm256_shuffle_epi8(codes, _mm256_setr_epi8(0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15, 0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15));
      _mm256_storeu_si256(reinterpret_cast<__m256i *>(code), _mm256_cvtepi8_epi16(_mm256_castsi256_si128(turned)));
      _mm256_storeu_si256(reinterpret_cast<__m256i *>(code) + 1, _mm256_cvtepi8_epi16(_mm256_extracti128_si256(turned, 1)));
    } else {
      _mm256_storeu_si256(reinterpret_cast<__m256i *>(code), codes);
    }
    const int32_t low = sum_of(_mm256_add_epi32(c[0], c[1])), high = sum_of(_mm256_add_epi32(c[2], c[3]));
    unit->scale = scale;
    unit->total = scale * static_cast<float>(low + high);
    unit->shift[0] = -form.offset * (form.halves ? low : low + high);
    unit->shift[1] = form.halves ? -form.offset * high : 0;
  }
}

#else

static void activate(const float *x, int64_t k, const ActivationForm &form, int8_t *code, ActivationUnit *unit) {
  for (int64_t b = 0; b < k / 32; b++, x += 32, code += 32 * form.stride, unit += form.stride) {  // never wide: no tile asks for it
    float largest = 0;
    for (int i = 0; i < 32; i++) largest = std::fabs(x[i]) > largest ? std::fabs(x[i]) : largest;
    bool bad = false;
    for (int i = 0; i < 32; i++) bad |= !(std::fabs(x[i]) <= 3.402823466e38f);
    const float scale = bad ? __builtin_nanf("") : largest / 127, inverse = largest > 0 && !bad ? 127 / largest : 0;
    int32_t sum[2] = {0, 0};
    for (int i = 0; i < 32; i++) {
      // Adding and taking away 1.5 * 2^23 rounds to the nearest whole number.
      const int32_t c = bad ? 0 : static_cast<int32_t>((x[i] * inverse + 12582912.0f) - 12582912.0f);
      code[i] = static_cast<int8_t>(c);
      sum[i / 16] += c;
    }
    unit->scale = scale;
    unit->total = scale * static_cast<float>(sum[0] + sum[1]);
    unit->shift[0] = -form.offset * (form.halves ? sum[0] : sum[0] + sum[1]);
    unit->shift[1] = form.halves ? -form.offset * sum[1] : 0;
  }
}

#endif

static void dequantize(int32_t type, const void *from, int64_t k, float *to) {
  const BlockShape &s = *block_shape(type);
  const uint8_t *p = static_cast<const uint8_t *>(from);
  for (int64_t at = 0; at < k; at += s.block, p += s.bytes)
    for (int j = 0; j < s.block / 32; j++) {
      Unit u;
      take_unit(type, p, j, u);
      unit_values(s, u, to + at + 32 * j);
    }
}

static void dot(const float *x, int64_t m, int64_t k, const float *w, float *out, int64_t ld) {
  for (int64_t r = 0; r < m; r++, x += k) {  // k is a multiple of 32
    vf s0{}, s1{};
    for (int64_t i = 0; i < k; i += 2 * W) s0 += load(x + i) * load(w + i), s1 += load(x + i + W) * load(w + i + W);
    out[r * ld] = lanes_sum(s0 + s1);
  }
}

#if defined(__AVX2__)

static inline __m256i bytes32(const uint8_t *p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i *>(p)); }
static inline __m256 halves8(const uint8_t *p) { return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i *>(p))); }

/** Bytes that the matrix-vector product asks for ahead of its reading. */
constexpr int kAhead = 1024;

/** Code vector V of a unit. */
template <int32_t T, int V>
static inline __m256i code_vector(const uint8_t *p) {
  if (T == SB_Q8_0) return bytes32(p + 32 * V);
  __m256i low = bytes32(p + V % 4 * 32);
  if (V >= 4) low = _mm256_srli_epi16(low, 4);
  low = _mm256_and_si256(low, _mm256_set1_epi8(15));
  if (T == SB_Q5_0 || T == SB_Q5_1 || T == SB_Q5_K) {
    const __m256i bits = bytes32(p + 128);
    const __m256i moved = V < 4 ? _mm256_slli_epi16(bits, V < 4 ? 4 - V : 0) : _mm256_srli_epi16(bits, V >= 4 ? V - 4 : 0);
    low = _mm256_or_si256(low, _mm256_and_si256(moved, _mm256_set1_epi8(16)));
  }
  if (T == SB_Q6_K) {
    const __m256i pairs = bytes32(p + 128 + V / 4 * 32);
    constexpr int at = V % 4 * 2;
    const __m256i moved = at <= 4 ? _mm256_slli_epi16(pairs, at <= 4 ? 4 - at : 0) : _mm256_srli_epi16(pairs, at > 4 ? at - 4 : 0);
    low = _mm256_or_si256(low, _mm256_and_si256(moved, _mm256_set1_epi8(48)));
  }
  return low;
}
static inline __m256i four(const int8_t *p) {
  int32_t x;
  std::memcpy(&x, p, 4);
  return _mm256_set1_epi32(x);
}

/** Products of M rows with vectors V..V+N-1: sums of 4 codes a lane, added to acc. 16-bit sums cannot overflow: 4-bit
 * codes hold 8 vectors (15 * 127 * 16), 5-bit 4, 6-bit 2. */
template <int32_t T, int M, int V, int N>
struct Steps {
  static inline void run(const uint8_t *p, const int8_t *const *x, __m256i *sum16) {
    const __m256i w = code_vector<T, V>(p);
    for (int m = 0; m < M; m++) sum16[m] = _mm256_add_epi16(sum16[m], _mm256_maddubs_epi16(w, four(x[m] + 4 * V)));
    Steps<T, M, V + 1, N - 1>::run(p, x, sum16);
  }
};
template <int32_t T, int M, int V>
struct Steps<T, M, V, 0> {
  static inline void run(const uint8_t *, const int8_t *const *, __m256i *) {}
};
template <int32_t T, int M, int V, int End>
static inline void accumulate(const uint8_t *p, const int8_t *const *x, __m256i *acc) {
  if constexpr (V < End) {
#if defined(SB_QUANT_VNNI)
    const __m256i w = code_vector<T, V>(p);
    if constexpr (T == SB_Q8_0) {
      const __m256i size = _mm256_abs_epi8(w);
      for (int m = 0; m < M; m++) acc[m] = _mm256_dpbusd_epi32(acc[m], size, _mm256_sign_epi8(four(x[m] + 4 * V), w));
    } else {
      for (int m = 0; m < M; m++) acc[m] = _mm256_dpbusd_epi32(acc[m], w, four(x[m] + 4 * V));
    }
    accumulate<T, M, V + 1, End>(p, x, acc);
#else
    const __m256i ones = _mm256_set1_epi16(1);
    if constexpr (T == SB_Q8_0) {
      // |w| times x with w's sign: 128 * 127 * 2 fits 16 bits, and x is never -128.
      const __m256i w = code_vector<T, V>(p), size = _mm256_abs_epi8(w);
      for (int m = 0; m < M; m++) {
        const __m256i pairs = _mm256_maddubs_epi16(size, _mm256_sign_epi8(four(x[m] + 4 * V), w));
        acc[m] = _mm256_add_epi32(acc[m], _mm256_madd_epi16(pairs, ones));
      }
      accumulate<T, M, V + 1, End>(p, x, acc);
    } else {
      constexpr int most = T == SB_Q6_K ? 2 : T == SB_Q5_0 || T == SB_Q5_1 || T == SB_Q5_K ? 4 : 8;
      constexpr int n = most < End - V ? most : End - V;
      __m256i sum16[M];
      for (int m = 0; m < M; m++) sum16[m] = _mm256_setzero_si256();
      Steps<T, M, V, n>::run(p, x, sum16);
      for (int m = 0; m < M; m++) acc[m] = _mm256_add_epi32(acc[m], _mm256_madd_epi16(sum16[m], ones));
      accumulate<T, M, V + n, End>(p, x, acc);
    }
#endif
  }
}

template <int32_t T, int M>
static void packed_rows(const uint8_t *p, int64_t k, const int8_t *const *code, const ActivationUnit *const *unit, float *out, int64_t ld) {
  constexpr bool super = group_head(T) != 0, min = T == SB_Q4_1 || T == SB_Q5_1 || T == SB_Q4_K || T == SB_Q5_K;
  __m256 sum[M], d = _mm256_setzero_ps(), dmin = d;
  for (int m = 0; m < M; m++) sum[m] = _mm256_setzero_ps();
  const int8_t *x[M];
  for (int m = 0; m < M; m++) x[m] = code[m];
  for (int64_t b = 0; b < k / 32; b++) {
    if (super && b % 8 == 0) {
      d = halves8(p);
      if (min) dmin = halves8(p + 16);
      p += group_head(T);
    }
    const uint8_t *codes = p + unit_scales(T);
    if (M <= 2)  // the memory is the limit: ask early. Reading on past the end of a weight is only a hint.
      for (int line = 0; line < unit_bytes(T); line += 64) _mm_prefetch(reinterpret_cast<const char *>(p + kAhead + line), _MM_HINT_T0);
    __m256i acc[M];
    for (int m = 0; m < M; m++) acc[m] = _mm256_set1_epi32(unit[m][b].shift[0]);
    if constexpr (T == SB_Q6_K) {
      const __m256 s0 = _mm256_mul_ps(d, _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i *>(p)))));
      const __m256 s1 = _mm256_mul_ps(d, _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i *>(p + 8)))));
      __m256i upper[M];
      for (int m = 0; m < M; m++) upper[m] = _mm256_set1_epi32(unit[m][b].shift[1]);
      accumulate<T, M, 0, 4>(codes, x, acc);
      accumulate<T, M, 4, 8>(codes, x, upper);
      for (int m = 0; m < M; m++) {
        const __m256 both = _mm256_fmadd_ps(_mm256_cvtepi32_ps(upper[m]), s1, _mm256_mul_ps(_mm256_cvtepi32_ps(acc[m]), s0));
        sum[m] = _mm256_fmadd_ps(both, _mm256_set1_ps(unit[m][b].scale), sum[m]);
      }
    } else {
      __m256 scale, add = _mm256_setzero_ps();
      if constexpr (super) {
        scale = _mm256_mul_ps(d, _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i *>(p)))));
        add = _mm256_mul_ps(dmin, _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i *>(p + 8)))));
      } else {
        scale = halves8(p);
        if constexpr (min) add = halves8(p + 16);
      }
      accumulate<T, M, 0, 8>(codes, x, acc);
      for (int m = 0; m < M; m++) {
        sum[m] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(acc[m]), _mm256_mul_ps(scale, _mm256_set1_ps(unit[m][b].scale)), sum[m]);
        if constexpr (min) {
          const __m256 total = _mm256_set1_ps(unit[m][b].total);
          sum[m] = super ? _mm256_fnmadd_ps(add, total, sum[m]) : _mm256_fmadd_ps(add, total, sum[m]);
        }
      }
    }
    p += unit_bytes(T);
    for (int m = 0; m < M; m++) x[m] += 32;
  }
  for (int m = 0; m < M; m++) _mm256_storeu_ps(out + m * ld, sum[m]);
}

#else

static inline int code_of(int32_t type, const uint8_t *p, int vector, int byte) {
  if (type == SB_Q8_0) return static_cast<int8_t>(p[32 * vector + byte]);
  int c = p[vector % 4 * 32 + byte] >> (vector / 4 * 4) & 15;
  if (type == SB_Q5_0 || type == SB_Q5_1 || type == SB_Q5_K) c |= (p[128 + byte] >> vector & 1) << 4;
  if (type == SB_Q6_K) c |= (p[128 + vector / 4 * 32 + byte] >> (vector % 4 * 2) & 3) << 4;
  return c;
}
static inline float half_at(const uint8_t *p, int r) {
  uint16_t h;
  std::memcpy(&h, p + 2 * r, 2);
  return half_value(h);
}

template <int32_t T, int M>
static void packed_rows(const uint8_t *p, int64_t k, const int8_t *const *code, const ActivationUnit *const *unit, float *out, int64_t ld) {
  constexpr bool super = group_head(T) != 0, min = T == SB_Q4_1 || T == SB_Q5_1 || T == SB_Q4_K || T == SB_Q5_K;
  float sum[M][8] = {};
  const uint8_t *head = p;
  for (int64_t b = 0; b < k / 32; b++) {
    if (super && b % 8 == 0) head = p, p += group_head(T);
    for (int m = 0; m < M; m++) {
      const ActivationUnit &u = unit[m][b];
      for (int r = 0; r < 8; r++) {
        int32_t acc[2] = {u.shift[0], u.shift[1]};
        for (int i = 0; i < 32; i++) acc[i / 16] += code_of(T, p + unit_scales(T), i / 4, r * 4 + i % 4) * code[m][b * 32 + i];
        if (T == SB_Q6_K) {
          const float d = half_at(head, r), s0 = d * static_cast<float>(static_cast<int8_t>(p[r])), s1 = d * static_cast<float>(static_cast<int8_t>(p[8 + r]));
          sum[m][r] += (static_cast<float>(acc[0]) * s0 + static_cast<float>(acc[1]) * s1) * u.scale;
        } else {
          const float scale = super ? half_at(head, r) * static_cast<float>(p[r]) : half_at(p, r);
          sum[m][r] += static_cast<float>(acc[0] + acc[1]) * (scale * u.scale);
          if (min) sum[m][r] += (super ? -half_at(head + 16, r) * static_cast<float>(p[8 + r]) : half_at(p + 16, r)) * u.total;
        }
      }
    }
    p += unit_bytes(T);
  }
  for (int m = 0; m < M; m++) std::memcpy(out + m * ld, sum[m], 32);
}

#endif

template <int32_t T>
static void packed_type(const char *group, int64_t k, const Activations &a, int64_t count, float *out, int64_t ld) {
  const uint8_t *p = reinterpret_cast<const uint8_t *>(group);
  for (int64_t m = 0; m < count;) {
    const int8_t *code[4];
    const ActivationUnit *unit[4];
    for (int i = 0; i < 4; i++) {
      const int64_t row = m + i < count ? m + i : m;
      code[i] = a.code + row * k, unit[i] = a.unit + row * (k / 32);
    }
    if (count - m >= 4) packed_rows<T, 4>(p, k, code, unit, out + m * ld, ld), m += 4;
    else if (count - m >= 2) packed_rows<T, 2>(p, k, code, unit, out + m * ld, ld), m += 2;
    else packed_rows<T, 1>(p, k, code, unit, out + m * ld, ld), m += 1;
  }
}
static void packed(int32_t type, const char *group, int64_t k, const Activations &a, int64_t m, float *out, int64_t ld) {
  switch (type) {
    case SB_Q8_0: return packed_type<SB_Q8_0>(group, k, a, m, out, ld);
    case SB_Q4_0: return packed_type<SB_Q4_0>(group, k, a, m, out, ld);
    case SB_Q4_1: return packed_type<SB_Q4_1>(group, k, a, m, out, ld);
    case SB_Q5_0: return packed_type<SB_Q5_0>(group, k, a, m, out, ld);
    case SB_Q5_1: return packed_type<SB_Q5_1>(group, k, a, m, out, ld);
    case SB_Q4_K: return packed_type<SB_Q4_K>(group, k, a, m, out, ld);
    case SB_Q5_K: return packed_type<SB_Q5_K>(group, k, a, m, out, ld);
    default: return packed_type<SB_Q6_K>(group, k, a, m, out, ld);
  }
}

}  // namespace SB_TIER
}  // namespace sb
