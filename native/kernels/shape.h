/** @file What the tier files for reductions and shapes export: work on single rows. */
#pragma once
#include "tier.h"

namespace sb {

struct ShapeTable {
  void (*move)(View to, int64_t to_at, View source, int64_t source_at, int64_t n);
  /** n elements as f32, in place if they are, else in `buffer`. */
  const float *(*read)(View v, int64_t at, int64_t n, float *buffer);
  void (*commit)(View v, int64_t at, int64_t n, const float *buffer);
  /** Sums of x and of x^2. */
  double (*sum)(const float *x, int64_t n);
  double (*sum_squares)(const float *x, int64_t n);
  /** NaN if any is NaN; -Infinity for none. */
  float (*max)(const float *x, int64_t n);
  void (*add)(float *y, const float *x, float factor, int64_t n); /* y += factor * x */
  void (*scale)(float *y, const float *x, float factor, int64_t n);
  void (*softmax)(float *y, const float *x, int64_t n);
  void (*softmax_backward)(float *dx, const float *dy, const float *y, int64_t n);
  /** log of the sum of e^x; in double, as it is subtracted from values of its own size. */
  double (*log_sum_exp)(const float *x, int64_t n);
  /** dx = -factor * softmax(x), given the row's log sum. */
  void (*minus_softmax)(float *dx, const float *x, double log_sum, float factor, int64_t n);
  /** dx = (dy - y (y . dy)) / norm */
  void (*normalize_backward)(float *dx, const float *dy, const float *y, float norm, int64_t n);
  /** y[b][a] = x[a][b] for b in [begin, end). */
  void (*transpose)(View y, View x, int64_t a, int64_t b, int64_t begin, int64_t end);
  /** First index in [begin, n) whose value is above `limit` (or n). */
  int64_t (*find_above)(const float *x, int64_t begin, int64_t n, float limit);
};

}  // namespace sb
