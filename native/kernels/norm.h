/** @file What the tier files for norms and RoPE export: work on single rows of f32. */
#pragma once
#include "tier.h"

namespace sb {

/** How RoPE turns: pairs (j, j + n/2), or (2j, 2j + 1) when interleaved. */
struct RopePlan {
  int64_t heads, width, rotated; /* of `width` elements a head the first `rotated` turn */
  bool interleaved;
  const double *turns; /* per pair: revolutions a position */
  double position_scale;
  float magnitude, sign; /* sign -1: the inverse */
};

struct NormTable {
  const float *(*read)(View v, int64_t at, int64_t n, float *buffer);
  void (*commit)(View v, int64_t at, int64_t n, const float *buffer);
  /** y = x * rstd * (offset + w); the answer is rstd. */
  float (*rms)(float *y, const float *x, const float *w, float offset, double eps, int64_t n);
  /** dx (+ residual, may be null); adds to dw unless it is null. */
  void (*rms_backward)(float *dx, float *dw, const float *dy, const float *x, const float *w, const float *residual, float rstd, float offset, int64_t n);
  void (*layer)(float *y, const float *x, const float *w, const float *b, double eps, int64_t n, float *mean, float *rstd);
  void (*layer_backward)(float *dx, float *dw, float *db, const float *dy, const float *x, const float *w, const float *residual, float mean, float rstd, int64_t n);
  /** All heads of one token. `angles` has room for 2 * rotated floats, `buffer` for all heads. */
  void (*rope)(View y, View x, int64_t token, int32_t position, const RopePlan &plan, float *angles, float *buffer);
  void (*add)(float *y, const float *x, int64_t n);
};

}  // namespace sb
