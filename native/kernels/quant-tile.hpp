/** @file Quantised weights, many rows of activations: 16 rows of weights are unpacked once a stretch of columns, then
 * meet 4 rows of activations at a time in registers. Each result is summed in the order of the few-row kernel, so that
 * its bits do not depend on how many rows there are.
 *
 * Q8_0 has no room in 16-bit sums of byte products: its codes are widened to 16 bits (even and odd columns apart, which
 * two shifts do), and a product of pairs adds to 32 bits at once. All other types keep unsigned bytes. */
#pragma once
#include "quant.hpp"

namespace sb {
namespace SB_TIER {

#if defined(__AVX2__)

#if defined(SB_QUANT_VNNI)
constexpr bool wide_codes(int32_t) { return false; }
#else
constexpr bool wide_codes(int32_t type) { return type == SB_Q8_0; }
#endif
/** What is taken from an unsigned code. Where bytes of Q8_0 are multiplied as they are, their sign bit is turned. */
static int tile_offset(int32_t type) { return type == SB_Q8_0 ? (wide_codes(type) ? 0 : 128) : block_shape(type)->offset; }
static bool tile_wide(int32_t type) { return wide_codes(type); }

constexpr int kPair = 16;  // rows of two groups
constexpr bool has_min(int32_t type) { return type == SB_Q4_1 || type == SB_Q5_1 || type == SB_Q4_K || type == SB_Q5_K; }
constexpr int64_t tile_codes(int32_t type) { return wide_codes(type) ? 1024 : 512; }  // bytes of a unit of two groups

static inline __m256 small8(const uint8_t *p, bool sign) {
  const __m128i b = _mm_loadl_epi64(reinterpret_cast<const __m128i *>(p));
  return _mm256_cvtepi32_ps(sign ? _mm256_cvtepi8_epi32(b) : _mm256_cvtepu8_epi32(b));
}

/** Vectors V to 7 of a unit, one every two vectors of `to`. */
template <int32_t T, int V>
static inline void unpack_vectors(const uint8_t *codes, uint8_t *to) {
  if constexpr (V < 8) {
    __m256i w = code_vector<T, V>(codes);
    __m256i *line = reinterpret_cast<__m256i *>(to + V * 2 * 32);
    if constexpr (wide_codes(T)) {
      line = reinterpret_cast<__m256i *>(to + V * 4 * 32);
      _mm256_storeu_si256(line, _mm256_srai_epi16(_mm256_slli_epi16(w, 8), 8));
      _mm256_storeu_si256(line + 2, _mm256_srai_epi16(w, 8));
    } else {
      if (T == SB_Q8_0) w = _mm256_xor_si256(w, _mm256_set1_epi8(-128));
      _mm256_storeu_si256(line, w);
    }
    unpack_vectors<T, V + 1>(codes, to);
  }
}

/** Units [first, first + count) of a group to their place among the two of a pair; first is a multiple of 8.
 * scales: a unit has 16 factors and 16 of what is added (factors of the second half for Q6_K). */
template <int32_t T>
static void unpack_group(const uint8_t *group, int64_t first, int64_t count, uint8_t *codes, float *scales) {
  __m256 d = _mm256_setzero_ps(), dmin = d;
  for (int64_t u = first; u < first + count; u++, codes += tile_codes(T), scales += 2 * kPair) {
    const uint8_t *p = group + unit_at(T, u);
    __m256 scale, more = _mm256_setzero_ps();
    if constexpr (group_head(T) != 0) {
      if (u % 8 == 0) {
        d = halves8(p - group_head(T));
        if constexpr (has_min(T)) dmin = halves8(p - group_head(T) + 16);
      }
      scale = _mm256_mul_ps(d, small8(p, T == SB_Q6_K));
      if constexpr (T == SB_Q6_K) more = _mm256_mul_ps(d, small8(p + 8, true));
      else more = _mm256_xor_ps(_mm256_mul_ps(dmin, small8(p + 8, false)), _mm256_set1_ps(-0.0f));
    } else {
      scale = halves8(p);
      if constexpr (has_min(T)) more = halves8(p + 16);
    }
    _mm256_storeu_ps(scales, scale);
    _mm256_storeu_ps(scales + kPair, more);
    unpack_vectors<T, 0>(p + unit_scales(T), codes);
  }
}

/** Holds two sums where they are: else the compiler moves products of several steps about until sums lie on the stack,
 * whose round trip is longer than the sum. */
static inline void settle(__m256i &a, __m256i &b) { asm volatile("" : "+x"(a), "+x"(b)); }

/** acc += products of byte vectors [From, To) of a unit with M rows. 16-bit sums hold as many as `Steps` says. */
template <int32_t T, int M, int From, int To>
static inline void byte_sums(const uint8_t *w, const int8_t *x, __m256i (*acc)[2]) {
#if defined(SB_QUANT_VNNI)
#pragma GCC unroll 8
  for (int v = From; v < To; v++) {
    const __m256i w0 = bytes32(w + 64 * v), w1 = bytes32(w + 64 * v + 32);
#pragma GCC unroll 4
    for (int m = 0; m < M; m++) {
      const __m256i y = four(x + 32 * m + 4 * v);
      acc[m][0] = _mm256_dpbusd_epi32(acc[m][0], w0, y);
      acc[m][1] = _mm256_dpbusd_epi32(acc[m][1], w1, y);
    }
  }
#else
  constexpr int most = T == SB_Q6_K ? 2 : unit_codes(T) == 160 ? 4 : 8;
  const __m256i ones = _mm256_set1_epi16(1);
#pragma GCC unroll 4
  for (int start = From; start < To; start += most) {
    __m256i sum[M][2];
#pragma GCC unroll 8
    for (int v = start; v < start + most; v++) {
      const __m256i w0 = bytes32(w + 64 * v), w1 = bytes32(w + 64 * v + 32);
#pragma GCC unroll 4
      for (int m = 0; m < M; m++) {
        const __m256i y = four(x + 32 * m + 4 * v), p0 = _mm256_maddubs_epi16(w0, y), p1 = _mm256_maddubs_epi16(w1, y);
        sum[m][0] = v == start ? p0 : _mm256_add_epi16(sum[m][0], p0);
        sum[m][1] = v == start ? p1 : _mm256_add_epi16(sum[m][1], p1);
        settle(sum[m][0], sum[m][1]);
      }
    }
#pragma GCC unroll 4
    for (int m = 0; m < M; m++)
#pragma GCC unroll 2
      for (int g = 0; g < 2; g++) acc[m][g] = _mm256_add_epi32(acc[m][g], _mm256_madd_epi16(sum[m][g], ones));
  }
#endif
}
/** The same for 16-bit codes: x has columns 0, 2, 1, 3 of every four. */
template <int M>
static inline void wide_sums(const uint8_t *w, const int8_t *x, __m256i (*acc)[2]) {
#pragma GCC unroll 16
  for (int v = 0; v < 16; v++) {
    const __m256i w0 = bytes32(w + 64 * v), w1 = bytes32(w + 64 * v + 32);
#pragma GCC unroll 4
    for (int m = 0; m < M; m++) {
      const __m256i y = four(x + 64 * m + 4 * v);
      acc[m][0] = _mm256_add_epi32(acc[m][0], _mm256_madd_epi16(w0, y));
      acc[m][1] = _mm256_add_epi32(acc[m][1], _mm256_madd_epi16(w1, y));
      settle(acc[m][0], acc[m][1]);
    }
  }
}

/** out[m][0..16) (+)= `count` units of a pair with M of the 4 rows of a panel. */
template <int32_t T, int M>
static void tile_units(const uint8_t *w, const float *scales, int64_t count, const int8_t *x, const ActivationUnit *unit, float *out, int64_t ld, bool add) {
  __m256 sum[M][2];
#pragma GCC unroll 4
  for (int m = 0; m < M; m++)
#pragma GCC unroll 2
    for (int g = 0; g < 2; g++) sum[m][g] = add ? _mm256_loadu_ps(out + m * ld + 8 * g) : _mm256_setzero_ps();
  for (int64_t u = 0; u < count; u++, w += tile_codes(T), scales += 2 * kPair, x += (wide_codes(T) ? 256 : 128), unit += 4) {
    __m256i acc[M][2];
    constexpr bool shifted = (T == SB_Q8_0 && !wide_codes(T)) || T == SB_Q4_0 || T == SB_Q5_0 || T == SB_Q6_K;
#pragma GCC unroll 4
    for (int m = 0; m < M; m++) acc[m][0] = acc[m][1] = shifted ? _mm256_set1_epi32(unit[m].shift[0]) : _mm256_setzero_si256();
    if constexpr (T == SB_Q6_K) {
      __m256 half[M][2];
      byte_sums<T, M, 0, 4>(w, x, acc);
#pragma GCC unroll 4
      for (int m = 0; m < M; m++)
#pragma GCC unroll 2
        for (int g = 0; g < 2; g++) {
          half[m][g] = _mm256_mul_ps(_mm256_cvtepi32_ps(acc[m][g]), _mm256_loadu_ps(scales + 8 * g));
          acc[m][g] = _mm256_set1_epi32(unit[m].shift[1]);
        }
      byte_sums<T, M, 4, 8>(w, x, acc);
#pragma GCC unroll 4
      for (int m = 0; m < M; m++)
#pragma GCC unroll 2
        for (int g = 0; g < 2; g++) {
          const __m256 both = _mm256_fmadd_ps(_mm256_cvtepi32_ps(acc[m][g]), _mm256_loadu_ps(scales + kPair + 8 * g), half[m][g]);
          sum[m][g] = _mm256_fmadd_ps(both, _mm256_set1_ps(unit[m].scale), sum[m][g]);
        }
    } else {
      if constexpr (wide_codes(T)) wide_sums<M>(w, x, acc);
      else byte_sums<T, M, 0, 8>(w, x, acc);
#pragma GCC unroll 4
      for (int m = 0; m < M; m++)
#pragma GCC unroll 2
        for (int g = 0; g < 2; g++) {
          const __m256 scale = _mm256_mul_ps(_mm256_loadu_ps(scales + 8 * g), _mm256_set1_ps(unit[m].scale));
          sum[m][g] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(acc[m][g]), scale, sum[m][g]);
          if constexpr (has_min(T)) sum[m][g] = _mm256_fmadd_ps(_mm256_loadu_ps(scales + kPair + 8 * g), _mm256_set1_ps(unit[m].total), sum[m][g]);
        }
    }
  }
#pragma GCC unroll 4
  for (int m = 0; m < M; m++)
#pragma GCC unroll 2
    for (int g = 0; g < 2; g++) _mm256_storeu_ps(out + m * ld + 8 * g, sum[m][g]);
}

template <int32_t T>
static void tile_type(const TileCall &c) {
  constexpr int64_t row = wide_codes(T) ? 64 : 32;  // bytes of a unit of a row
  uint8_t *codes = reinterpret_cast<uint8_t *>(c.codes);
  for (int64_t first = 0; first < c.units; first += kStretch) {
    const int64_t count = c.units - first < kStretch ? c.units - first : kStretch;
    for (int64_t g = 0; g < c.groups; g += 2) {
      for (int64_t i = 0; i < 2; i++)  // a last group without a partner stands for it
        unpack_group<T>(reinterpret_cast<const uint8_t *>(c.weight) + (g + i < c.groups ? g + i : g) * group_bytes(T, c.units * 32), first, count, codes + 32 * i, c.scales + 8 * i);
      for (int64_t m = 0; m < c.rows; m += 4) {
        const int8_t *x = c.code + (m * c.units + first * 4) * row;
        const ActivationUnit *unit = c.unit + m * c.units + first * 4;
        float *out = c.out + m * c.ld + 8 * g;
        const int64_t left = c.rows - m;
        if (left >= 4) tile_units<T, 4>(codes, c.scales, count, x, unit, out, c.ld, first > 0);
        else if (left == 3) tile_units<T, 3>(codes, c.scales, count, x, unit, out, c.ld, first > 0);
        else if (left == 2) tile_units<T, 2>(codes, c.scales, count, x, unit, out, c.ld, first > 0);
        else tile_units<T, 1>(codes, c.scales, count, x, unit, out, c.ld, first > 0);
      }
    }
  }
}

static void tile(int32_t type, const TileCall &c) {
  switch (type) {
    case SB_Q8_0: return tile_type<SB_Q8_0>(c);
    case SB_Q4_0: return tile_type<SB_Q4_0>(c);
    case SB_Q4_1: return tile_type<SB_Q4_1>(c);
    case SB_Q5_0: return tile_type<SB_Q5_0>(c);
    case SB_Q5_1: return tile_type<SB_Q5_1>(c);
    case SB_Q4_K: return tile_type<SB_Q4_K>(c);
    case SB_Q5_K: return tile_type<SB_Q5_K>(c);
    default: return tile_type<SB_Q6_K>(c);
  }
}

static const QuantTile quant_tile = {tile_offset, tile_wide, tile};
#define SB_QUANT_TILE &sb::SB_TIER::quant_tile
#else
#define SB_QUANT_TILE nullptr
#endif

}  // namespace SB_TIER
}  // namespace sb

#define SB_QUANT_TABLE {sb::SB_TIER::activate, sb::SB_TIER::packed, sb::SB_TIER::dequantize, sb::SB_TIER::dot, SB_QUANT_TILE}
