/** @file RMS and layer norm, RoPE: rows of f32, one tier. */
#pragma once
#include "norm.h"
#include "view.hpp"

namespace sb {
namespace SB_TIER {

static const float *norm_read(View v, int64_t at, int64_t n, float *buffer) { return read_row(v, at, n, buffer); }
static void norm_commit(View v, int64_t at, int64_t n, const float *buffer) { commit_row(v, at, n, buffer); }
static void norm_add(float *y, const float *x, int64_t n) {
  apply(n, y, [](vf a, vf b) { return a + b; }, y, x);
}

static float norm_rms(float *y, const float *x, const float *w, float offset, double eps, int64_t n) {
  const double squares = total(n, [](vf a) { return a * a; }, x);
  const float rstd = static_cast<float>(1.0 / __builtin_sqrt(squares / static_cast<double>(n) + eps));
  const vf r = splat(rstd), o = splat(offset);
  apply(n, y, [=](vf a, vf b) { return a * r * (o + b); }, x, w);
  return rstd;
}

static void norm_rms_backward(float *dx, float *dw, const float *dy, const float *x, const float *w, const float *residual, float rstd, float offset, int64_t n) {
  const vf r = splat(rstd), o = splat(offset);
  const double dot = total(n, [=](vf g, vf a, vf b) { return g * (o + b) * a; }, dy, x, w);
  const vf back = splat(static_cast<float>(dot * rstd * rstd * rstd / static_cast<double>(n)));
  // dw first: dx may be the memory of x or dy.
  if (dw) apply(n, dw, [=](vf sum, vf g, vf a) { return sum + g * (a * r); }, dw, dy, x);
  if (residual) apply(n, dx, [=](vf g, vf a, vf b, vf e) { return r * (g * (o + b)) - a * back + e; }, dy, x, w, residual);
  else apply(n, dx, [=](vf g, vf a, vf b) { return r * (g * (o + b)) - a * back; }, dy, x, w);
}

static void norm_layer(float *y, const float *x, const float *w, const float *b, double eps, int64_t n, float *mean, float *rstd) {
  const double middle = total(n, [](vf a) { return a; }, x) / static_cast<double>(n);
  const vf m = splat(static_cast<float>(middle));
  // Padding lanes of the tail would count as (0 - mean)^2, so the variance is summed from the centred row in y.
  apply(n, y, [=](vf a) { return a - m; }, x);
  const double variance = total(n, [](vf a) { return a * a; }, y) / static_cast<double>(n);
  *mean = static_cast<float>(middle);
  *rstd = static_cast<float>(1.0 / __builtin_sqrt(variance + eps));
  const vf r = splat(*rstd);
  apply(n, y, [=](vf a, vf g, vf h) { return a * r * g + h; }, y, w, b);
}

static void norm_layer_backward(float *dx, float *dw, float *db, const float *dy, const float *x, const float *w, const float *residual, float mean, float rstd, int64_t n) {
  const vf m = splat(mean), r = splat(rstd);
  const double count = static_cast<double>(n);
  const double sum = total(n, [](vf g, vf b) { return g * b; }, dy, w);
  const double dot = total(n, [=](vf g, vf b, vf a) { return g * b * (a - m); }, dy, w, x) * rstd;  // g is 0 in padding
  const vf mid = splat(static_cast<float>(sum / count)), back = splat(static_cast<float>(dot / count));
  if (dw) apply(n, dw, [=](vf s, vf g, vf a) { return s + g * ((a - m) * r); }, dw, dy, x);
  if (db) norm_add(db, dy, n);
  const auto slope = [=](vf g, vf a, vf b) { return r * (g * b - mid - (a - m) * r * back); };
  if (residual) apply(n, dx, [=](vf g, vf a, vf b, vf e) { return slope(g, a, b) + e; }, dy, x, w, residual);
  else apply(n, dx, slope, dy, x, w);
}

/** Cosines and sines of position * turns[j] revolutions: reduced in f64 (exact to 1e-7 for any position), then f32
 * polynomials on an eighth of a turn. The loops are plain so that the compiler vectorises both widths. */
static void rope_angles(float *cosines, float *sines, const RopePlan &plan, double position) {
  const int64_t pairs = plan.rotated / 2;
  const double magic = 6755399441055744.0;  // 1.5 * 2^52: adding it rounds to a whole number
  for (int64_t j = 0; j < pairs; j++) {
    const double turn = position * plan.turns[j];
    const double part = turn - ((turn + magic) - magic);      // -0.5 .. 0.5
    const double quarter = (part * 4 + magic) - magic;          // -2 .. 2
    cosines[j] = static_cast<float>(quarter);
    sines[j] = static_cast<float>((part - quarter * 0.25) * 6.283185307179586);
  }
  const vf magnitude = splat(plan.magnitude), turned = splat(plan.magnitude * plan.sign);
  const auto both = [=](vf q, vf r, vf *cosine, vf *sine) {
    const vf z = r * r;
    const vf s = r + r * z * (-1.6666654611e-1f + z * (8.3321608736e-3f + z * -1.9515295891e-4f));
    const vf c = 1.0f - 0.5f * z + z * z * (4.166664568298827e-2f + z * (-1.388731625493765e-3f + z * 2.443315711809948e-5f));
    const vi odd = (q == splat(1.0f)) | (q == splat(-1.0f));
    const vi flip_c = (q == splat(1.0f)) | (q == splat(2.0f)) | (q == splat(-2.0f));
    const vi flip_s = (q == splat(-1.0f)) | (q == splat(2.0f)) | (q == splat(-2.0f));
    const vf cc = select(odd, s, c), ss = select(odd, c, s);
    *cosine = magnitude * select(flip_c, -cc, cc);
    *sine = turned * select(flip_s, -ss, ss);
  };
  for (int64_t j = 0; j < pairs; j += W) {
    vf c, s;
    const int64_t n = pairs - j < W ? pairs - j : W;
    both(load_part(cosines + j, n), load_part(sines + j, n), &c, &s);
    store_part(cosines + j, c, n);
    store_part(sines + j, s, n);
  }
}

static void rope_head(float *y, const float *x, const RopePlan &plan, const float *cosines, const float *sines) {
  const int64_t half = plan.rotated / 2;
  if (plan.interleaved) {
    for (int64_t j = 0; j < half; j++) {
      const float a = x[2 * j], b = x[2 * j + 1], c = cosines[j], s = sines[j];
      y[2 * j] = a * c - b * s;
      y[2 * j + 1] = b * c + a * s;
    }
  } else {
    int64_t j = 0;
    for (; j + W <= half; j += W) {
      const vf a = load(x + j), b = load(x + half + j), c = load(cosines + j), s = load(sines + j);
      store(y + j, a * c - b * s);
      store(y + half + j, b * c + a * s);
    }
    for (; j < half; j++) {
      const float a = x[j], b = x[half + j];
      y[j] = a * cosines[j] - b * sines[j];
      y[half + j] = b * cosines[j] + a * sines[j];
    }
  }
  if (x != y)
    for (int64_t j = plan.rotated; j < plan.width; j++) y[j] = x[j];
}

static void norm_rope(View y, View x, int64_t token, int32_t position, const RopePlan &plan, float *angles, float *buffer) {
  float *cosines = angles, *sines = angles + plan.rotated;
  rope_angles(cosines, sines, plan, static_cast<double>(position) * plan.position_scale);
  const int64_t all = plan.heads * plan.width, at = token * all;
  const float *from = read_row(x, at, all, buffer);
  float *to = open_row(y, at, buffer);
  for (int64_t h = 0; h < all; h += plan.width) rope_head(to + h, from + h, plan, cosines, sines);
  commit_row(y, at, all, to);
}

}  // namespace SB_TIER

extern const NormTable SB_JOIN(norm, SB_TIER);
const NormTable SB_JOIN(norm, SB_TIER) = {SB_TIER::norm_read,  SB_TIER::norm_commit,         SB_TIER::norm_rms,  SB_TIER::norm_rms_backward,
                                          SB_TIER::norm_layer, SB_TIER::norm_layer_backward, SB_TIER::norm_rope, SB_TIER::norm_add};
}  // namespace sb
