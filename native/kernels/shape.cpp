/** @file Moving rows and columns: slices, places, concatenations, transpositions, embedding tables. */
#include "shape.h"

#include "rows.h"
#include "quant.h"

namespace sb {

SB_TIERS(ShapeTable, shape)

// Weak: without the quantised kernels in the library, tables of quantised rows are refused.
__attribute__((weak)) void dequantize_rows(int32_t type, const void *src, int64_t k, float *dst);

namespace {

/** Elements in one row of a tensor whose rows are everything behind the first dimension. */
int64_t row_size(const Tensor &t) { return t.shape[1] * t.shape[2] * t.shape[3]; }

void move_all(const Call &c, View to, int64_t to_at, View source, int64_t source_at, int64_t n) {
  const ShapeTable &table = shape_now();
  c.pool.parallel(pieces(n, kChunk), [&](int64_t chunk, int) {
    const int64_t at = chunk * kChunk;
    table.move(to, to_at + at, source, source_at + at, std::min(kChunk, n - at));
  });
}

void zero(const View &v, int64_t at, int64_t n) { __builtin_memset(from(v, at).data, 0, static_cast<size_t>(n * element_bytes(v.type))); }

void run_slice_rows(const Call &c) {
  const int64_t width = row_size(*c.in[0]), start = static_cast<int64_t>(c.params[0]);
  move_all(c, view(*c.out[0]), 0, view(*c.in[0]), start * width, elements(*c.out[0]));
}
/** Whether [start, start + count) lies within `size`, and `got` rows are `count`. */
const char *within(const char *what, double start, double count, int64_t size, int64_t rows) {
  if (start >= 0 && count >= 0 && start + count <= static_cast<double>(size) && static_cast<double>(rows) == count && start == static_cast<double>(static_cast<int64_t>(start))) return nullptr;
  return refuse("expected %s from %g, %g of them, within %lld, got %lld", what, start, count, static_cast<long long>(size), static_cast<long long>(rows));
}
const char *check_slice_rows(const Call &c) {
  if (const char *reason = signature(c, "x:N[T,*] -> y:N[T2,*]", 2)) return reason;
  return within("rows", c.params[0], c.params[1], c.in[0]->shape[0], c.out[0]->shape[0]);
}

void run_place_rows(const Call &c) {
  const View x = view(*c.in[0]), y = view(*c.out[0]);
  const ShapeTable &table = shape_now();
  const int64_t width = row_size(*c.out[0]), start = static_cast<int64_t>(c.params[0]), count = c.in[0]->shape[0];
  each_row(c, c.out[0]->shape[0], width, [&](int64_t t, int) {
    if (t >= start && t < start + count) table.move(y, t * width, x, (t - start) * width, width);
    else zero(y, t * width, width);
  });
}
const char *check_place_rows(const Call &c) {
  if (const char *reason = signature(c, "x:F[T,*] -> y:F[T2,*]", 2)) return reason;
  if (static_cast<double>(c.out[0]->shape[0]) != c.params[1]) return refuse("expected y with %g rows, got %lld", c.params[1], static_cast<long long>(c.out[0]->shape[0]));
  return within("rows", c.params[0], static_cast<double>(c.in[0]->shape[0]), c.out[0]->shape[0], c.in[0]->shape[0]);
}

void run_concat_rows(const Call &c) {
  const int64_t first = elements(*c.in[0]);
  move_all(c, view(*c.out[0]), 0, view(*c.in[0]), 0, first);
  move_all(c, view(*c.out[0]), first, view(*c.in[1]), 0, elements(*c.in[1]));
}
const char *check_concat_rows(const Call &c) {
  if (const char *reason = signature(c, "a:N[T,*] b:N[T2,*] -> y:N[T3,*]", 0)) return reason;
  const int64_t rows = c.in[0]->shape[0] + c.in[1]->shape[0];
  return c.out[0]->shape[0] == rows ? nullptr : refuse("expected y with %lld rows, got %lld", static_cast<long long>(rows), static_cast<long long>(c.out[0]->shape[0]));
}

void run_slice_columns(const Call &c) {
  const View x = view(*c.in[0]), y = view(*c.out[0]);
  const ShapeTable &table = shape_now();
  const int64_t width = c.in[0]->shape[1], count = c.out[0]->shape[1], start = static_cast<int64_t>(c.params[0]);
  each_row(c, c.in[0]->shape[0], count, [&](int64_t t, int) { table.move(y, t * count, x, t * width + start, count); });
}
const char *check_slice_columns(const Call &c) {
  if (const char *reason = signature(c, "x:F[T,D] -> y:F[T,D2]", 2)) return reason;
  return within("columns", c.params[0], c.params[1], c.in[0]->shape[1], c.out[0]->shape[1]);
}

void run_place_columns(const Call &c) {
  const View x = view(*c.in[0]), y = view(*c.out[0]);
  const ShapeTable &table = shape_now();
  const int64_t count = c.in[0]->shape[1], width = c.out[0]->shape[1], start = static_cast<int64_t>(c.params[0]);
  each_row(c, c.in[0]->shape[0], width, [&](int64_t t, int) {
    zero(y, t * width, start);
    table.move(y, t * width + start, x, t * count, count);
    zero(y, t * width + start + count, width - start - count);
  });
}
const char *check_place_columns(const Call &c) {
  if (const char *reason = signature(c, "x:F[T,D] -> y:F[T,D2]", 2)) return reason;
  if (static_cast<double>(c.out[0]->shape[1]) != c.params[1]) return refuse("expected y with %g columns, got %lld", c.params[1], static_cast<long long>(c.out[0]->shape[1]));
  return within("columns", c.params[0], static_cast<double>(c.in[0]->shape[1]), c.out[0]->shape[1], c.in[0]->shape[1]);
}

void run_concat_columns(const Call &c) {
  const View a = view(*c.in[0]), b = view(*c.in[1]), y = view(*c.out[0]);
  const ShapeTable &table = shape_now();
  const int64_t left = c.in[0]->shape[1], right = c.in[1]->shape[1], width = left + right;
  each_row(c, c.in[0]->shape[0], width, [&](int64_t t, int) {
    table.move(y, t * width, a, t * left, left);
    table.move(y, t * width + left, b, t * right, right);
  });
}
const char *check_concat_columns(const Call &c) {
  if (const char *reason = signature(c, "a:F[T,D] b:F[T,D2] -> y:F[T,D3]", 0)) return reason;
  const int64_t width = c.in[0]->shape[1] + c.in[1]->shape[1];
  return c.out[0]->shape[1] == width ? nullptr : refuse("expected y with %lld columns, got %lld", static_cast<long long>(width), static_cast<long long>(c.out[0]->shape[1]));
}

void run_transpose(const Call &c) {
  const int64_t a = c.in[0]->shape[0], b = c.in[0]->shape[1], step = std::max<int64_t>(32, kChunk / std::max<int64_t>(1, a) / 32 * 32);
  const ShapeTable &table = shape_now();
  c.pool.parallel(pieces(b, step), [&](int64_t chunk, int) { table.transpose(view(*c.out[0]), view(*c.in[0]), a, b, chunk * step, std::min(b, (chunk + 1) * step)); });
}

void run_swap_axes(const Call &c) {
  const View x = view(*c.in[0]), y = view(*c.out[0]);
  const ShapeTable &table = shape_now();
  const int64_t a = c.in[0]->shape[0], b = c.in[0]->shape[1], width = c.in[0]->shape[2];
  each_row(c, a * b, width, [&](int64_t t, int) { table.move(y, t * width, x, ((t % a) * b + t / a) * width, width); });
}

void run_repeat_row(const Call &c) {
  const ShapeTable &table = shape_now();
  const int64_t width = c.out[0]->shape[1];
  each_row(c, c.out[0]->shape[0], width, [&](int64_t t, int) { table.move(view(*c.out[0]), t * width, view(*c.in[0]), 0, width); });
}
const char *check_repeat_row(const Call &c) {
  if (const char *reason = signature(c, "b:F[D] -> y:F[T,D]", 1)) return reason;
  return static_cast<double>(c.out[0]->shape[0]) == c.params[0] ? nullptr : refuse("expected y with %g rows, got %lld", c.params[0], static_cast<long long>(c.out[0]->shape[0]));
}

void run_embedding(const Call &c) {
  const Tensor &rows = *c.in[0];
  const View y = view(*c.out[0]);
  const int32_t *ids = static_cast<const int32_t *>(c.in[1]->data);
  const ShapeTable &table = shape_now();
  const int64_t vocabulary = rows.shape[0], width = rows.shape[1];
  const float scale = static_cast<float>(c.params[0]);
  const bool plain = rows.type == SB_F32 || rows.type == SB_F16 || rows.type == SB_BF16;
  each_row(c, c.in[1]->shape[0], width, [&](int64_t t, int thread) {
    const int64_t id = ids[t];
    if (id < 0 || id >= vocabulary) return zero(y, t * width, width);
    if (plain && scale == 1.0f) return table.move(y, t * width, view(rows), id * width, width);
    float *buffer = row_buffer(c, width, 1, thread, 0), *to = open(y, t * width, buffer);
    if (plain) {
      table.scale(to, table.read(view(rows), id * width, width, buffer), scale, width);
    } else {
      dequantize_rows(rows.type, static_cast<const char *>(rows.data) + id * (tensor_bytes(rows) / vocabulary), width, to);
      if (scale != 1.0f) table.scale(to, to, scale, width);
    }
    table.commit(y, t * width, width, to);
  });
}
const char *check_embedding(const Call &c) {
  return signature(c, dequantize_rows ? "table:W[V,D] ids:I[T] -> y:F[T,D]" : "table:H[V,D] ids:I[T] -> y:F[T,D]", 1);
}

/** Sorts the tokens by table row (counting sort), then every table row sums its own tokens in their order. */
void run_embedding_backward(const Call &c) {
  const View dy = view(*c.in[0]);
  const int32_t *ids = static_cast<const int32_t *>(c.in[1]->data);
  float *table_out = static_cast<float *>(c.out[0]->data);
  const ShapeTable &table = shape_now();
  const int64_t tokens = c.in[0]->shape[0], width = c.out[0]->shape[1], vocabulary = c.out[0]->shape[0];
  const float scale = static_cast<float>(c.params[1]);
  int32_t *first = reinterpret_cast<int32_t *>(c.scratch + row_scratch(c, width, 1)), *order = first + vocabulary + 1;
  __builtin_memset(first, 0, static_cast<size_t>(vocabulary + 1) * 4);
  for (int64_t t = 0; t < tokens; t++)
    if (ids[t] >= 0 && ids[t] < vocabulary) first[ids[t] + 1]++;
  for (int64_t v = 0; v < vocabulary; v++) first[v + 1] += first[v];
  for (int64_t t = 0; t < tokens; t++)
    if (ids[t] >= 0 && ids[t] < vocabulary) order[first[ids[t]]++] = static_cast<int32_t>(t);
  // first[v] now is where row v ends.
  each_row(c, vocabulary, width, [&](int64_t v, int thread) {
    float *to = table_out + v * width;
    __builtin_memset(to, 0, static_cast<size_t>(width) * 4);
    float *buffer = row_buffer(c, width, 1, thread, 0);
    for (int32_t i = v ? first[v - 1] : 0; i < first[v]; i++) table.add(to, table.read(dy, order[i] * width, width, buffer), scale, width);
  });
}
const char *check_embedding_backward(const Call &c) {
  if (const char *reason = signature(c, "dy:F[T,D] ids:I[T] -> dtable:f[V,D]", 2)) return reason;
  if (static_cast<double>(c.out[0]->shape[0]) != c.params[0]) return refuse("expected dtable with %g rows, got %lld", c.params[0], static_cast<long long>(c.out[0]->shape[0]));
  return c.in[0]->shape[0] < INT32_MAX ? nullptr : refuse("expected fewer than 2^31 tokens");
}

const Register registered[] = {
    Register{{"sliceRows", run_slice_rows, check_slice_rows, nullptr}},
    Register{{"placeRows", run_place_rows, check_place_rows, nullptr}},
    Register{{"concatRows", run_concat_rows, check_concat_rows, nullptr}},
    Register{{"sliceColumns", run_slice_columns, check_slice_columns, nullptr}},
    Register{{"placeColumns", run_place_columns, check_place_columns, nullptr}},
    Register{{"concatColumns", run_concat_columns, check_concat_columns, nullptr}},
    Register{{"transpose", run_transpose, SB_SIGNATURE("x:F[A,B] -> y:F[B,A]", 0), nullptr}},
    Register{{"swapAxes", run_swap_axes, SB_SIGNATURE("x:F[A,B,C] -> y:F[B,A,C]", 0), nullptr}},
    Register{{"repeatRow", run_repeat_row, check_repeat_row, nullptr}},
    Register{{"embedding", run_embedding, check_embedding, [](const Call &c) { return row_scratch(c, c.in[0]->shape[1], 1); }}},
    Register{{"embeddingBackward", run_embedding_backward, check_embedding_backward,
              [](const Call &c) { return row_scratch(c, c.out[0]->shape[1], 1) + (c.out[0]->shape[0] + 1 + c.in[0]->shape[0]) * 4; }}},
};

}  // namespace
}  // namespace sb
