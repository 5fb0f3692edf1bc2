/** @file What the two cross-entropy kernels share: rows that count, shapes of the work, softmax on tiles of logits. */
#pragma once
#include <algorithm>

#include "matmul-checks.h"

namespace sb {

constexpr int64_t kLossColumns = 256;  // logits of a row held at a time

inline int64_t loss_tall(const Engine &e) { return 258 / e.mr; }

/** Rows whose target is a column of W, in order. Answers how many. */
inline int64_t supervised(const Tensor &targets, int64_t columns, int32_t *list) {
  const int32_t *target = static_cast<const int32_t *>(targets.data);
  int64_t count = 0;
  for (int64_t i = 0; i < targets.shape[0]; i++)
    if (target[i] >= 0 && target[i] < columns) list[count++] = static_cast<int32_t>(i);
  return count;
}

/** The engine and the length of a block of D for logits of x and W. */
inline const Engine &loss_engine(const Tensor &x, const Tensor &w) {
  const int32_t type = weight_type(w);
  return engine_for(x.type, is_quantized(type) ? SB_F32 : type);
}
inline int64_t loss_block(const Engine &e, const Tensor &w, int64_t k) { return is_quantized(weight_type(w)) ? 256 : block_length(e, k); }

/** Panels of x for logits: [block][tile][units][mr]. */
inline void pack_rows(const Engine &e, const Source &x, int64_t block, int64_t row, int64_t rows, int64_t k, float *to) {
  const int64_t tiles = ceil_div(rows, e.mr);
  for (int64_t at = 0; at < k; at += block) {
    const int64_t kn = std::min(block, k - at), units = ceil_div(kn, e.step);
    e.pack(x, row, rows, at, kn, e.mr, units * e.mr, to);
    to += tiles * units * e.mr;
  }
}

/** Logits of packed rows and columns [v0, v0 + vn) of W: c[panel][tile][mr][nr]. */
inline void logits_of(const Engine &e, const Source &w, int64_t block, const float *a, int64_t rows, int64_t k, int64_t v0, int64_t vn, float *b, float *temporary, float *c) {
  const int64_t tiles = ceil_div(rows, e.mr), panels = ceil_div(vn, e.nr), area = static_cast<int64_t>(e.mr) * e.nr;
  if (k == 0) std::fill(c, c + panels * tiles * area, 0.0f);
  for (int64_t at = 0; at < k; at += block) {
    const int64_t kn = std::min(block, k - at), units = ceil_div(kn, e.step);
    fill_panels(e, w, v0, vn, at, kn, e.nr, units * e.nr, b, temporary);
    for (int64_t j = 0; j < panels; j++)
      for (int64_t t = 0; t < tiles; t++)
        e.tile(units, a + t * units * e.mr, b + j * units * e.nr, c + (j * tiles + t) * area, static_cast<int>(std::min<int64_t>(e.mr, rows - t * e.mr)), at > 0);
    a += tiles * units * e.mr;
  }
}

}  // namespace sb
