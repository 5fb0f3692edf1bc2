/** @file Reductions and what is made of them: sums, softmax, log-probabilities, pooling, top k. */
#include <cmath>

#include "rows.h"
#include "shape.h"

namespace sb {

SB_TIERS(ShapeTable, shape)

namespace {

/** Sum over the whole tensor: chunks in parallel, their sums added in order. */
template <bool squares, bool mean>
void run_sum(const Call &c) {
  const ShapeTable &table = shape_now();
  const View x = view(*c.in[0]);
  const int64_t n = elements(*c.in[0]), chunks = pieces(n, kChunk);
  double *part = reinterpret_cast<double *>(c.scratch + row_scratch(c, kChunk, 1));
  c.pool.parallel(chunks, [&](int64_t chunk, int thread) {
    const int64_t at = chunk * kChunk, count = std::min(kChunk, n - at);
    const float *row = table.read(x, at, count, row_buffer(c, kChunk, 1, thread, 0));
    part[chunk] = squares ? table.sum_squares(row, count) : table.sum(row, count);
  });
  double sum = 0;
  for (int64_t chunk = 0; chunk < chunks; chunk++) sum += part[chunk];
  *static_cast<float *>(c.out[0]->data) = static_cast<float>(mean && n > 0 ? sum / static_cast<double>(n) : sum);
}
int64_t scratch_sum(const Call &c) { return row_scratch(c, kChunk, 1) + pieces(elements(*c.in[0]), kChunk) * 8; }

constexpr int64_t kSumRows = 128;  // rows a partial sum takes: fixed, so that the order of addition is

void run_sum_rows(const Call &c) {
  const ShapeTable &table = shape_now();
  const View x = view(*c.in[0]);
  const int64_t count = c.in[0]->shape[0], width = c.in[0]->shape[1], stride = row_floats(width), chunks = pieces(count, kSumRows);
  float *part = reinterpret_cast<float *>(c.scratch + row_scratch(c, width, 1));
  c.pool.parallel(chunks, [&](int64_t chunk, int thread) {
    float *to = part + chunk * stride, *buffer = row_buffer(c, width, 1, thread, 0);
    __builtin_memset(to, 0, static_cast<size_t>(width) * 4);
    for (int64_t t = chunk * kSumRows; t < std::min(count, (chunk + 1) * kSumRows); t++) table.add(to, table.read(x, t * width, width, buffer), 1.0f, width);
  });
  float *y = static_cast<float *>(c.out[0]->data);
  for (int64_t d = 0; d < width; d++) {
    double sum = 0;
    for (int64_t chunk = 0; chunk < chunks; chunk++) sum += part[chunk * stride + d];
    y[d] = static_cast<float>(sum);
  }
}
int64_t scratch_sum_rows(const Call &c) {
  const int64_t width = c.in[0]->shape[1];
  return row_scratch(c, width, 1) + pieces(c.in[0]->shape[0], kSumRows) * row_floats(width) * 4;
}

template <bool max>
void run_columns(const Call &c) {
  const ShapeTable &table = shape_now();
  const int64_t width = c.in[0]->shape[1];
  float *y = static_cast<float *>(c.out[0]->data);
  each_row(c, c.in[0]->shape[0], width, [&](int64_t t, int thread) {
    const float *row = table.read(view(*c.in[0]), t * width, width, row_buffer(c, width, 1, thread, 0));
    y[t] = max ? table.max(row, width) : static_cast<float>(table.sum(row, width));
  });
}
template <int buffers>
int64_t scratch_rows(const Call &c) { return row_scratch(c, columns(*c.in[0]), buffers); }

struct Range {
  int64_t start, end;
};
Range range_of(const Call &c, int64_t segment, int64_t rows) {
  const int32_t *at = static_cast<const int32_t *>(c.in[1]->data) + segment * 3;
  const int64_t start = std::min<int64_t>(std::max(at[0], 0), rows);
  return {start, std::min<int64_t>(std::max<int64_t>(at[1], start), rows)};
}

void run_mean_pool(const Call &c) {
  const ShapeTable &table = shape_now();
  const View x = view(*c.in[0]), y = view(*c.out[0]);
  const int64_t rows = c.in[0]->shape[0], width = c.in[0]->shape[1];
  c.pool.parallel(c.in[1]->shape[0], [&](int64_t s, int thread) {
    const Range range = range_of(c, s, rows);
    float *sum = row_buffer(c, width, 2, thread, 1);
    __builtin_memset(sum, 0, static_cast<size_t>(width) * 4);
    for (int64_t t = range.start; t < range.end; t++) table.add(sum, table.read(x, t * width, width, row_buffer(c, width, 2, thread, 0)), 1.0f, width);
    if (range.end > range.start) table.scale(sum, sum, 1.0f / static_cast<float>(range.end - range.start), width);
    table.move(y, s * width, View{reinterpret_cast<char *>(sum), SB_F32}, 0, width);
  });
}

void run_mean_pool_backward(const Call &c) {
  const ShapeTable &table = shape_now();
  const View dy = view(*c.in[0]), dx = view(*c.out[0]);
  const int64_t segments = c.in[1]->shape[0], rows = c.out[0]->shape[0], width = c.out[0]->shape[1];
  each_row(c, rows, width, [&](int64_t t, int thread) {
    float *sum = row_buffer(c, width, 2, thread, 1);
    __builtin_memset(sum, 0, static_cast<size_t>(width) * 4);
    for (int64_t s = 0; s < segments; s++) {
      const Range range = range_of(c, s, rows);
      if (t < range.start || t >= range.end) continue;
      table.add(sum, table.read(dy, s * width, width, row_buffer(c, width, 2, thread, 0)), 1.0f / static_cast<float>(range.end - range.start), width);
    }
    table.move(dx, t * width, View{reinterpret_cast<char *>(sum), SB_F32}, 0, width);
  });
}
const char *check_mean_pool_backward(const Call &c) {
  if (const char *reason = signature(c, "dy:F[S,D] segments:I[S,3] -> dx:F[T,D]", 1)) return reason;
  return static_cast<double>(c.out[0]->shape[0]) == c.params[0] ? nullptr : refuse("expected dx with %g rows, got %lld", c.params[0], static_cast<long long>(c.out[0]->shape[0]));
}

void run_l2_normalize(const Call &c) {
  const ShapeTable &table = shape_now();
  const View x = view(*c.in[0]), y = view(*c.out[0]);
  const int64_t width = c.in[0]->shape[1];
  float *norms = static_cast<float *>(c.out[1]->data);
  each_row(c, c.in[0]->shape[0], width, [&](int64_t t, int thread) {
    float *buffer = row_buffer(c, width, 2, thread, 1), *to = open(y, t * width, buffer);
    const float *row = table.read(x, t * width, width, row_buffer(c, width, 2, thread, 0));
    const double norm = std::sqrt(table.sum_squares(row, width));
    norms[t] = static_cast<float>(norm < c.params[0] ? c.params[0] : norm);  // NaN stays
    table.scale(to, row, 1.0f / norms[t], width);
    table.commit(y, t * width, width, to);
  });
}

/** Kernels of the form dx = f(dy, y): `body(t, dx, dy, y)`. */
template <class Body>
void rows_backward(const Call &c, Body body) {
  const ShapeTable &table = shape_now();
  const View dx = view(*c.out[0]);
  const int64_t width = c.in[0]->shape[1];
  each_row(c, c.in[0]->shape[0], width, [&](int64_t t, int thread) {
    const float *dy = table.read(view(*c.in[0]), t * width, width, row_buffer(c, width, 3, thread, 0));
    const float *y = table.read(view(*c.in[1]), t * width, width, row_buffer(c, width, 3, thread, 1));
    float *to = open(dx, t * width, row_buffer(c, width, 3, thread, 2));
    body(table, t, to, dy, y, width);
    table.commit(dx, t * width, width, to);
  });
}
void run_l2_normalize_backward(const Call &c) {
  const float *norms = static_cast<const float *>(c.in[2]->data);
  rows_backward(c, [&](const ShapeTable &table, int64_t t, float *dx, const float *dy, const float *y, int64_t n) { table.normalize_backward(dx, dy, y, norms[t], n); });
}
void run_softmax_backward(const Call &c) {
  rows_backward(c, [](const ShapeTable &table, int64_t, float *dx, const float *dy, const float *y, int64_t n) { table.softmax_backward(dx, dy, y, n); });
}

void run_softmax(const Call &c) {
  const ShapeTable &table = shape_now();
  const View x = view(*c.in[0]), y = view(*c.out[0]);
  const int64_t width = c.in[0]->shape[1];
  each_row(c, c.in[0]->shape[0], width, [&](int64_t t, int thread) {
    float *to = open(y, t * width, row_buffer(c, width, 2, thread, 1));
    table.softmax(to, table.read(x, t * width, width, row_buffer(c, width, 2, thread, 0)), width);
    table.commit(y, t * width, width, to);
  });
}

void run_log_probabilities(const Call &c) {
  const ShapeTable &table = shape_now();
  const int64_t width = c.in[0]->shape[1];
  const int32_t *ids = static_cast<const int32_t *>(c.in[1]->data);
  float *y = static_cast<float *>(c.out[0]->data);
  each_row(c, c.in[0]->shape[0], width, [&](int64_t t, int thread) {
    if (ids[t] < 0 || ids[t] >= width) {
      y[t] = 0;
      return;
    }
    const float *row = table.read(view(*c.in[0]), t * width, width, row_buffer(c, width, 1, thread, 0));
    y[t] = static_cast<float>(static_cast<double>(row[ids[t]]) - table.log_sum_exp(row, width));
  });
}

void run_log_probabilities_backward(const Call &c) {
  const ShapeTable &table = shape_now();
  const View x = view(*c.in[1]), dx = view(*c.out[0]);
  const int64_t width = c.in[1]->shape[1];
  const float *dy = static_cast<const float *>(c.in[0]->data);
  const int32_t *ids = static_cast<const int32_t *>(c.in[2]->data);
  each_row(c, c.in[1]->shape[0], width, [&](int64_t t, int thread) {
    float *to = open(dx, t * width, row_buffer(c, width, 2, thread, 1));
    const float *row = table.read(x, t * width, width, row_buffer(c, width, 2, thread, 0));
    if (ids[t] < 0 || ids[t] >= width) {
      __builtin_memset(to, 0, static_cast<size_t>(width) * 4);
    } else {
      table.minus_softmax(to, row, table.log_sum_exp(row, width), dy[t], width);
      to[ids[t]] += dy[t];
    }
    table.commit(dx, t * width, width, to);
  });
}

/** Whether a comes before b: larger first, ties by lower index, NaN last. */
bool before(const float *x, int64_t a, int64_t b) {
  const bool nan_a = std::isnan(x[a]), nan_b = std::isnan(x[b]);
  if (nan_a || nan_b) return nan_a == nan_b ? a < b : nan_b;
  return x[a] != x[b] ? x[a] > x[b] : a < b;
}

/** The best k: a few by insertion behind a vector scan for values above the k-th, many by partial sorting. */
void top_row(const ShapeTable &table, const float *x, int64_t n, int64_t k, int32_t *best, int32_t *order) {
  if (k > 256) {
    for (int64_t i = 0; i < n; i++) order[i] = static_cast<int32_t>(i);
    std::partial_sort(order, order + k, order + n, [&](int32_t a, int32_t b) { return before(x, a, b); });
    std::copy(order, order + k, best);
    return;
  }
  int64_t held = 0;
  for (int64_t i = 0; i < n; i++) {
    if (held == k) {
      const float limit = x[best[k - 1]];
      if (!std::isnan(limit)) i = table.find_above(x, i, n, limit);
      if (i == n) break;
      if (!before(x, i, best[k - 1])) continue;
      held--;
    }
    int64_t at = held++;
    for (; at > 0 && before(x, i, best[at - 1]); at--) best[at] = best[at - 1];
    best[at] = static_cast<int32_t>(i);
  }
}

void run_top_k(const Call &c) {
  const ShapeTable &table = shape_now();
  const int64_t width = c.in[0]->shape[1], k = static_cast<int64_t>(c.params[0]);
  float *values = static_cast<float *>(c.out[0]->data);
  int32_t *indices = static_cast<int32_t *>(c.out[1]->data);
  if (k == 0) return;
  each_row(c, c.in[0]->shape[0], width, [&](int64_t t, int thread) {
    const float *row = table.read(view(*c.in[0]), t * width, width, row_buffer(c, width, 2, thread, 0));
    top_row(table, row, width, k, indices + t * k, reinterpret_cast<int32_t *>(row_buffer(c, width, 2, thread, 1)));
    for (int64_t i = 0; i < k; i++) values[t * k + i] = row[indices[t * k + i]];
  });
}
const char *check_top_k(const Call &c) {
  if (const char *reason = signature(c, "x:F[T,V] -> values:f[T,K] indices:I[T,K]", 1)) return reason;
  const int64_t k = c.out[0]->shape[1], width = c.in[0]->shape[1];
  if (static_cast<double>(k) != c.params[0] || k > width || width >= INT32_MAX)
    return refuse("expected k = %g columns of at most %lld, got %lld", c.params[0], static_cast<long long>(width), static_cast<long long>(k));
  return nullptr;
}

void run_argmax(const Call &c) {
  const ShapeTable &table = shape_now();
  const int64_t width = c.in[0]->shape[1];
  int32_t *y = static_cast<int32_t *>(c.out[0]->data);
  each_row(c, c.in[0]->shape[0], width, [&](int64_t t, int thread) {
    const float *row = table.read(view(*c.in[0]), t * width, width, row_buffer(c, width, 2, thread, 0));
    top_row(table, row, width, 1, y + t, nullptr);
  });
}
const char *check_argmax(const Call &c) {
  if (const char *reason = signature(c, "x:F[T,V] -> y:I[T]", 0)) return reason;
  const int64_t width = c.in[0]->shape[1];
  return (width > 0 || c.in[0]->shape[0] == 0) && width < INT32_MAX ? nullptr : refuse("expected at least one column, got %lld", static_cast<long long>(width));
}

const Register registered[] = {
    Register{{"sum", run_sum<false, false>, SB_SIGNATURE("x:F* -> y:f[1]", 0), scratch_sum}},
    Register{{"mean", run_sum<false, true>, SB_SIGNATURE("x:F* -> y:f[1]", 0), scratch_sum}},
    Register{{"sumSquares", run_sum<true, false>, SB_SIGNATURE("x:F* -> y:f[1]", 0), scratch_sum}},
    Register{{"sumRows", run_sum_rows, SB_SIGNATURE("x:F[T,D] -> y:f[D]", 0), scratch_sum_rows}},
    Register{{"sumColumns", run_columns<false>, SB_SIGNATURE("x:F[T,D] -> y:f[T]", 0), scratch_rows<1>}},
    Register{{"maxColumns", run_columns<true>, SB_SIGNATURE("x:F[T,D] -> y:f[T]", 0), scratch_rows<1>}},
    Register{{"meanPool", run_mean_pool, SB_SIGNATURE("x:F[T,D] segments:I[S,3] -> y:F[S,D]", 0), scratch_rows<2>}},
    Register{{"meanPoolBackward", run_mean_pool_backward, check_mean_pool_backward, scratch_rows<2>}},
    Register{{"l2Normalize", run_l2_normalize, SB_SIGNATURE("x:F[T,D] -> y:F[T,D] norm:f[T]", 1), scratch_rows<2>}},
    Register{{"l2NormalizeBackward", run_l2_normalize_backward, SB_SIGNATURE("dy:F[T,D] y:F[T,D] norm:f[T] -> dx:F[T,D]", 0), scratch_rows<3>}},
    Register{{"softmax", run_softmax, SB_SIGNATURE("x:F[T,N] -> y:F[T,N]", 0), scratch_rows<2>}},
    Register{{"softmaxBackward", run_softmax_backward, SB_SIGNATURE("dy:F[T,N] y:F[T,N] -> dx:F[T,N]", 0), scratch_rows<3>}},
    Register{{"logProbabilities", run_log_probabilities, SB_SIGNATURE("x:F[T,V] ids:I[T] -> y:f[T]", 0), scratch_rows<1>}},
    Register{{"logProbabilitiesBackward", run_log_probabilities_backward, SB_SIGNATURE("dy:f[T] x:F[T,V] ids:I[T] -> dx:F[T,V]", 0),
              [](const Call &c) { return row_scratch(c, c.in[1]->shape[1], 2); }}},
    Register{{"topK", run_top_k, check_top_k, scratch_rows<2>}},
    Register{{"argmax", run_argmax, check_argmax, scratch_rows<2>}},
};

}  // namespace
}  // namespace sb
