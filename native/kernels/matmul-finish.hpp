/** @file The ends of a product: the epilogue on tiles, dot products for few rows, helpers on rows of f32. */
#pragma once
#include "math.hpp"
#include "matmul-loss.hpp"
#include "matmul-pack.hpp"

namespace sb {
namespace SB_TIER {

static inline vf activate(vf v, Activation a) {
  switch (a) {
    case Activation::relu: return select(v < vf{}, vf{}, v);  // NaN stays
    case Activation::gelu: return v * vnormal(v);
    case Activation::geluTanh: return 0.5f * v * (1.0f + vtanh(0.7978845608f * (v + 0.044715f * v * v * v)));
    case Activation::silu: return v / (1.0f + vexp(-v));
    default: return v;
  }
}

/** `count` floats or bf16, the rest of the vector zero. */
static inline vf load_some(const void *base, bool bf16, int64_t at, int count) {
  if (bf16) {
    const uint16_t *p = static_cast<const uint16_t *>(base) + at;
    if (count == SB_W) return load(p);
    uint16_t line[SB_W] = {};
    std::memcpy(line, p, static_cast<size_t>(count) * 2);
    return load(line);
  }
  const float *p = static_cast<const float *>(base) + at;
  if (count == SB_W) return load(p);
  vf v{};
  std::memcpy(&v, p, static_cast<size_t>(count) * 4);
  return v;
}
static inline void store_some(void *base, bool bf16, int64_t at, int count, vf v) {
  if (bf16) {
    uint16_t *p = static_cast<uint16_t *>(base) + at;
    if (count == SB_W) return store(p, v);
    uint16_t line[SB_W];
    store(line, v);
    std::memcpy(p, line, static_cast<size_t>(count) * 2);
  } else {
    float *p = static_cast<float *>(base) + at;
    if (count == SB_W) return store(p, v);
    std::memcpy(p, &v, static_cast<size_t>(count) * 4);
  }
}

static void finish_row(const Epilogue &e, int64_t row, int64_t column, int64_t columns, const float *values) {
  const int group = e.group ? e.group[row] : 0;
  const float *low = e.low && group >= 0 ? e.low + row * e.rank : nullptr;
  for (int64_t c = 0; c < columns; c += SB_W) {
    const int count = columns - c < SB_W ? static_cast<int>(columns - c) : SB_W;
    vf v = load_some(values, false, c, count);
    if (e.scale != 1.0f) v *= e.scale;
    if (e.bias) v += load_some(e.bias, false, column + c, count);
    if (low) {
      const float *base = e.up + group * e.rank * e.n + column + c;
      for (int64_t r = 0; r < e.rank; r++) v += splat(low[r]) * load_some(base + r * e.n, false, 0, count);
    }
    if (e.activation != Activation::none) v = activate(v, e.activation);
    const int64_t at = row * e.n + column + c;
    if (e.residual) v += load_some(e.residual, e.residual_bf16, at, count);
    store_some(e.y, e.y_bf16, at, count, v);
  }
}

static void finish(const Epilogue &e, int64_t row, int64_t rows, int64_t column, int64_t columns, float *tile, int64_t ld) {
  for (int64_t r = 0; r < rows; r++) finish_row(e, row + r, column, columns, tile + r * ld);
}

constexpr int kPanelAhead = 1024;  // bytes

/** R rows of w against M of x, both contiguous along k. */
template <class T, int R, int M>
static void dot_block(const float *x, const T *const *w, int64_t k, float *out, int64_t out_ld) {
  vf acc[R][M];
  for (auto &line : acc)
    for (vf &v : line) v = vf{};
  int64_t j = 0;
  for (; j + SB_W <= k; j += SB_W) {
    vf line[R];
#pragma GCC unroll 8
    for (int r = 0; r < R; r++) line[r] = load(w[r] + j);
#pragma GCC unroll 4
    for (int m = 0; m < M; m++) {
      const vf v = load(x + m * k + j);
#pragma GCC unroll 8
      for (int r = 0; r < R; r++) acc[r][m] += line[r] * v;
    }
  }
  float sum[R][M];
  for (int r = 0; r < R; r++)
    for (int m = 0; m < M; m++) sum[r][m] = lanes_sum(acc[r][m]);
  for (; j < k; j++)
    for (int r = 0; r < R; r++)
      for (int m = 0; m < M; m++) sum[r][m] += load1(w[r] + j) * x[m * k + j];
  for (int m = 0; m < M; m++)
    for (int r = 0; r < R; r++) out[m * out_ld + r] = sum[r][m];
}

template <class T, int R>
static void dot_rows(const float *x, int64_t m, int64_t k, const T *const *w, float *out, int64_t out_ld) {
  for (; m >= 3; m -= 3, x += 3 * k, out += 3 * out_ld) dot_block<T, R, 3>(x, w, k, out, out_ld);
  if (m == 2) dot_block<T, R, 2>(x, w, k, out, out_ld);
  if (m == 1) dot_block<T, R, 1>(x, w, k, out, out_ld);
}

template <class T>
static void dot_type(const float *x, int64_t m, int64_t k, const Source &s, int64_t first, int64_t count, float *out, int64_t out_ld) {
  int64_t i = 0;
  const T *row[8];
  const T *data = static_cast<const T *>(s.data);
  const int wide = m == 1 ? 8 : 4;
  for (; i + wide <= count; i += wide) {
    for (int r = 0; r < wide; r++) row[r] = data + (first + i + r) * s.ld;
    if (wide == 8) dot_block<T, 8, 1>(x, row, k, out + i, out_ld);
    else dot_rows<T, 4>(x, m, k, row, out + i, out_ld);
  }
  for (; i < count; i++) {
    row[0] = data + (first + i) * s.ld;
    dot_rows<T, 1>(x, m, k, row, out + i, out_ld);
  }
}
static void dot(const float *x, int64_t m, int64_t k, const Source &s, int64_t first, int64_t count, float *out, int64_t out_ld) {
  if (s.type == SB_F32) dot_type<float>(x, m, k, s, first, count, out, out_ld);
  else if (s.type == SB_BF16) dot_type<uint16_t>(x, m, k, s, first, count, out, out_ld);
  else dot_type<half>(x, m, k, s, first, count, out, out_ld);
}

/** One element of k of a packed panel: NR values widened to f32; for pairs, of two neighbours. */
template <class T> struct PanelOf {
  static constexpr int step = 1, bytes = NR * static_cast<int>(sizeof(T));
  static inline void at(const char *panel, int64_t unit, vf (*line)[NV]) {
#pragma GCC unroll 4
    for (int v = 0; v < NV; v++) line[0][v] = load(reinterpret_cast<const T *>(panel) + unit * NR + v * SB_W);
  }
};
struct Pairs {};
template <> struct PanelOf<Pairs> {
  static constexpr int step = 2, bytes = NR * 4;
  static inline void at(const char *panel, int64_t unit, vf (*line)[NV]) {
    const uint32_t *words = reinterpret_cast<const uint32_t *>(panel) + unit * NR;
#pragma GCC unroll 4
    for (int v = 0; v < NV; v++) {
      vu both;
      std::memcpy(&both, words + v * SB_W, sizeof both);
      line[0][v] = reinterpret_cast<vf>(both << 16);
      line[1][v] = reinterpret_cast<vf>(both & 0xffff0000u);
    }
  }
};

/** M rows of x against P panels that lie one behind the other. One sum an element, along k, as the tiles have it: the same
 * bits for any number of rows. Memory is the limit: lines are asked for early, since hardware stops at a page's end. */
template <class T, int M, int P>
static void panel_block(const float *x, int64_t k, const char *panel, float *out, int64_t out_ld) {
  using Panel = PanelOf<T>;
  constexpr int step = Panel::step;
  const int64_t units = (k + step - 1) / step, stride = units * Panel::bytes;
  vf acc[P][M][NV];
  for (auto &one : acc)
    for (auto &row : one)
      for (vf &v : row) v = vf{};
#pragma GCC unroll 4
  for (int64_t u = 0; u < units; u++) {
#pragma GCC unroll 2
    for (int p = 0; p < P; p++) {
      vf line[step][NV];
      Panel::at(panel + p * stride, u, line);
      if (M == 1) __builtin_prefetch(panel + p * stride + u * Panel::bytes + kPanelAhead);
#pragma GCC unroll 2
      for (int s = 0; s < step; s++) {
        if (step > 1 && u * step + s >= k) break;  // an odd k: the last half pair is no element
#pragma GCC unroll 4
        for (int m = 0; m < M; m++) {
          const vf value = broadcast(x + m * k + u * step + s);
#pragma GCC unroll 4
          for (int v = 0; v < NV; v++) acc[p][m][v] += value * line[s][v];
        }
      }
    }
  }
  for (int p = 0; p < P; p++)
    for (int m = 0; m < M; m++)
      for (int v = 0; v < NV; v++) store(out + m * out_ld + p * NR + v * SB_W, acc[p][m][v]);
}
template <class T, int P>
static void panel_rows(const float *x, int64_t m, int64_t k, const char *panel, float *out, int64_t out_ld) {
  for (; m >= 3; m -= 3, x += 3 * k, out += 3 * out_ld) panel_block<T, 3, P>(x, k, panel, out, out_ld);
  if (m == 2) panel_block<T, 2, P>(x, k, panel, out, out_ld);
  if (m == 1) panel_block<T, 1, P>(x, k, panel, out, out_ld);
}
template <class T>
static void panel_all(const float *x, int64_t m, int64_t k, const char *panel, int64_t panels, float *out, int64_t out_ld) {
  const int64_t stride = (k + PanelOf<T>::step - 1) / PanelOf<T>::step * PanelOf<T>::bytes;
  for (; panels >= 2; panels -= 2, panel += 2 * stride, out += 2 * NR) panel_rows<T, 2>(x, m, k, panel, out, out_ld);
  if (panels == 1) panel_rows<T, 1>(x, m, k, panel, out, out_ld);
}
static void dot_panels(const float *x, int64_t m, int64_t k, const void *data, int64_t panels, int32_t type, bool pairs, float *out, int64_t out_ld) {
  const char *panel = static_cast<const char *>(data);
  if (pairs) panel_all<Pairs>(x, m, k, panel, panels, out, out_ld);
  else if (type == SB_F32) panel_all<float>(x, m, k, panel, panels, out, out_ld);
  else if (type == SB_BF16) panel_all<uint16_t>(x, m, k, panel, panels, out, out_ld);
  else panel_all<half>(x, m, k, panel, panels, out, out_ld);
}

template <class T>
static void widen_type(const T *from, int64_t count, float *to) {
  int64_t i = 0;
  for (; i + SB_W <= count; i += SB_W) store(to + i, load(from + i));
  for (; i < count; i++) to[i] = load1(from + i);
}
static void widen_floats(const void *from, int32_t type, int64_t at, int64_t count, float *to) {
  if (type == SB_F32) widen_type(static_cast<const float *>(from) + at, count, to);
  else if (type == SB_BF16) widen_type(static_cast<const uint16_t *>(from) + at, count, to);
  else widen_type(static_cast<const half *>(from) + at, count, to);
}
static void narrow_floats(const float *from, int64_t count, uint16_t *to) {
  int64_t i = 0;
  for (; i + SB_W <= count; i += SB_W) store(to + i, load(from + i));
  for (; i < count; i++) to[i] = narrow(from[i]);
}

static void add_values(float *to, const float *from, int64_t count, float factor) {
  int64_t i = 0;
  for (; i + SB_W <= count; i += SB_W) store(to + i, load(to + i) + load(from + i) * factor);
  for (; i < count; i++) to[i] += from[i] * factor;
}
static void scale_values(float *values, int64_t count, float factor) {
  int64_t i = 0;
  for (; i + SB_W <= count; i += SB_W) store(values + i, load(values + i) * factor);
  for (; i < count; i++) values[i] *= factor;
}

#if defined(SB_DOT_X86) || defined(SB_DOT_NEON)
static void turn_pairs(const uint32_t *block, int64_t pairs, uint32_t *dst) {
  for (int g = 0; g < NR; g += SB_W) {
    vf v[SB_W];
    for (int i = 0; i < SB_W; i++) v[i] = i < pairs ? load(reinterpret_cast<const float *>(block + i * NR + g)) : vf{};
    transpose(v);  // v[n] now runs over the pairs of k
    for (int n = 0; n < SB_W; n += 2) {
      const vu first = reinterpret_cast<vu>(v[n]), second = reinterpret_cast<vu>(v[n + 1]);
      const vu even = (first & 0xffffu) | (second << 16), odd = (first >> 16) | (second & 0xffff0000u);
      vu low, high;
      for (int i = 0; i < SB_W; i++) {
        low[i] = i % 2 ? odd[i / 2] : even[i / 2];
        high[i] = i % 2 ? odd[SB_W / 2 + i / 2] : even[SB_W / 2 + i / 2];
      }
      std::memcpy(dst + (g + n) / 2 * NR, &low, sizeof low);
      std::memcpy(dst + (g + n) / 2 * NR + SB_W, &high, sizeof high);
    }
  }
}
#endif

static const Engine engine_f32 = {MR, NR, SB_W, 1, tile<Fma, NV>, tile<Fma, 1>, pack_f32};
#if defined(SB_DOT_X86) || defined(SB_DOT_NEON)
static const Engine engine_bf16 = {MR, NR, SB_W, 2, tile<Dot, NV>, tile<Dot, 1>, pack_pairs};
#define SB_MATMUL_BF16 &sb::SB_TIER::engine_bf16, sb::SB_TIER::turn_pairs
#else
#define SB_MATMUL_BF16 nullptr, nullptr
#endif

}  // namespace SB_TIER
}  // namespace sb

#define SB_MATMUL_TABLE                                                                                         \
  {                                                                                                             \
    &sb::SB_TIER::engine_f32, SB_MATMUL_BF16, sb::SB_TIER::finish, sb::SB_TIER::dot, sb::SB_TIER::dot_panels, sb::SB_TIER::widen_floats, \
        sb::SB_TIER::narrow_floats, sb::SB_TIER::softmax_row, sb::SB_TIER::gradient_row,   \
        sb::SB_TIER::add_values, sb::SB_TIER::scale_values                                                      \
  }
