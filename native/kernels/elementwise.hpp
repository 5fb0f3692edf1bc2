/** @file Elementwise kernels of a tier: bodies over blocks of f32, and the loop that brings any types to them. */
#pragma once
#include "elementwise.h"
#include "view.hpp"

namespace sb {
namespace SB_TIER {

using In = const float *const *;
using Out = float *const *;
/** n is a multiple of the vector; `at` is the index of the first element. */
typedef void (*Body)(In in, Out out, int64_t n, int64_t at, const double *p);

#define SB_MAP1(name, expression)                                                   \
  static void name(In in, Out out, int64_t n, int64_t, const double *) {            \
    for (int64_t i = 0; i < n; i += W) {                                            \
      const vf x = load(in[0] + i);                                                 \
      store(out[0] + i, expression);                                                \
    }                                                                               \
  }
#define SB_MAP2(name, expression)                                                   \
  static void name(In in, Out out, int64_t n, int64_t, const double *) {            \
    for (int64_t i = 0; i < n; i += W) {                                            \
      const vf a = load(in[0] + i), b = load(in[1] + i);                            \
      store(out[0] + i, expression);                                                \
    }                                                                               \
  }

/** geluTanh(x) = x * sigmoid(2u), u = sqrt(2/pi) (x + 0.044715 x^3): no cancellation on the left. */
static inline vf gelu_gate(vf x) { return vsigmoid(1.5957691216f * x * (1.0f + 0.044715f * x * x)); }
static inline vf gelu_tanh(vf x) { return x * gelu_gate(x); }
static inline vf gelu_tanh_slope(vf x) {
  const vf s = gelu_gate(x), du = 1.5957691216f * (1.0f + 3.0f * 0.044715f * x * x);
  return s + x * s * (1.0f - s) * du;
}
static inline vf silu_slope(vf x) {
  const vf s = vsigmoid(x);
  return s * (1.0f + x * (1.0f - s));
}

SB_MAP1(map_neg, -x)
SB_MAP1(map_exp, vexp(x))
SB_MAP1(map_log, vlog(x))
SB_MAP1(map_sqrt, vsqrt(x))
SB_MAP1(map_square, x *x)
SB_MAP1(map_reciprocal, 1.0f / x)
SB_MAP1(map_tanh, vtanh(x))
SB_MAP1(map_sigmoid, vsigmoid(x))
SB_MAP1(map_relu, select(x <= vf{}, vf{}, x))
SB_MAP1(map_silu, x *vsigmoid(x))
SB_MAP1(map_gelu, x *vnormal(x))
SB_MAP1(map_gelu_tanh, gelu_tanh(x))
SB_MAP2(map_relu_backward, select(b > vf{}, a, vf{}))
SB_MAP2(map_silu_backward, a *silu_slope(b))
SB_MAP2(map_gelu_backward, a *(vnormal(b) + b * vnormal_density(b)))
SB_MAP2(map_gelu_tanh_backward, a *gelu_tanh_slope(b))
SB_MAP2(map_add, a + b)
SB_MAP2(map_sub, a - b)
SB_MAP2(map_mul, a *b)
SB_MAP2(map_div, a / b)
SB_MAP2(map_swiglu, a *vsigmoid(a) * b)
SB_MAP2(map_geglu, gelu_tanh(a) * b)

static void map_scale(In in, Out out, int64_t n, int64_t, const double *p) {
  const vf factor = splat(static_cast<float>(p[0])), offset = splat(static_cast<float>(p[1]));
  for (int64_t i = 0; i < n; i += W) store(out[0] + i, factor * load(in[0] + i) + offset);
}
static void map_times(In in, Out out, int64_t n, int64_t, const double *p) {
  const vf factor = splat(static_cast<float>(p[0]));
  for (int64_t i = 0; i < n; i += W) store(out[0] + i, factor * load(in[0] + i));
}
static void map_swiglu_backward(In in, Out out, int64_t n, int64_t, const double *) {
  for (int64_t i = 0; i < n; i += W) {
    const vf dy = load(in[0] + i), gate = load(in[1] + i), up = load(in[2] + i), s = vsigmoid(gate);
    store(out[0] + i, dy * up * s * (1.0f + gate * (1.0f - s)));
    store(out[1] + i, dy * gate * s);
  }
}
static void map_geglu_backward(In in, Out out, int64_t n, int64_t, const double *) {
  for (int64_t i = 0; i < n; i += W) {
    const vf dy = load(in[0] + i), gate = load(in[1] + i), up = load(in[2] + i);
    store(out[0] + i, dy * up * gelu_tanh_slope(gate));
    store(out[1] + i, dy * gelu_tanh(gate));
  }
}

/** The counter-based hash of dropout.ts: element index, seed and stream to 32 bits. p: seed, stream. */
static inline vu hash_at(int64_t at, const double *p) {
  const uint32_t seed = static_cast<uint32_t>(static_cast<int64_t>(p[0])), stream = static_cast<uint32_t>(static_cast<int64_t>(p[1]));
  const uint32_t mixed = seed * 0x85EBCA77u + stream * 0xC2B2AE3Du + static_cast<uint32_t>(at >> 32) * 0x27D4EB2Fu;
  vu x;
  for (int i = 0; i < W; i++) x[i] = static_cast<uint32_t>(at) + static_cast<uint32_t>(i);
  x = x * 0x9E3779B1u ^ (mixed << 15 | mixed >> 17);
  x ^= x >> 16;
  x *= 0x7FEB352Du;
  x ^= x >> 15;
  x *= 0x846CA68Bu;
  return x ^ x >> 16;
}
static void map_dropout(In in, Out out, int64_t n, int64_t at, const double *p) {  // p[2]: rate
  const double limit = p[2] * 4294967296.0;
  const vf keep = splat(static_cast<float>(1.0 - p[2]));
  const uint64_t whole = limit <= 0 ? 0 : static_cast<uint64_t>(limit);
  const uint64_t least = whole + (static_cast<double>(whole) < limit ? 1 : 0);
  for (int64_t i = 0; i < n; i += W) {
    const vi kept = least > 0xffffffffu ? vi{} : reinterpret_cast<vi>(hash_at(at + i, p) >= static_cast<uint32_t>(least));
    store(out[0] + i, select(kept, load(in[0] + i) / keep, vf{}));
  }
}
static void map_noise(In in, Out out, int64_t n, int64_t at, const double *p) {  // p[2]: magnitude
  const vf magnitude = splat(static_cast<float>(p[2]));
  for (int64_t i = 0; i < n; i += W) {
    const vi centred = reinterpret_cast<vi>(hash_at(at + i, p) ^ 0x80000000u);  // hash - 2^31
    store(out[0] + i, load(in[0] + i) + magnitude * (__builtin_convertvector(centred, vf) * 4.656612873e-10f));
  }
}

/** p: gradScale, beta1, beta2, eps, learning rate / bias1, 1 / sqrt(bias2), 1 - rate * decay */
static void map_adamw(In in, Out out, int64_t n, int64_t, const double *p) {
  const vf grad_scale = splat(static_cast<float>(p[0])), beta1 = splat(static_cast<float>(p[1])), beta2 = splat(static_cast<float>(p[2]));
  const vf rest1 = splat(static_cast<float>(1 - p[1])), rest2 = splat(static_cast<float>(1 - p[2])), eps = splat(static_cast<float>(p[3]));
  const vf rate = splat(static_cast<float>(p[4])), unbias = splat(static_cast<float>(p[5])), keep = splat(static_cast<float>(p[6]));
  for (int64_t i = 0; i < n; i += W) {
    const vf g = load(in[1] + i) * grad_scale;
    const vf m = beta1 * load(in[2] + i) + rest1 * g, v = beta2 * load(in[3] + i) + rest2 * g * g;
    const vf updated = keep * load(in[0] + i) - rate * m / (vsqrt(v) * unbias + eps);
    store(out[0] + i, updated);
    store(out[1] + i, m);
    store(out[2] + i, v);
    if (out[3]) store(out[3] + i, updated);
  }
}

struct Entry {
  Body body;
  int in, out;
};
static const Entry entries[kMaps] = {
    {map_neg, 1, 1}, {map_exp, 1, 1}, {map_log, 1, 1}, {map_sqrt, 1, 1}, {map_square, 1, 1}, {map_reciprocal, 1, 1},
    {map_tanh, 1, 1}, {map_sigmoid, 1, 1}, {map_relu, 1, 1}, {map_silu, 1, 1}, {map_gelu, 1, 1}, {map_gelu_tanh, 1, 1},
    {map_relu_backward, 2, 1}, {map_silu_backward, 2, 1}, {map_gelu_backward, 2, 1}, {map_gelu_tanh_backward, 2, 1},
    {map_scale, 1, 1}, {map_times, 1, 1}, {map_add, 2, 1}, {map_sub, 2, 1}, {map_mul, 2, 1}, {map_div, 2, 1},
    {map_swiglu, 2, 1}, {map_geglu, 2, 1}, {map_swiglu_backward, 3, 2}, {map_geglu_backward, 3, 2},
    {map_dropout, 1, 1}, {map_noise, 1, 1}, {map_adamw, 4, 4}};

/** The last elements that do not fill a vector go through padded copies: each element is computed alike wherever it lies. */
static void run_tail(const Entry &e, const View *in, const View *out, int64_t at, int64_t n, const double *p) {
  alignas(64) float from[4][SB_W] = {}, to[4][SB_W];
  const float *source[4];
  float *target[4] = {};
  for (int k = 0; k < e.in; k++) widen_to(from[k], in[k], at, n), source[k] = from[k];
  for (int k = 0; k < e.out; k++) target[k] = out[k].data ? to[k] : nullptr;
  e.body(source, target, W, at, p);
  for (int k = 0; k < e.out; k++)
    if (out[k].data) narrow_from(to[k], out[k], at, n);
}

static void run_map(int map, const View *in, const View *out, int64_t begin, int64_t end, const double *p) {
  const Entry &e = entries[map];
  alignas(64) float from[4][kBlock], to[4][kBlock];
  const float *source[4];
  float *target[4] = {};
  for (int64_t at = begin; at < end; at += kBlock) {
    const int64_t n = end - at < kBlock ? end - at : kBlock, full = n / W * W;
    if (full) {
      for (int k = 0; k < e.in; k++) source[k] = read_row(in[k], at, full, from[k]);
      for (int k = 0; k < e.out; k++) target[k] = out[k].data ? open_row(out[k], at, to[k]) : nullptr;
      e.body(source, target, full, at, p);
      for (int k = 0; k < e.out; k++)
        if (out[k].data) commit_row(out[k], at, full, to[k]);
    }
    if (full < n) run_tail(e, in, out, at + full, n - full, p);
  }
}

static void run_fill(View to, int64_t begin, int64_t end, double value) {
  char one[4];
  if (to.type == SB_I32) {
    const int32_t whole = value != value ? 0 : value >= 2147483647.0 ? INT32_MAX : value <= -2147483648.0 ? INT32_MIN : static_cast<int32_t>(value);
    std::memcpy(one, &whole, 4);
  } else {
    const float x = static_cast<float>(value);
    const uint16_t half = narrow(x);
    if (to.type == SB_F32) std::memcpy(one, &x, 4);
    else std::memcpy(one, &half, 2);
  }
  const size_t width = static_cast<size_t>(width_of(to.type));
  for (int64_t i = begin; i < end; i++) std::memcpy(to.data + static_cast<size_t>(i) * width, one, width);
}

static void run_move(View to, int64_t to_at, View source, int64_t source_at, int64_t n) { move_row(to, to_at, source, source_at, n); }

}  // namespace SB_TIER

extern const ElementwiseTable SB_JOIN(elementwise, SB_TIER);
const ElementwiseTable SB_JOIN(elementwise, SB_TIER) = {SB_TIER::run_map, SB_TIER::run_move, SB_TIER::run_fill};
}  // namespace sb
