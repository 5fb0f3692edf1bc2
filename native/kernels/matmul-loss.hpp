/** @file Softmax over rows of a tile of logits, as the cross entropy walks the vocabulary. Compiled once a tier. */
#pragma once
#include "math.hpp"
#include "matmul.h"
#include "matmul-tile.hpp"

namespace sb {
namespace SB_TIER {

static inline float exp_one(float x) { return vexp(splat(x))[0]; }

/** values = softcap tanh(values / softcap) where asked for; what lies behind the last column becomes -inf. */
static inline void prepare_logits(const LogitRow &row, float softcap) {
  for (int64_t p = 0; p < row.panels; p++) {
    float *at = row.values + p * row.stride;
    if (softcap > 0)
      for (int i = 0; i < NR; i += SB_W) store(at + i, softcap * vtanh(load(at + i) / softcap));
    for (int64_t i = row.columns - p * NR; i < NR; i++)
      if (i >= 0) at[i] = -__builtin_inff();
  }
}
static inline float *logit(const LogitRow &row, int64_t column) { return row.values + column / NR * row.stride + column % NR; }

/** One step of the running softmax. Values become exp(l - maximum), times the softcap's slope. Answers the factor that
 * brings what was summed before to the new maximum. */
static float softmax_row(const LogitRow &row, float softcap, float *maximum, float *sum, float *at_target) {
  prepare_logits(row, softcap);
  if (row.target >= 0) *at_target = *logit(row, row.target);
  vf m = splat(*maximum);
  for (int64_t p = 0; p < row.panels; p++)
#pragma GCC unroll 4
    for (int i = 0; i < NR; i += SB_W) m = vmax(load(row.values + p * row.stride + i), m);
  const float now = lanes_max(m), base = now == -__builtin_inff() ? 0 : now;
  vf total{};
  for (int64_t p = 0; p < row.panels; p++)
#pragma GCC unroll 4
    for (int i = 0; i < NR; i += SB_W) {
      float *at = row.values + p * row.stride + i;
      const vf l = load(at);
      vf e = vexp_fast(l - base);
      total += e;
      if (softcap > 0) e = select(l == splat(-__builtin_inff()), vf{}, e * (1.0f - l / softcap * (l / softcap)));
      store(at, e);
    }
  const float factor = *maximum == now ? 1 : exp_one(*maximum - base);
  *sum = *sum * factor + lanes_sum(total);
  *maximum = now;
  return factor;
}

/** out[column] = weight (exp(l - lse) - [column is the target]) slope: the gradient to the logits of one row. */
static void gradient_row(const LogitRow &row, float softcap, float lse, float weight, float *out) {
  prepare_logits(row, softcap);
  const float own = row.target >= 0 ? *logit(row, row.target) : 0;
  for (int64_t p = 0; p < row.panels; p++)
#pragma GCC unroll 4
    for (int i = 0; i < NR; i += SB_W) {
      const vf l = load(row.values + p * row.stride + i);
      vf g = weight * vexp_fast(l - lse);
      if (softcap > 0) g = g * (1.0f - l / softcap * (l / softcap));
      store(out + p * NR + i, select(l == splat(-__builtin_inff()), vf{}, g));
    }
  if (row.target >= 0) out[row.target] -= weight * (softcap > 0 ? 1 - own / softcap * (own / softcap) : 1.0f);
}

}  // namespace SB_TIER
}  // namespace sb
