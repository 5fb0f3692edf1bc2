/** @file RMS norm, layer norm, RoPE, forward and backward. Gradients of the weights are sums over rows: fixed pieces of
 * rows are summed in parallel, the pieces added in order, so no thread count changes them. */
#include "norm.h"

#include <cmath>

#include "rows.h"

namespace sb {

SB_TIERS(NormTable, norm)

namespace {

/** An f32 copy of a weight at the front of the scratch, or the weight itself. */
const float *weight_row(const NormTable &table, const Tensor &w, float *buffer) { return table.read(view(w), 0, columns(w), buffer); }
float *front(const Call &c, int64_t index, int64_t width) { return reinterpret_cast<float *>(c.scratch) + index * row_floats(width); }
/** Buffers of rows behind the `kept` rows at the front. */
float *lane(const Call &c, int64_t width, int kept, int count, int thread, int index) {
  return front(c, kept + static_cast<int64_t>(thread) * count + index, width);
}

void run_rms(const Call &c) {
  const NormTable &table = norm_now();
  const int64_t width = c.in[0]->shape[1];
  const float *w = weight_row(table, *c.in[1], front(c, 0, width));
  const View x = view(c, *c.in[0]), y = view(c, *c.out[0]);
  float *rstd = static_cast<float *>(c.out[1]->data);
  each_row(c, c.in[0]->shape[0], width, [&](int64_t t, int thread) {
    float *to = open(y, t * width, lane(c, width, 1, 2, thread, 1));
    rstd[t] = table.rms(to, table.read(x, t * width, width, lane(c, width, 1, 2, thread, 0)), w, static_cast<float>(c.params[1]), c.params[0], width);
    table.commit(y, t * width, width, to);
  });
}

void run_layer(const Call &c) {
  const NormTable &table = norm_now();
  const int64_t width = c.in[0]->shape[1];
  const float *w = weight_row(table, *c.in[1], front(c, 0, width)), *b = weight_row(table, *c.in[2], front(c, 1, width));
  const View x = view(c, *c.in[0]), y = view(c, *c.out[0]);
  float *mean = static_cast<float *>(c.out[1]->data), *rstd = static_cast<float *>(c.out[2]->data);
  each_row(c, c.in[0]->shape[0], width, [&](int64_t t, int thread) {
    float *to = open(y, t * width, lane(c, width, 2, 2, thread, 1));
    table.layer(to, table.read(x, t * width, width, lane(c, width, 2, 2, thread, 0)), w, b, c.params[0], width, mean + t, rstd + t);
    table.commit(y, t * width, width, to);
  });
}

/** Rows a partial sum of weight gradients takes. */
int64_t piece_rows(int64_t width) { return std::max<int64_t>(64, kChunk / std::max<int64_t>(1, width)); }

/** The pieces of `sums` gradients lie behind the buffers: piece p of gradient g at (p * sums + g). */
template <class Row>
void backward_rows(const Call &c, int kept, int buffers, int sums, Row row) {
  const int64_t count = c.in[0]->shape[0], width = c.in[0]->shape[1], step = piece_rows(width), n = pieces(count, step);
  const int64_t behind = kept + static_cast<int64_t>(c.pool.threads()) * buffers;
  c.pool.parallel(n, [&](int64_t piece, int thread) {
    float *sum = front(c, behind + piece * sums, width);
    for (int g = 0; g < sums; g++) __builtin_memset(sum + g * row_floats(width), 0, static_cast<size_t>(width) * 4);
    for (int64_t t = piece * step; t < std::min(count, (piece + 1) * step); t++) row(t, thread, sum);
  });
  const NormTable &table = norm_now();
  for (int g = 0; g < sums; g++) {
    if (!c.out[1 + g]) continue;
    float *to = static_cast<float *>(c.out[1 + g]->data);
    __builtin_memset(to, 0, static_cast<size_t>(width) * 4);
    for (int64_t piece = 0; piece < n; piece++) table.add(to, front(c, behind + piece * sums + g, width), width);
  }
}
int64_t backward_scratch(const Call &c, int kept, int buffers, int sums) {
  const int64_t width = c.in[0]->shape[1];
  return (kept + c.pool.threads() * static_cast<int64_t>(buffers) + pieces(c.in[0]->shape[0], piece_rows(width)) * sums) * row_floats(width) * 4;
}

void run_rms_backward(const Call &c) {
  const NormTable &table = norm_now();
  const int64_t width = c.in[0]->shape[1];
  const float *w = weight_row(table, *c.in[2], front(c, 0, width)), *rstd = static_cast<const float *>(c.in[3]->data);
  const View dx = view(c, *c.out[0]);
  View in[6] = {};
  for (int i = 0; i < c.n_in; i++)
    if (c.in[i]) in[i] = view(c, *c.in[i]);
  backward_rows(c, 1, 4, 1, [&](int64_t t, int thread, float *dw) {
    const auto read = [&](int operand, int index) { return table.read(in[operand], t * width, width, lane(c, width, 1, 4, thread, index)); };
    float *to = open(dx, t * width, lane(c, width, 1, 4, thread, 3));
    table.rms_backward(to, c.out[1] ? dw : nullptr, read(0, 0), read(1, 1), w, c.in[4] ? read(4, 2) : nullptr, rstd[t], static_cast<float>(c.params[0]), width);
    table.commit(dx, t * width, width, to);
  });
}

void run_layer_backward(const Call &c) {
  const NormTable &table = norm_now();
  const int64_t width = c.in[0]->shape[1];
  const float *w = weight_row(table, *c.in[2], front(c, 0, width));
  const float *mean = static_cast<const float *>(c.in[3]->data), *rstd = static_cast<const float *>(c.in[4]->data);
  const View dx = view(c, *c.out[0]);
  View in[6] = {};
  for (int i = 0; i < c.n_in; i++)
    if (c.in[i]) in[i] = view(c, *c.in[i]);
  backward_rows(c, 1, 4, 2, [&](int64_t t, int thread, float *sum) {
    const auto read = [&](int operand, int index) { return table.read(in[operand], t * width, width, lane(c, width, 1, 4, thread, index)); };
    float *to = open(dx, t * width, lane(c, width, 1, 4, thread, 3));
    table.layer_backward(to, c.out[1] ? sum : nullptr, c.out[2] ? sum + row_floats(width) : nullptr, read(0, 0), read(1, 1), w, c.in[5] ? read(5, 2) : nullptr, mean[t], rstd[t], width);
    table.commit(dx, t * width, width, to);
  });
}

/** params: base, n (rotated dimensions), interleaved, positionScale, magnitude, inverse */
void run_rope(const Call &c) {
  const NormTable &table = norm_now();
  const int64_t tokens = c.in[0]->shape[0], heads = c.in[0]->shape[1], width = c.in[0]->shape[2], rotated = static_cast<int64_t>(c.params[1]);
  const int32_t *positions = static_cast<const int32_t *>(c.in[1]->data);
  const float *factors = c.in[2] ? static_cast<const float *>(c.in[2]->data) : nullptr;
  double *turns = reinterpret_cast<double *>(c.scratch);
  for (int64_t j = 0; j < rotated / 2; j++)
    turns[j] = std::pow(c.params[0], -2.0 * static_cast<double>(j) / static_cast<double>(rotated)) / (factors ? factors[j] : 1.0) / 6.283185307179586;
  const RopePlan plan{heads, width, rotated, c.params[2] != 0, turns, c.params[3], static_cast<float>(c.params[4]), c.params[5] != 0 ? -1.0f : 1.0f};
  float *buffers = reinterpret_cast<float *>(c.scratch + round_up(rotated * 4, 64));
  const View x = view(c, *c.in[0]), y = view(c, *c.out[0]);
  each_row(c, tokens, heads * width, [&](int64_t t, int thread) {
    float *own = buffers + thread * row_floats(2 * rotated + heads * width);
    table.rope(y, x, t, positions[t], plan, own, own + 2 * rotated);
  });
}
const char *check_rope(const Call &c) {
  if (const char *reason = signature(c, "x:F[T,H,D] positions:I[T] factors:f[N]? -> y:F[T,H,D]", 6)) return reason;
  const double rotated = c.params[1];
  if (!(rotated >= 0) || rotated > static_cast<double>(c.in[0]->shape[2]) || std::fmod(rotated, 2) != 0)
    return refuse("expected an even number of rotated dimensions up to %lld, got %g", static_cast<long long>(c.in[0]->shape[2]), rotated);
  if (c.in[2] && static_cast<double>(c.in[2]->shape[0]) != rotated / 2) return refuse("expected factors for %g pairs, got %lld", rotated / 2, static_cast<long long>(c.in[2]->shape[0]));
  return nullptr;
}

int64_t norm_scratch(const Call &c, int kept) {
  const int64_t width = c.in[0]->shape[1];
  return (kept + c.pool.threads() * 2) * row_floats(width) * 4;
}

const Register registered[] = {
    Register{{"rmsNorm", run_rms, SB_SIGNATURE("x:F[T,D] w:F[D] -> y:F[T,D] rstd:f[T]", 2), [](const Call &c) { return norm_scratch(c, 1); }}},
    Register{{"rmsNormBackward", run_rms_backward, SB_SIGNATURE("dy:F[T,D] x:F[T,D] w:F[D] rstd:f[T] residual:F[T,D]? -> dx:F[T,D] dw:f[D]?", 1),
              [](const Call &c) { return backward_scratch(c, 1, 4, 1); }}},
    Register{{"layerNorm", run_layer, SB_SIGNATURE("x:F[T,D] w:F[D] b:F[D] -> y:F[T,D] mean:f[T] rstd:f[T]", 1), [](const Call &c) { return norm_scratch(c, 2); }}},
    Register{{"layerNormBackward", run_layer_backward,
              SB_SIGNATURE("dy:F[T,D] x:F[T,D] w:F[D] mean:f[T] rstd:f[T] residual:F[T,D]? -> dx:F[T,D] dw:f[D]? db:f[D]?", 0),
              [](const Call &c) { return backward_scratch(c, 1, 4, 2); }}},
    Register{{"rope", run_rope, check_rope,
              [](const Call &c) {
                const int64_t rotated = static_cast<int64_t>(c.params[1]);
                return round_up(rotated * 4, 64) + c.pool.threads() * row_floats(2 * rotated + c.in[0]->shape[1] * c.in[0]->shape[2]) * 4;
              }}},
};

}  // namespace
}  // namespace sb
