/** @file Portable vectors: one source, compiled once a tier. The build sets SB_TIER (a namespace) and SB_W (floats a
 * vector: 4, 8 or 16) with the matching flags. GCC's vector extensions do the arithmetic; intrinsics only where they pay. */
#pragma once
#include <cstdint>
#include <cstring>

#if defined(SB_EMULATE)
#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>
#undef _mm512_madd_epi16  // SIMDe 0.7.4 gives this name the masked form's four arguments
#define _mm512_madd_epi16(a, b)                                                                                   \
  _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_madd_epi16(_mm512_castsi512_si256(a), _mm512_castsi512_si256(b))), \
                     _mm256_madd_epi16(_mm512_extracti64x4_epi64(a, 1), _mm512_extracti64x4_epi64(b, 1)), 1)
#elif defined(__x86_64__)
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC's own AVX-512 headers start from undefined vectors
#endif
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace sb {
namespace SB_TIER {

constexpr int W = SB_W;
typedef float vf __attribute__((vector_size(SB_W * 4)));
typedef float vfu __attribute__((vector_size(SB_W * 4), aligned(4)));
typedef int32_t vi __attribute__((vector_size(SB_W * 4)));
typedef uint32_t vu __attribute__((vector_size(SB_W * 4)));
typedef uint16_t vh __attribute__((vector_size(SB_W * 2)));
typedef uint16_t vhu __attribute__((vector_size(SB_W * 2), aligned(2)));

inline vf splat(float x) { return x - vf{}; }
inline vf load(const float *p) { return *reinterpret_cast<const vfu *>(p); }
inline void store(float *p, vf x) { *reinterpret_cast<vfu *>(p) = x; }

/** bf16 is the upper half of an f32. */
inline float widen(uint16_t x) {
  const uint32_t bits = static_cast<uint32_t>(x) << 16;
  float y;
  std::memcpy(&y, &bits, 4);
  return y;
}
/** Nearest, ties to even; NaN stays NaN. */
inline uint16_t narrow(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>((bits >> 16) | 0x40u);
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

inline vf load(const uint16_t *p) {  // bf16
#if SB_W == 8 && defined(__AVX2__)
  return reinterpret_cast<vf>(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i *>(p))), 16));
#else
  const vh half = *reinterpret_cast<const vhu *>(p);
  return reinterpret_cast<vf>(__builtin_convertvector(half, vu) << 16);
#endif
}
/** The bits of a bf16 in each lane. */
inline vu narrow(vf x) {
  const vu bits = reinterpret_cast<vu>(x);
  const vu rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  const vu nan = (bits >> 16) | 0x40u;
#if SB_W == 8 && defined(__AVX2__)
  const __m256 v = reinterpret_cast<__m256>(x);
  const __m256i no = _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q));
  return reinterpret_cast<vu>(_mm256_blendv_epi8(reinterpret_cast<__m256i>(rounded), reinterpret_cast<__m256i>(nan), no));
#else
  const vi is_nan = x != x;
  return (nan & reinterpret_cast<vu>(is_nan)) | (rounded & ~reinterpret_cast<vu>(is_nan));
#endif
}
inline void store(uint16_t *p, vf x) {  // bf16
  const vu y = narrow(x);
#if SB_W == 8 && defined(__AVX2__)
  const __m256i words = reinterpret_cast<__m256i>(y);  // two instructions fewer than the conversion
  _mm_storeu_si128(reinterpret_cast<__m128i *>(p), _mm_packus_epi32(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1)));
#else
  *reinterpret_cast<vhu *>(p) = __builtin_convertvector(y, vh);
#endif
}
inline float load1(const float *p) { return *p; }
inline float load1(const uint16_t *p) { return widen(*p); }
inline void store1(float *p, float x) { *p = x; }
inline void store1(uint16_t *p, float x) { *p = narrow(x); }

/** Sum of the lanes, always by halves: one order whatever the compiler. */
inline float lanes_sum(vf x) {
  float lane[SB_W];
  std::memcpy(lane, &x, sizeof lane);
  for (int half = SB_W / 2; half; half /= 2)
    for (int i = 0; i < half; i++) lane[i] += lane[i + half];
  return lane[0];
}
inline float lanes_max(vf x) {
  float lane[SB_W];
  std::memcpy(lane, &x, sizeof lane);
  for (int half = SB_W / 2; half; half /= 2)
    for (int i = 0; i < half; i++) lane[i] = lane[i] > lane[i + half] ? lane[i] : lane[i + half];
  return lane[0];
}
inline vf select(vi mask, vf yes, vf no) { return reinterpret_cast<vf>((mask & reinterpret_cast<vi>(yes)) | (~mask & reinterpret_cast<vi>(no))); }
/** a > b ? a : b, in one instruction where there is one that means just that. */
inline vf vmax(vf a, vf b) {
#if SB_W == 16
  return reinterpret_cast<vf>(_mm512_max_ps(reinterpret_cast<__m512>(a), reinterpret_cast<__m512>(b)));
#elif SB_W == 8
  return reinterpret_cast<vf>(_mm256_max_ps(reinterpret_cast<__m256>(a), reinterpret_cast<__m256>(b)));
#elif defined(__x86_64__)
  return reinterpret_cast<vf>(_mm_max_ps(reinterpret_cast<__m128>(a), reinterpret_cast<__m128>(b)));
#else
  return select(a > b, a, b);
#endif
}
inline vf vmin(vf a, vf b) { return select(a < b, a, b); }

}  // namespace SB_TIER
}  // namespace sb
