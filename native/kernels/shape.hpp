/** @file Rows of f32 for reductions and shapes, one tier. */
#pragma once
#include "shape.h"
#include "view.hpp"

namespace sb {
namespace SB_TIER {

static void shape_move(View to, int64_t to_at, View source, int64_t source_at, int64_t n) { move_row(to, to_at, source, source_at, n); }
static const float *shape_read(View v, int64_t at, int64_t n, float *buffer) { return read_row(v, at, n, buffer); }
static void shape_commit(View v, int64_t at, int64_t n, const float *buffer) { commit_row(v, at, n, buffer); }

static double shape_sum(const float *x, int64_t n) {
  return total(n, [](vf a) { return a; }, x);
}
static double shape_sum_squares(const float *x, int64_t n) {
  return total(n, [](vf a) { return a * a; }, x);
}

/** Largest of the vectors; NaN wins. */
static inline vf max_or_nan(vf best, vf x) { return select((x > best) | (x != x), x, best); }

static float shape_max(const float *x, int64_t n) {
  const float lowest = -__builtin_inff();
  vf best = splat(lowest);
  int64_t i = 0;
  for (; i + W <= n; i += W) best = max_or_nan(best, load(x + i));
  float most = lowest;
  for (int lane = 0; lane < W; lane++) most = best[lane] > most || best[lane] != best[lane] ? best[lane] : most;
  for (; i < n; i++) most = x[i] > most || x[i] != x[i] ? x[i] : most;
  return most;
}

static void shape_add(float *y, const float *x, float factor, int64_t n) {
  const vf f = splat(factor);
  apply(n, y, [=](vf a, vf b) { return a + f * b; }, y, x);
}
static void shape_scale(float *y, const float *x, float factor, int64_t n) {
  const vf f = splat(factor);
  apply(n, y, [=](vf a) { return f * a; }, x);
}

/** Sum of e^(x - most), in f64 over blocks; writes the exponentials when y is given. */
static double exponentials(float *y, const float *x, float most, int64_t n) {
  double sum = 0;
  const vf m = splat(most);
  int64_t i = 0;
  while (i + W <= n) {
    const int64_t end = n - i > 2048 ? i + 2048 : i + (n - i) / W * W;
    vf s{};
    for (; i < end; i += W) {
      const vf e = vexp(load(x + i) - m);
      if (y) store(y + i, e);
      s += e;
    }
    sum += static_cast<double>(lanes_sum(s));
  }
  if (i < n) {
    const vf e = vexp(load_part(x + i, n - i) - m);
    if (y) store_part(y + i, e, n - i);
    for (int64_t lane = 0; lane < n - i; lane++) sum += static_cast<double>(e[lane]);
  }
  return sum;
}

/** All -Infinity: softmax is NaN as IEEE has it (0/0), the log sum -Infinity. */
static void shape_softmax(float *y, const float *x, int64_t n) {
  const double sum = exponentials(y, x, shape_max(x, n), n);
  shape_scale(y, y, static_cast<float>(1.0 / sum), n);
}
static void shape_softmax_backward(float *dx, const float *dy, const float *y, int64_t n) {
  const vf dot = splat(static_cast<float>(total(n, [](vf a, vf b) { return a * b; }, dy, y)));
  apply(n, dx, [=](vf a, vf b) { return b * (a - dot); }, dy, y);
}
static double shape_log_sum_exp(const float *x, int64_t n) {
  const float most = shape_max(x, n), infinity = __builtin_inff();
  if (most == infinity || most == -infinity || most != most) return most;
  return static_cast<double>(most) + __builtin_log(exponentials(nullptr, x, most, n));
}
static void shape_minus_softmax(float *dx, const float *x, double log_sum, float factor, int64_t n) {
  // In two parts, so that a large sum keeps its fraction.
  const float high = static_cast<float>(log_sum), low = __builtin_isfinite(high) ? static_cast<float>(log_sum - high) : 0.0f;
  const vf h = splat(high), l = splat(low), f = splat(-factor);
  apply(n, dx, [=](vf a) { return f * vexp((a - h) - l); }, x);
}
static void shape_normalize_backward(float *dx, const float *dy, const float *y, float norm, int64_t n) {
  const vf dot = splat(static_cast<float>(total(n, [](vf a, vf b) { return a * b; }, dy, y))), d = splat(norm);
  apply(n, dx, [=](vf a, vf b) { return (a - b * dot) / d; }, dy, y);
}

static void shape_transpose(View y, View x, int64_t a, int64_t b, int64_t begin, int64_t end) {
  constexpr int64_t tile = 32;
  float from[tile][tile], to[tile][tile];
  for (int64_t i = 0; i < a; i += tile) {
    const int64_t height = a - i < tile ? a - i : tile;
    for (int64_t j = begin; j < end; j += tile) {
      const int64_t width = end - j < tile ? end - j : tile;
      for (int64_t r = 0; r < height; r++) widen_to(from[r], x, (i + r) * b + j, width);
      for (int64_t c = 0; c < width; c++)
        for (int64_t r = 0; r < height; r++) to[c][r] = from[r][c];
      for (int64_t c = 0; c < width; c++) narrow_from(to[c], y, (j + c) * a + i, height);
    }
  }
}

static int64_t shape_find_above(const float *x, int64_t begin, int64_t n, float limit) {
  const vf l = splat(limit);
  int64_t i = begin;
  for (; i + 4 * W <= n; i += 4 * W) {
    const vi any = (load(x + i) > l) | (load(x + i + W) > l) | (load(x + i + 2 * W) > l) | (load(x + i + 3 * W) > l);
    int64_t words[sizeof(vi) / 8];
    std::memcpy(words, &any, sizeof any);
    int64_t hit = 0;
    for (const int64_t word : words) hit |= word;
    if (hit) break;
  }
  for (; i < n; i++)
    if (x[i] > limit) return i;
  return n;
}

}  // namespace SB_TIER

extern const ShapeTable SB_JOIN(shape, SB_TIER);
const ShapeTable SB_JOIN(shape, SB_TIER) = {
    SB_TIER::shape_move, SB_TIER::shape_read, SB_TIER::shape_commit, SB_TIER::shape_sum, SB_TIER::shape_sum_squares, SB_TIER::shape_max,
    SB_TIER::shape_add, SB_TIER::shape_scale, SB_TIER::shape_softmax, SB_TIER::shape_softmax_backward, SB_TIER::shape_log_sum_exp,
    SB_TIER::shape_minus_softmax, SB_TIER::shape_normalize_backward, SB_TIER::shape_transpose, SB_TIER::shape_find_above};
}  // namespace sb
