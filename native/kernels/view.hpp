/** @file Tier code's way through memory: any operand becomes blocks or rows of f32 in cache, so that every kernel's
 * arithmetic is written once, for f32, and not once a combination of types. */
#pragma once
#include "math.hpp"
#include "tier.h"

namespace sb {
namespace SB_TIER {

constexpr int64_t kBlock = 512;  // floats: all operands of a block lie in the first-level cache

static inline int64_t width_of(int type) { return type == SB_F32 || type == SB_I32 ? 4 : 2; }

static inline vf load_part(const float *p, int64_t n) {
  vf x{};
  std::memcpy(&x, p, static_cast<size_t>(n) * 4);
  return x;
}
static inline void store_part(float *p, vf x, int64_t n) { std::memcpy(p, &x, static_cast<size_t>(n) * 4); }

static inline vf half_to_float(vu h) {
  const vu magnitude = (h & 0x7fffu) << 13;
  // 2^112 moves the exponent's bias from 15 to 127, subnormals included.
  const vf scaled = reinterpret_cast<vf>(magnitude) * 5.192296858534828e33f;
  const vi special = reinterpret_cast<vi>(magnitude >= 0x0f800000u);
  const vu bits = (reinterpret_cast<vu>(scaled) & ~reinterpret_cast<vu>(special)) | ((magnitude | 0x7f800000u) & reinterpret_cast<vu>(special));
  return reinterpret_cast<vf>(bits | ((h & 0x8000u) << 16));
}
static inline float half_one(uint16_t h) {
#if defined(__F16C__)
  return _cvtsh_ss(h);
#else
  vu x{};
  x[0] = h;
  return half_to_float(x)[0];
#endif
}
/** W small whole numbers. */
static inline vf load_bytes(const int8_t *p) {
#if SB_W == 16 && !defined(SB_EMULATE)
  return reinterpret_cast<vf>(_mm512_maskz_cvtepi32_ps(0xffff, _mm512_maskz_cvtepi8_epi32(0xffff, _mm_loadu_si128(reinterpret_cast<const __m128i *>(p)))));
#elif SB_W == 8
  return reinterpret_cast<vf>(_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i *>(p)))));
#else
  typedef int8_t bytes __attribute__((vector_size(SB_W)));
  bytes part;
  std::memcpy(&part, p, sizeof part);
  return __builtin_convertvector(__builtin_convertvector(part, vi), vf);
#endif
}
static inline vu float_to_half(vf x) {
  const vu w = reinterpret_cast<vu>(x), sign = (w >> 16) & 0x8000u, doubled = w + w;
  const vf magnitude = reinterpret_cast<vf>(w & 0x7fffffffu);
  vf base = magnitude * 5.192296858534828e33f * 7.703719777548943e-34f;  // too large becomes infinity, then 2^-110
  vu bias = doubled & 0xff000000u;
  const vu low = reinterpret_cast<vu>(bias < 0x71000000u);
  bias = (bias & ~low) | (0x71000000u & low);
  base = reinterpret_cast<vf>((bias >> 1) + 0x07800000u) + base;
  const vu bits = reinterpret_cast<vu>(base), value = ((bits >> 13) & 0x7c00u) + (bits & 0x0fffu);
  const vu nan = reinterpret_cast<vu>(doubled > 0xff000000u);
  return sign | (value & ~nan) | (0x7e00u & nan);
}
static inline vi to_whole(vf x) {  // truncates, saturates, NaN becomes 0
  const vf kept = select((x > splat(-2147483648.0f)) & (x < splat(2147483648.0f)), x, vf{});
  const vi whole = __builtin_convertvector(kept, vi);
  const vi high = x >= splat(2147483648.0f), low = x <= splat(-2147483648.0f);
  return (whole & ~(high | low)) | (isplat(0x7fffffff) & high) | (isplat(static_cast<int32_t>(0x80000000)) & low);
}

static inline vf load_as(const char *p, int type) {
  if (type == SB_F32) return load(reinterpret_cast<const float *>(p));
  if (type == SB_BF16) return load(reinterpret_cast<const uint16_t *>(p));
  if (type == SB_I32) {
    vi x;
    std::memcpy(&x, p, sizeof x);
    return __builtin_convertvector(x, vf);
  }
#if SB_W == 8 && defined(__F16C__)
  return reinterpret_cast<vf>(_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i *>(p))));
#elif SB_W == 16 && !defined(SB_EMULATE)
  return reinterpret_cast<vf>(_mm512_maskz_cvtph_ps(0xffff, _mm256_loadu_si256(reinterpret_cast<const __m256i *>(p))));
#else
  const vh half = *reinterpret_cast<const vhu *>(p);
  return half_to_float(__builtin_convertvector(half, vu));
#endif
}
static inline void store_as(char *p, int type, vf x) {
  if (type == SB_F32) return store(reinterpret_cast<float *>(p), x);
  if (type == SB_BF16) return store(reinterpret_cast<uint16_t *>(p), x);
  if (type == SB_I32) {
    const vi whole = to_whole(x);
    std::memcpy(p, &whole, sizeof whole);
    return;
  }
  *reinterpret_cast<vhu *>(p) = __builtin_convertvector(float_to_half(x), vh);
}

/** The type is chosen outside the loops. */
template <int type>
static inline void widen_typed(float *to, const char *p, int64_t n) {
  const int64_t width = type == SB_F32 || type == SB_I32 ? 4 : 2;
  int64_t i = 0;
  for (; i + W <= n; i += W) store(to + i, load_as(p + i * width, type));
  if (i < n) {
    char part[SB_W * 4] = {};
    std::memcpy(part, p + i * width, static_cast<size_t>((n - i) * width));
    store_part(to + i, load_as(part, type), n - i);
  }
}
template <int type>
static inline void narrow_typed(const float *x, char *p, int64_t n) {
  const int64_t width = type == SB_F32 || type == SB_I32 ? 4 : 2;
  int64_t i = 0;
  for (; i + W <= n; i += W) store_as(p + i * width, type, load(x + i));
  if (i < n) {
    char part[SB_W * 4];
    store_as(part, type, load_part(x + i, n - i));
    std::memcpy(p + i * width, part, static_cast<size_t>((n - i) * width));
  }
}

/** Widens n elements to f32. */
static void widen_to(float *to, View v, int64_t at, int64_t n) {
  const char *p = v.data + at * width_of(v.type);
  if (v.type == SB_BF16) widen_typed<SB_BF16>(to, p, n);
  else if (v.type == SB_F32) std::memcpy(to, p, static_cast<size_t>(n) * 4);
  else if (v.type == SB_F16) widen_typed<SB_F16>(to, p, n);
  else widen_typed<SB_I32>(to, p, n);
}
static void narrow_from(const float *x, View v, int64_t at, int64_t n) {
  char *p = v.data + at * width_of(v.type);
  if (v.type == SB_BF16) narrow_typed<SB_BF16>(x, p, n);
  else if (v.type == SB_F32) std::memmove(p, x, static_cast<size_t>(n) * 4);
  else if (v.type == SB_F16) narrow_typed<SB_F16>(x, p, n);
  else narrow_typed<SB_I32>(x, p, n);
}

/** Whole vectors past the caches, so that no line is read only to be overwritten. The pool's counters are locked
 * instructions: they make these stores visible before a chunk counts as done. */
static void stream_from(const float *x, View v, int64_t at, int64_t n) {
  [[maybe_unused]] char *p = v.data + at * width_of(v.type);
  int64_t i = 0;
#if SB_W == 8 && defined(__AVX2__)
  if (reinterpret_cast<uintptr_t>(p) % 32 == 0) {
    if (v.type == SB_F32) {
      for (; i + W <= n; i += W) _mm256_stream_ps(reinterpret_cast<float *>(p) + i, reinterpret_cast<__m256>(load(x + i)));
    } else if (v.type == SB_BF16) {
      for (; i + 2 * W <= n; i += 2 * W) {
        const __m256i low = reinterpret_cast<__m256i>(narrow(load(x + i))), high = reinterpret_cast<__m256i>(narrow(load(x + i + W)));
        _mm256_stream_si256(reinterpret_cast<__m256i *>(p + 2 * i), _mm256_permute4x64_epi64(_mm256_packus_epi32(low, high), 0xd8));
      }
    }
  }
#elif SB_W == 16 && !defined(SB_EMULATE)
  if (reinterpret_cast<uintptr_t>(p) % 64 == 0) {
    if (v.type == SB_F32) {
      for (; i + W <= n; i += W) _mm512_stream_ps(reinterpret_cast<float *>(p) + i, reinterpret_cast<__m512>(load(x + i)));
    } else if (v.type == SB_BF16) {
      for (; i + 2 * W <= n; i += 2 * W) {
        uint16_t line[2 * SB_W] __attribute__((aligned(64)));
        store(line, load(x + i));
        store(line + W, load(x + i + W));
        _mm512_stream_si512(reinterpret_cast<__m512i *>(p + 2 * i), _mm512_load_si512(line));
      }
    }
  }
#endif
  if (i < n) narrow_from(x + i, v, at + i, n - i);
}
static inline void fetch_ahead(View v, int64_t at, int64_t n) {
  const char *p = v.data + (at + n) * width_of(v.type);
  for (int64_t i = 0; i < n * width_of(v.type); i += 64) __builtin_prefetch(p + i);
}

/** n elements as f32: where they lie if they are f32, else widened into `buffer`. */
static inline const float *read_row(View v, int64_t at, int64_t n, float *buffer) {
  if (v.stream) fetch_ahead(v, at, n);
  if (v.type == SB_F32) return reinterpret_cast<const float *>(v.data) + at;
  widen_to(buffer, v, at, n);
  return buffer;
}
/** Where to write n f32 so that `commit_row` can bring them to the view. */
static inline float *open_row(View v, int64_t at, float *buffer) {
  return v.type == SB_F32 && !v.stream ? reinterpret_cast<float *>(v.data) + at : buffer;
}
static inline void commit_row(View v, int64_t at, int64_t n, const float *buffer) {
  if (v.stream) stream_from(buffer, v, at, n);
  else if (v.type != SB_F32) narrow_from(buffer, v, at, n);
}

/** Copies n elements, changing the type where it differs. */
static inline void move_row(View to, int64_t to_at, View source, int64_t source_at, int64_t n) {
  const int64_t width = width_of(source.type);
  if (to.type == source.type) {
    std::memmove(to.data + to_at * width, source.data + source_at * width, static_cast<size_t>(n * width));
    return;
  }
  float buffer[kBlock];
  for (int64_t i = 0; i < n; i += kBlock) {
    const int64_t count = n - i < kBlock ? n - i : kBlock;
    widen_to(buffer, source, source_at + i, count);
    narrow_from(buffer, to, to_at + i, count);
  }
}

/** y[i] = f(a[i], b[i], ...) */
template <class F, class... A>
static inline void apply(int64_t n, float *y, F f, const A *...a) {
  int64_t i = 0;
  for (; i + W <= n; i += W) store(y + i, f(load(a + i)...));
  if (i < n) store_part(y + i, f(load_part(a + i, n - i)...), n - i);
}
/** Sum of f(a[i], ...) where f of zeros is 0: vectors over a block in f32, blocks in f64. */
template <class F, class... A>
static inline double total(int64_t n, F f, const A *...a) {
  double sum = 0;
  int64_t i = 0;
  while (i < n) {
    const int64_t end = n - i > 2048 ? i + 2048 : n;
    vf s0{}, s1{}, s2{}, s3{};
    for (; i + 4 * W <= end; i += 4 * W) {
      s0 += f(load(a + i)...);
      s1 += f(load(a + i + W)...);
      s2 += f(load(a + i + 2 * W)...);
      s3 += f(load(a + i + 3 * W)...);
    }
    for (; i + W <= end; i += W) s0 += f(load(a + i)...);
    if (i < end) {
      s1 += f(load_part(a + i, end - i)...);
      i = end;
    }
    sum += static_cast<double>(lanes_sum((s0 + s1) + (s2 + s3)));
  }
  return sum;
}

}  // namespace SB_TIER
}  // namespace sb
