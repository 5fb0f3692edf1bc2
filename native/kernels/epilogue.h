/** @file What happens to a row of f32 results of a matrix product before it is written: y = act(scale v + bias + low rank) +
 * residual, rounded once to the output's type. Shared by float and quantised products. */
#pragma once
#include "../core/kernel.h"

namespace sb {

enum class Activation : int { none = 0, relu = 1, gelu = 2, geluTanh = 3, silu = 4 };

struct Epilogue {
  void *y = nullptr;          // [M, N]
  bool y_bf16 = false;
  int64_t n = 0;              // columns of y: the distance between its rows
  float scale = 1;             // v is multiplied by it first
  const float *bias = nullptr;     // f32[N], already widened, or none
  const void *residual = nullptr;  // [M, N] or none
  bool residual_bf16 = false;
  Activation activation = Activation::none;
  /* Low-rank part, for products that cannot add it themselves: v += low[row][0..rank) * up[group][0..rank)[column]. */
  const float *low = nullptr;   // f32 [M, rank], already scaled; none when nullptr
  const float *up = nullptr;    // f32 [groups, rank, N]
  const int32_t *group = nullptr;  // [M], values already bounded to -1..groups-1; nullptr: all rows 0
  int64_t rank = 0;
};

/** Applies the epilogue to `count` values, the columns from `column` on of `row`, and writes them to y. `values` may be
 * changed. Any thread; the tier in use chooses the inner loop. */
void epilogue_store(const Epilogue &e, int64_t row, int64_t column, int64_t count, float *values);

}  // namespace sb
