/** @file Helpers for plain files whose kernels work row by row: chunks of rows, buffers for rows that are not f32. */
#pragma once
#include <algorithm>

#include "checks.h"

namespace sb {

inline int64_t row_floats(int64_t width) { return round_up(std::max<int64_t>(width, 1), 16); }

/** `count` buffers of one row for every thread. */
inline int64_t row_scratch(const Call &c, int64_t width, int count) { return c.pool.threads() * count * row_floats(width) * 4; }
inline float *row_buffer(const Call &c, int64_t width, int count, int thread, int index) {
  return reinterpret_cast<float *>(c.scratch) + (static_cast<int64_t>(thread) * count + index) * row_floats(width);
}
/** The row where it shall be written: in the tensor when it is f32, else in the buffer (commit brings it over). */
inline float *open(const View &v, int64_t at, float *buffer) { return v.type == SB_F32 && !v.stream ? reinterpret_cast<float *>(v.data) + at : buffer; }

/** body(row, thread) for all rows, in chunks of about kChunk elements. */
template <class Body>
void each_row(const Call &c, int64_t count, int64_t width, Body body) {
  const int64_t step = std::max<int64_t>(1, kChunk / std::max<int64_t>(1, width));
  c.pool.parallel(pieces(count, step), [&](int64_t chunk, int thread) {
    for (int64_t t = chunk * step; t < std::min(count, (chunk + 1) * step); t++) body(t, thread);
  });
}

}  // namespace sb
