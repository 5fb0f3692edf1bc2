/** @file Register tiles: a panel of A times a panel of B, sums kept in registers. Compiled once a tier. */
#pragma once
#include "simd.h"

namespace sb {
namespace SB_TIER {

/* Rows and vectors of a tile, for the registers of the tier. avx2: 12 of 16 hold sums, two B, one the broadcast A: per
 * unit 12 FMA against 8 loads. avx512: 24 of 32, 24 FMA against 14 loads. */
#if SB_W == 16
constexpr int MR = 12, NV = 2;
#elif SB_W == 8
constexpr int MR = 6, NV = 2;
#elif defined(__aarch64__)
constexpr int MR = 8, NV = 2;
#else
constexpr int MR = 4, NV = 2;
#endif
constexpr int NR = NV * SB_W;

/** One unit: acc += a b. */
struct Fma {
  static inline vf step(vf acc, vf a, vf b) { return acc + a * b; }
};

#if defined(SB_DOT_X86)
struct Dot {
  static inline vf step(vf acc, vf a, vf b) {
    const __m512 old = reinterpret_cast<__m512>(acc);
    return reinterpret_cast<vf>(_mm512_dpbf16_ps(old, (__m512bh)a, (__m512bh)b));
  }
};
#elif defined(SB_DOT_NEON)
struct Dot {
  static inline vf step(vf acc, vf a, vf b) {
    return reinterpret_cast<vf>(vbfdotq_f32(reinterpret_cast<float32x4_t>(acc), (bfloat16x8_t)a, (bfloat16x8_t)b));
  }
};
#endif

/** Bits of one unit of A in all lanes: never through arithmetic, a pair of bf16 is not a number. */
static inline vf broadcast(const float *p) {
#if SB_W == 16
  return reinterpret_cast<vf>(_mm512_set1_epi32(*reinterpret_cast<const int32_t *>(p)));
#elif SB_W == 8
  return reinterpret_cast<vf>(_mm256_broadcast_ss(p));
#elif defined(__aarch64__)
  return reinterpret_cast<vf>(vld1q_dup_f32(p));
#else
  const float x = *p;
  return vf{x, x, x, x};
#endif
}

template <class Step, int R, int V>
static void tile_rows(int64_t units, const float *a, const float *b, float *c, bool add) {
  vf acc[R][V];
#pragma GCC unroll 16
  for (int r = 0; r < R; r++)
#pragma GCC unroll 4
    for (int v = 0; v < V; v++) acc[r][v] = add ? load(c + (r * V + v) * SB_W) : vf{};
#pragma GCC unroll 2
  for (int64_t u = 0; u < units; u++) {
    vf line[V];
#pragma GCC unroll 4
    for (int v = 0; v < V; v++) line[v] = load(b + v * SB_W);
#pragma GCC unroll 16
    for (int r = 0; r < R; r++) {
      const vf x = broadcast(a + r);
#pragma GCC unroll 4
      for (int v = 0; v < V; v++) acc[r][v] = Step::step(acc[r][v], x, line[v]);
    }
    a += MR;
    b += V * SB_W;
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; r++)
#pragma GCC unroll 4
    for (int v = 0; v < V; v++) store(c + (r * V + v) * SB_W, acc[r][v]);
}

/** Fewer rows have kernels of their own, so that a product with few or odd rows costs what it must. */
template <class Step, int V, int R = MR>
static inline void tile_any(int64_t units, const float *a, const float *b, float *c, int rows, bool add) {
  if constexpr (R > 0) {
    if (rows == R) tile_rows<Step, R, V>(units, a, b, c, add);
    else tile_any<Step, V, R - 1>(units, a, b, c, rows, add);
  }
}
template <class Step, int V>
static void tile(int64_t units, const float *a, const float *b, float *c, int rows, bool add) {
  tile_any<Step, V>(units, a, b, c, rows, add);
}

}  // namespace SB_TIER
}  // namespace sb
