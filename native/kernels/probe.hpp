/** @file The loops of the probe, compiled once a tier. Chains enough to hide the latency, none of them in memory. */
#pragma once
#include "probe.h"
#include "simd.h"

namespace sb {
namespace SB_TIER {

#if SB_W == 16 || defined(__aarch64__)
constexpr int kChains = 24;
#else
constexpr int kChains = 12;
#endif

/** Keeps the compiler from knowing a value, and from moving work across. */
template <class V> static inline void hide(V &v) {
#if defined(SB_EMULATE)
  asm volatile("" : "+m"(v));
#elif defined(__x86_64__)
  asm volatile("" : "+x"(v));
#else
  asm volatile("" : "+w"(v));
#endif
}

struct FmaStep {
  typedef vf Value;
  static constexpr double operations = 2.0 * SB_W;
  static inline vf step(vf acc, vf a, vf b) { return acc * a + b; }
};

#if defined(SB_DOT_X86)
struct Bf16Step {
  typedef vf Value;
  static constexpr double operations = 4.0 * SB_W;
  static inline vf step(vf acc, vf a, vf b) { return reinterpret_cast<vf>(_mm512_dpbf16_ps(reinterpret_cast<__m512>(acc), (__m512bh)a, (__m512bh)b)); }
};
struct Int8Step {
  typedef vi Value;
  static constexpr double operations = 8.0 * SB_W;
  static inline vi step(vi acc, vi a, vi b) { return (vi)_mm512_dpbusd_epi32((__m512i)acc, (__m512i)a, (__m512i)b); }
};
#elif defined(SB_DOT_NEON)
struct Bf16Step {
  typedef vf Value;
  static constexpr double operations = 32;
  static inline vf step(vf acc, vf a, vf b) { return reinterpret_cast<vf>(vbfmmlaq_f32(reinterpret_cast<float32x4_t>(acc), (bfloat16x8_t)a, (bfloat16x8_t)b)); }
};
struct Int8Step {
  typedef vi Value;
  static constexpr double operations = 64;
  static inline vi step(vi acc, vi a, vi b) { return (vi)vmmlaq_s32((int32x4_t)acc, (int8x16_t)a, (int8x16_t)b); }
};
#else
typedef FmaStep Bf16Step;
/** Multiply-add of bytes into pairs, pairs into i32; the value itself is an operand, or the compiler would do it once. */
struct Int8Step {
  typedef vi Value;
#if SB_W == 16
  static constexpr double operations = 128;
  static inline vi step(vi acc, vi a, vi b) {
    return acc + (vi)_mm512_madd_epi16(_mm512_maddubs_epi16((__m512i)(acc ^ a), (__m512i)b), _mm512_set1_epi16(1));
  }
#elif SB_W == 8
  static constexpr double operations = 64;
  static inline vi step(vi acc, vi a, vi b) {
    return acc + (vi)_mm256_madd_epi16(_mm256_maddubs_epi16((__m256i)(acc ^ a), (__m256i)b), _mm256_set1_epi16(1));
  }
#elif defined(__aarch64__)
  static constexpr double operations = 16;
  static inline vi step(vi acc, vi a, vi b) {
    return (vi)vpadalq_s16((int32x4_t)acc, vmull_s8(vget_low_s8((int8x16_t)(acc ^ a)), vget_low_s8((int8x16_t)b)));
  }
#else
  static constexpr double operations = 16;  // bytes already widened to 16 bits
  static inline vi step(vi acc, vi a, vi b) { return acc + (vi)_mm_madd_epi16((__m128i)(acc ^ a), (__m128i)b); }
#endif
};
#endif

template <class Step> static double chains(int64_t rounds) {
  typedef typename Step::Value V;
  V acc[kChains];
  // Bit patterns that are small numbers in every reading: f32 0.75, bf16 pairs, bytes.
  V a{}, b{};
  const float small = 0.75f;
  for (int i = 0; i < SB_W; i++) std::memcpy(reinterpret_cast<char *>(&a) + 4 * i, &small, 4), std::memcpy(reinterpret_cast<char *>(&b) + 4 * i, &small, 4);
  hide(a);
  hide(b);
#pragma GCC unroll 24
  for (int i = 0; i < kChains; i++) {
    acc[i] = a;
    hide(acc[i]);  // equal chains would be one
  }
  for (int64_t r = 0; r < rounds; r++)
#pragma GCC unroll 24
    for (int i = 0; i < kChains; i++) acc[i] = Step::step(acc[i], a, b);
#pragma GCC unroll 24
  for (int i = 0; i < kChains; i++) hide(acc[i]);
  return Step::operations * kChains * static_cast<double>(rounds);
}

static float read_all(const float *from, int64_t bytes) {
  vf sum[8] = {};
  const int64_t step = 8 * SB_W, count = bytes / 4;
  int64_t i = 0;
  for (; i + step <= count; i += step)
#pragma GCC unroll 8
    for (int j = 0; j < 8; j++) sum[j] += load(from + i + j * SB_W);
  float total = 0;
  for (int j = 0; j < 8; j++) total += lanes_sum(sum[j]);
  return total;
}
static void write_all(float *to, int64_t bytes, float value) {
  vf v = splat(value);
  for (int64_t i = 0; i < bytes / 4; i += SB_W) {
    hide(v);  // or it becomes a call of memset
    store(to + i, v);
  }
}
static void write_past(float *to, int64_t bytes, float value) {
#if defined(__x86_64__) && !defined(SB_EMULATE)
  const vf v = splat(value);
  for (int64_t i = 0; i < bytes / 4; i += SB_W) {
#if SB_W == 16
    _mm512_stream_ps(to + i, reinterpret_cast<__m512>(v));
#elif SB_W == 8
    _mm256_stream_ps(to + i, reinterpret_cast<__m256>(v));
#else
    _mm_stream_ps(to + i, reinterpret_cast<__m128>(v));
#endif
  }
  _mm_sfence();
#else
  write_all(to, bytes, value);
#endif
}
static void update_all(float *to, int64_t bytes) {
  for (int64_t i = 0; i < bytes / 4; i += SB_W) store(to + i, load(to + i) * 0.999f);
}

}  // namespace SB_TIER
}  // namespace sb

#define SB_PROBE_TABLE                                                                                                          \
  {                                                                                                                             \
    sb::SB_TIER::chains<sb::SB_TIER::FmaStep>, sb::SB_TIER::chains<sb::SB_TIER::Bf16Step>, sb::SB_TIER::chains<sb::SB_TIER::Int8Step>, \
        sb::SB_TIER::read_all, sb::SB_TIER::write_all, sb::SB_TIER::write_past, sb::SB_TIER::update_all                         \
  }
