/** @file Elementwise operators: checks, splitting into chunks, registration. */
#include "elementwise.h"

#include <cmath>

#include "checks.h"

namespace sb {

SB_TIERS(ElementwiseTable, elementwise)

namespace {

/** Body `map` over all elements of same-shaped operands. */
void each(const Call &c, int map, const View *in, const View *out, int64_t n, const double *p) {
  const ElementwiseTable &table = elementwise_now();
  c.pool.parallel(pieces(n, kChunk), [&](int64_t chunk, int) {
    const int64_t begin = chunk * kChunk;
    table.run(map, in, out, begin, std::min(n, begin + kChunk), p);
  });
}

template <int map>
void run_same(const Call &c) {
  View in[4], out[4] = {};
  for (int i = 0; i < c.n_in; i++) in[i] = view(c, *c.in[i]);
  for (int i = 0; i < c.n_out; i++) out[i] = view(c, *c.out[i]);
  each(c, map, in, out, elements(*c.out[0]), c.params);
}

/** Body `map` row by row; `row(t, in, p)` sets what belongs to row t. */
template <class Row>
void each_row(const Call &c, int map, int64_t count, int64_t width, Row row) {
  const ElementwiseTable &table = elementwise_now();
  const int64_t step = std::max<int64_t>(1, kChunk / std::max<int64_t>(1, width));
  c.pool.parallel(pieces(count, step), [&](int64_t chunk, int) {
    for (int64_t t = chunk * step; t < std::min(count, (chunk + 1) * step); t++) {
      View in[2] = {from(view(*c.in[0]), t * width), {}}, out[1] = {from(view(*c.out[0]), t * width)};
      double p[1] = {0};
      row(t, in, p);
      table.run(map, in, out, 0, width, p);
    }
  });
}

template <int map>
void run_with_row(const Call &c) {
  each_row(c, map, c.in[0]->shape[0], c.in[0]->shape[1], [&](int64_t, View *in, double *) { in[1] = view(*c.in[1]); });
}

double scalar(const Tensor &t, int64_t at) {
  if (t.type == SB_F32) return static_cast<const float *>(t.data)[at];
  float x;
  const uint32_t bits = static_cast<uint32_t>(static_cast<const uint16_t *>(t.data)[at]) << 16;
  __builtin_memcpy(&x, &bits, 4);
  return x;
}

void run_mul_column(const Call &c) {
  each_row(c, kTimes, c.in[0]->shape[0], c.in[0]->shape[1], [&](int64_t t, View *, double *p) { p[0] = scalar(*c.in[1], t); });
}

void run_mul_scalar(const Call &c) {
  const View in[1] = {view(*c.in[0])}, out[1] = {view(*c.out[0])};
  const double p[1] = {scalar(*c.in[1], 0)};
  each(c, kTimes, in, out, elements(*c.out[0]), p);
}

void run_copy(const Call &c) {
  const int64_t bytes = tensor_bytes(*c.out[0]), step = kChunk * 4;
  c.pool.parallel(pieces(bytes, step), [&](int64_t chunk, int) {
    const int64_t begin = chunk * step;
    __builtin_memmove(static_cast<char *>(c.out[0]->data) + begin, static_cast<const char *>(c.in[0]->data) + begin, static_cast<size_t>(std::min(step, bytes - begin)));
  });
}

const char *check_copy(const Call &c) {
  if (c.n_in == 1 && c.n_out == 1 && c.in[0] && c.out[0]) {
    const Tensor &x = *c.in[0], &y = *c.out[0];
    bool same = x.type == y.type && x.rank == y.rank && tensor_bytes(x) >= 0;
    for (int d = 0; d < SB_MAX_RANK; d++) same = same && x.shape[d] == y.shape[d];
    return same ? nullptr : refuse("copy: expected y with the type and shape of x, of a type with a fixed layout");
  }
  return refuse("copy: expected x and y");
}

void run_cast(const Call &c) {
  const ElementwiseTable &table = elementwise_now();
  const View x = view(*c.in[0]), y = view(*c.out[0]);
  const int64_t n = elements(*c.out[0]);
  c.pool.parallel(pieces(n, kChunk), [&](int64_t chunk, int) {
    const int64_t begin = chunk * kChunk;
    table.move(y, begin, x, begin, std::min(kChunk, n - begin));
  });
}

void run_fill(const Call &c) {
  const ElementwiseTable &table = elementwise_now();
  const View y = view(*c.out[0]);
  const int64_t n = elements(*c.out[0]);
  c.pool.parallel(pieces(n, kChunk), [&](int64_t chunk, int) { table.fill(y, chunk * kChunk, std::min(n, (chunk + 1) * kChunk), c.params[0]); });
}

/** dropout and uniformNoise: p = seed, stream, and the first parameter. */
template <int map>
void run_random(const Call &c) {
  const View in[1] = {view(*c.in[0])}, out[1] = {view(*c.out[0])};
  const double p[3] = {static_cast<double>(*static_cast<const int32_t *>(c.in[1]->data)), c.params[1], c.params[0]};
  each(c, map, in, out, elements(*c.out[0]), p);
}

void run_adamw(const Call &c) {
  const float *hyper = static_cast<const float *>(c.in[4]->data);
  const double rate = hyper[0], step = hyper[1], beta1 = c.params[0], beta2 = c.params[1];
  const double bias1 = 1 - std::pow(beta1, step), bias2 = 1 - std::pow(beta2, step);
  const double p[7] = {hyper[2], beta1, beta2, c.params[2], rate / bias1, 1 / std::sqrt(bias2), 1 - rate * c.params[3]};
  View in[4], out[4] = {};
  for (int i = 0; i < 4; i++) in[i] = view(c, *c.in[i]);
  for (int i = 0; i < 4; i++)
    if (c.out[i]) out[i] = view(c, *c.out[i]);
  each(c, kAdamw, in, out, elements(*c.out[0]), p);
}

void run_clip_scale(const Call &c) {
  const float norm = std::sqrt(*static_cast<const float *>(c.in[0]->data));
  const double most = c.params[0];
  float *y = static_cast<float *>(c.out[0]->data);
  y[0] = most > 0 && !(norm <= most) ? static_cast<float>(most / norm) : 1.0f;  // NaN stays NaN
  y[1] = norm;
}

#define SB_ONE SB_SIGNATURE("x:F* -> y:F*", 0)
#define SB_SLOPE SB_SIGNATURE("dy:F* x:F* -> dx:F*", 0)
#define SB_TWO SB_SIGNATURE("a:F* b:F* -> y:F*", 0)

const Register registered[] = {
    Register{{"neg", run_same<kNeg>, SB_ONE, nullptr}},
    Register{{"exp", run_same<kExp>, SB_ONE, nullptr}},
    Register{{"log", run_same<kLog>, SB_ONE, nullptr}},
    Register{{"sqrt", run_same<kSqrt>, SB_ONE, nullptr}},
    Register{{"square", run_same<kSquare>, SB_ONE, nullptr}},
    Register{{"reciprocal", run_same<kReciprocal>, SB_ONE, nullptr}},
    Register{{"tanh", run_same<kTanh>, SB_ONE, nullptr}},
    Register{{"sigmoid", run_same<kSigmoid>, SB_ONE, nullptr}},
    Register{{"relu", run_same<kRelu>, SB_ONE, nullptr}},
    Register{{"silu", run_same<kSilu>, SB_ONE, nullptr}},
    Register{{"gelu", run_same<kGelu>, SB_ONE, nullptr}},
    Register{{"geluTanh", run_same<kGeluTanh>, SB_ONE, nullptr}},
    Register{{"reluBackward", run_same<kReluBackward>, SB_SLOPE, nullptr}},
    Register{{"siluBackward", run_same<kSiluBackward>, SB_SLOPE, nullptr}},
    Register{{"geluBackward", run_same<kGeluBackward>, SB_SLOPE, nullptr}},
    Register{{"geluTanhBackward", run_same<kGeluTanhBackward>, SB_SLOPE, nullptr}},
    Register{{"scale", run_same<kScale>, SB_SIGNATURE("x:F* -> y:F*", 2), nullptr}},
    Register{{"add", run_same<kAdd>, SB_TWO, nullptr}},
    Register{{"sub", run_same<kSub>, SB_TWO, nullptr}},
    Register{{"mul", run_same<kMul>, SB_TWO, nullptr}},
    Register{{"div", run_same<kDiv>, SB_TWO, nullptr}},
    Register{{"addRow", run_with_row<kAdd>, SB_SIGNATURE("x:F[T,D] b:F[D] -> y:F[T,D]", 0), nullptr}},
    Register{{"mulRow", run_with_row<kMul>, SB_SIGNATURE("x:F[T,D] b:F[D] -> y:F[T,D]", 0), nullptr}},
    Register{{"mulColumn", run_mul_column, SB_SIGNATURE("x:F[T,D] c:F[T] -> y:F[T,D]", 0), nullptr}},
    Register{{"mulScalar", run_mul_scalar, SB_SIGNATURE("x:F* s:F[1] -> y:F*", 0), nullptr}},
    Register{{"copy", run_copy, check_copy, nullptr}},
    Register{{"cast", run_cast, SB_SIGNATURE("x:A* -> y:A*", 0), nullptr}},
    Register{{"fill", run_fill, SB_SIGNATURE("-> y:N*", 1), nullptr}},
    Register{{"dropout", run_random<kDropout>, SB_SIGNATURE("x:F* seed:I[1] -> y:F*", 2), nullptr}},
    Register{{"uniformNoise", run_random<kNoise>, SB_SIGNATURE("x:F* seed:I[1] -> y:F*", 2), nullptr}},
    Register{{"swiglu", run_same<kSwiglu>, SB_SIGNATURE("gate:F* up:F* -> y:F*", 0), nullptr}},
    Register{{"geglu", run_same<kGeglu>, SB_SIGNATURE("gate:F* up:F* -> y:F*", 0), nullptr}},
    Register{{"swigluBackward", run_same<kSwigluBackward>, SB_SIGNATURE("dy:F* gate:F* up:F* -> dgate:F* dup:F*", 0), nullptr}},
    Register{{"gegluBackward", run_same<kGegluBackward>, SB_SIGNATURE("dy:F* gate:F* up:F* -> dgate:F* dup:F*", 0), nullptr}},
    Register{{"adamw", run_adamw, SB_SIGNATURE("param:f* grad:F* m:f* v:f* hyper:f[3] -> param:f* m:f* v:f* copy:B*?", 4), nullptr}},
    Register{{"clipScale", run_clip_scale, SB_SIGNATURE("sumSquares:f[1] -> y:f[2]", 1), nullptr}},
};

}  // namespace
}  // namespace sb
