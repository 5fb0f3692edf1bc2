/** @file The arithmetic on one tile: f32 micro-kernel, packing, and the online softmax step. */
#pragma once
#include "attention.h"
#include "view.hpp"

namespace sb {
namespace SB_TIER {

#if SB_W == 16 || defined(__aarch64__)
constexpr int MR = 12;  // 32 registers: 24 sums
#else
constexpr int MR = 6;   // 16 registers: 12 sums
#endif
constexpr int NR = 2 * SB_W;

/** A [m, k] by strides, B [k, n] in panels of NR columns: element (k, n) at b + n/NR*panel + k*ldb + n%NR. */
struct Product {
  const float *a;
  int64_t a_row, a_col;
  const float *b;
  int64_t ldb, panel;
  float *c;
  int64_t ldc;
};

/** A word of A against words of B: one f32 each; with SB_PAIRS also two bf16 each, summed in f32. */
struct F32 {
  static inline vf mul(vf sum, float a, vf b) { return sum + splat(a) * b; }
};
#if defined(SB_PAIRS)
struct Bf16Pairs {
  static inline vf mul(vf sum, float a, vf b) {
    int32_t word;
    std::memcpy(&word, &a, 4);
    const vi x = isplat(word);
#if defined(SB_EMULATE)
    const vi y = as_int(b), high = isplat(static_cast<int32_t>(0xffff0000));
    return (sum + as_float(x << 16) * as_float(y << 16)) + as_float(x & high) * as_float(y & high);
#else
    return reinterpret_cast<vf>(_mm512_dpbf16_ps(reinterpret_cast<__m512>(sum), reinterpret_cast<__m512bh>(x), reinterpret_cast<__m512bh>(b)));
#endif
  }
};
#endif

template <class Op, int M, bool by_column, bool add>
static inline void micro(const float *a, int64_t stride, const float *b, int64_t ldb, float *c, int64_t ldc, int64_t k) {
  vf s0[M], s1[M];
#pragma GCC unroll 12
  for (int i = 0; i < M; i++) {
    s0[i] = add ? load(c + i * ldc) : vf{};
    s1[i] = add ? load(c + i * ldc + W) : vf{};
  }
  for (int64_t p = 0; p < k; p++, b += ldb) {
    const vf b0 = load(b), b1 = load(b + W);
#pragma GCC unroll 12
    for (int i = 0; i < M; i++) {
      const float x = by_column ? a[p * stride + i] : a[i * stride + p];
      s0[i] = Op::mul(s0[i], x, b0);
      s1[i] = Op::mul(s1[i], x, b1);
    }
  }
#pragma GCC unroll 12
  for (int i = 0; i < M; i++) {
    store(c + i * ldc, s0[i]);
    store(c + i * ldc + W, s1[i]);
  }
}

template <class Op, int M, bool by_column, bool add>
static void strip(const float *a, int64_t stride, const Product &g, float *c, int64_t n0, int64_t n1, int64_t k0, int64_t k1) {
  const float *from = by_column ? a + k0 * stride : a + k0;
  for (int64_t n = n0; n < n1; n += NR) micro<Op, M, by_column, add>(from, stride, g.b + n / NR * g.panel + k0 * g.ldb, g.ldb, c + n, g.ldc, k1 - k0);
}

template <class Op, int M, bool by_column, bool add>
static inline void strip_of(int64_t m, const float *a, int64_t stride, const Product &g, float *c, int64_t n0, int64_t n1, int64_t k0, int64_t k1) {
  if constexpr (M > 0) {
    if (m == M) strip<Op, M, by_column, add>(a, stride, g, c, n0, n1, k0, k1);
    else strip_of<Op, M - 1, by_column, add>(m, a, stride, g, c, n0, n1, k0, k1);
  }
}

/** Rows [m0, m0 + m), m <= MR, of C over columns [n0, n1) (whole panels) and words [k0, k1). A by rows (a_col 1) or columns (a_row 1). */
template <bool by_column, bool add, class Op = F32>
static inline void product(const Product &g, int64_t m0, int64_t m, int64_t n0, int64_t n1, int64_t k0, int64_t k1) {
  strip_of<Op, MR, by_column, add>(m, g.a + m0 * g.a_row, by_column ? g.a_col : g.a_row, g, g.c + m0 * g.ldc, n0, n1, k0, k1);
}

/** Rows of one strip when `rows` are spread evenly: no strip is left with a row or two. */
static inline int64_t strip_rows(int64_t rows) {
  const int64_t strips = (rows + MR - 1) / MR;
  return strips ? (rows + strips - 1) / strips : 1;
}

#if defined(__x86_64__)
#if SB_W == 16
typedef __m512 lanes;
static inline lanes quads(const float *const *rows, int64_t d) {
  lanes x = _mm512_castps128_ps512(_mm_loadu_ps(rows[0] + d));
  x = _mm512_insertf32x4(x, _mm_loadu_ps(rows[4] + d), 1);
  x = _mm512_insertf32x4(x, _mm_loadu_ps(rows[8] + d), 2);
  return _mm512_insertf32x4(x, _mm_loadu_ps(rows[12] + d), 3);
}
#define SB_LANES(name) _mm512_##name
#elif SB_W == 8
typedef __m256 lanes;
static inline lanes quads(const float *const *rows, int64_t d) {
  return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(rows[0] + d)), _mm_loadu_ps(rows[4] + d), 1);
}
#define SB_LANES(name) _mm256_##name
#else
typedef __m128 lanes;
static inline lanes quads(const float *const *rows, int64_t d) { return _mm_loadu_ps(rows[0] + d); }
#define SB_LANES(name) _mm_##name
#endif
/** Columns d .. d+3 of W rows, transposed: lane L of four vectors holds rows 4L .. 4L+3, so 4 by 4 within lanes is enough. */
static inline void transpose_quad(const float *const *rows, int64_t d, float *to, int64_t stride) {
  const lanes a = quads(rows, d), b = quads(rows + 1, d), c = quads(rows + 2, d), e = quads(rows + 3, d);
  const lanes ab = SB_LANES(unpacklo_ps)(a, b), ce = SB_LANES(unpacklo_ps)(c, e), ab2 = SB_LANES(unpackhi_ps)(a, b), ce2 = SB_LANES(unpackhi_ps)(c, e);
  store(to, reinterpret_cast<vf>(SB_LANES(shuffle_ps)(ab, ce, 0x44)));
  store(to + stride, reinterpret_cast<vf>(SB_LANES(shuffle_ps)(ab, ce, 0xee)));
  store(to + 2 * stride, reinterpret_cast<vf>(SB_LANES(shuffle_ps)(ab2, ce2, 0x44)));
  store(to + 3 * stride, reinterpret_cast<vf>(SB_LANES(shuffle_ps)(ab2, ce2, 0xee)));
}
#else
static inline void transpose_quad(const float *const *rows, int64_t d, float *to, int64_t stride) {
  for (int64_t c = 0; c < 4; c++)
    for (int64_t r = 0; r < W; r++) to[c * stride + r] = rows[r][d + c];
}
#endif

/** Up to NR rows transposed into one panel [width][NR]; missing rows are zeros. */
static inline void pack_panel(const float *const *source, int64_t count, int64_t width, float *to) {
  if (count < NR) {
    std::memset(to, 0, static_cast<size_t>(width) * NR * 4);
    for (int64_t r = 0; r < count; r++)
      for (int64_t d = 0; d < width; d++) to[d * NR + r] = source[r][d];
    return;
  }
  int64_t d = 0;
  for (; d + 4 <= width; d += 4) {
    transpose_quad(source, d, to + d * NR, NR);
    transpose_quad(source + W, d, to + d * NR + W, NR);
  }
  for (; d < width; d++)
    for (int64_t r = 0; r < NR; r++) to[d * NR + r] = source[r][d];
}

/** Rows [begin, end) of one kv head of K or V as f32: transposed in panels and/or as padded rows, zeros up to the panel's border. */
#if defined(SB_PAIRS)
static void pack_pairs(const AttentionJob &job, View source, int64_t kv_head, int64_t begin, int64_t end, float *panels, float *rows_to);
#endif

static void attention_pack(const AttentionJob &job, View source, int64_t kv_head, int64_t begin, int64_t end, float *panels, float *rows_to) {
#if defined(SB_PAIRS)
  if (job.paired) return pack_pairs(job, source, kv_head, begin, end, panels, rows_to);
#endif
  alignas(64) float buffer[NR * kMaxWidth];
  const float *at[NR];
  const int64_t width = job.width, padded = job.padded;
  for (int64_t r = begin; r < end; r += NR) {
    const int64_t count = end - r < NR ? end - r : NR;
    for (int64_t i = 0; i < NR && rows_to; i++) {
      float *to = rows_to + (r + i) * padded;
      if (i < count) widen_to(to, source, ((r + i) * job.kv_heads + kv_head) * width, width);
      const int64_t filled = i < count ? width : 0;
      std::memset(to + filled, 0, static_cast<size_t>(padded - filled) * 4);
    }
    if (!panels) continue;
    for (int64_t i = 0; i < count; i++)
      at[i] = rows_to ? rows_to + (r + i) * padded : read_row(source, ((r + i) * job.kv_heads + kv_head) * width, width, buffer + i * kMaxWidth);
    pack_panel(at, count, width, panels + r * width);
  }
}

/** What of a key tile each row sees: columns [lo, hi), and where a window cuts, by positions. */
struct TileMask {
  int32_t lo[kTileRows], hi[kTileRows];
  bool windowed;              // some row is cut by the window inside this tile
  const int32_t *row_position;  // of the tile's rows
  int32_t key_position[kTileKeys];
  int64_t window;
  bool causal;
};

/** Columns [first, last) that any of rows [r, r + m) sees; false when there are none. */
static inline bool seen_by(const TileMask &mask, int64_t r, int64_t m, int64_t keys, int64_t *first, int64_t *last) {
  *first = keys, *last = 0;
  for (int64_t i = r; i < r + m; i++) {
    if (mask.hi[i] <= mask.lo[i]) continue;
    *first = mask.lo[i] < *first ? mask.lo[i] : *first;
    *last = mask.hi[i] > *last ? mask.hi[i] : *last;
  }
  return *last > *first;
}

static inline bool in_window(const TileMask &mask, int64_t row, int64_t key) {
  const int64_t d = static_cast<int64_t>(mask.row_position[row]) - mask.key_position[key];
  return d < mask.window && (mask.causal || -d < mask.window);
}

/** Scores a row must not see become -Infinity, from column n0 to n1. */
static inline void mask_row(const TileMask &mask, int64_t row, float *s, int64_t n0, int64_t n1) {
  const float none = -__builtin_inff();
  for (int64_t j = n0; j < mask.lo[row] && j < n1; j++) s[j] = none;
  for (int64_t j = mask.hi[row] > n0 ? mask.hi[row] : n0; j < n1; j++) s[j] = none;
  if (mask.windowed)
    for (int64_t j = mask.lo[row]; j < mask.hi[row]; j++)
      if (!in_window(mask, row, j)) s[j] = none;
}

static inline vf capped(vf s, vf cap) { return cap * vtanh(s / cap); }

/** One row of the online softmax over columns [n0, n1): scores (times scale) become weights; the running maximum, sum and output follow. */
static inline void softmax_step(float *s, int64_t n0, int64_t n1, float scale, float softcap, bool cut, const TileMask &mask, int64_t row, float *most, float *sum, float *o, int64_t padded) {
  if (softcap > 0 || scale <= 0) {
    const vf cap = splat(softcap), f = splat(scale);
    for (int64_t j = n0; j < n1; j += W) store(s + j, softcap > 0 ? capped(f * load(s + j), cap) : f * load(s + j));
    scale = 1;
  }
  if (cut) mask_row(mask, row, s, n0, n1);
  vf top = load(s + n0), other = load(s + n0 + W);
  for (int64_t j = n0 + NR; j < n1; j += NR) {
    top = vmax(top, load(s + j));
    other = vmax(other, load(s + j + W));
  }
  const float here = lanes_max(vmax(top, other)) * scale, before = *most, now = here > before || here != here ? here : before;  // NaN wins
  if (now == -__builtin_inff()) {  // nothing seen yet
    for (int64_t j = n0; j < n1; j += W) store(s + j, vf{});
    return;
  }
  const vf m = splat(now), f = splat(scale);
  vf total0{}, total1{};
  for (int64_t j = n0; j < n1; j += NR) {
    const vf e0 = vexp_fast(load(s + j) * f - m), e1 = vexp_fast(load(s + j + W) * f - m);
    store(s + j, e0);
    store(s + j + W, e1);
    total0 += e0;
    total1 += e1;
  }
  const float added = lanes_sum(total0 + total1);
  if (now != before) {
    const vf keep = vexp_fast(splat(before) - m);
    for (int64_t d = 0; d < padded; d += W) store(o + d, load(o + d) * keep);
    *sum = *sum * keep[0] + added;
    *most = now;
  } else {
    *sum += added;
  }
}

/** Walks what the rows of a task see: ranges of keys from its own segment up through the ancestors, neighbours joined,
 * cut into tiles that begin on a panel's border. `visit(key, keys, mask, cut)`. */
template <class Visit>
static void walk_tiles(const AttentionJob &job, const AttentionTask &task, TileMask &mask, Visit visit) {
  int32_t row_positions[kTileRows];
  int32_t row_least = INT32_MAX, row_most = INT32_MIN;
  for (int64_t r = 0; r < task.rows; r++) {
    row_positions[r] = job.positions ? job.positions[task.row + r] : static_cast<int32_t>(task.row + r);
    row_least = row_positions[r] < row_least ? row_positions[r] : row_least;
    row_most = row_positions[r] > row_most ? row_positions[r] : row_most;
  }
  mask.row_position = row_positions;
  mask.window = job.window;
  mask.causal = job.causal;
  int32_t segment = task.segment;
  bool own = true;
  while (segment >= 0) {
    int64_t lo = job.starts[segment], hi = own && job.causal ? task.row + task.rows : job.ends[segment];
    int32_t next = job.parents[segment];
    while (next >= 0 && job.ends[next] == lo) {
      lo = job.starts[next];
      next = job.parents[next];
    }
    for (int64_t key = lo / NR * NR; key < hi; key += kTileKeys) {
      const int64_t keys = hi - key < kTileKeys ? (hi - key + NR - 1) / NR * NR : kTileKeys;
      bool cut = key < lo || key + keys > hi;
      for (int64_t r = 0; r < task.rows; r++) {
        const int64_t last = own && job.causal ? task.row + r + 1 : hi;
        mask.lo[r] = static_cast<int32_t>(lo > key ? lo - key : 0);
        mask.hi[r] = static_cast<int32_t>(last - key < 0 ? 0 : last - key < keys ? last - key : keys);
        cut = cut || mask.hi[r] < keys;
      }
      mask.windowed = false;
      if (job.window > 0) {
        int32_t key_least = INT32_MAX, key_most = INT32_MIN;
        for (int64_t j = mask.lo[0]; j < keys && key + j < hi; j++) {
          const int32_t at = job.positions ? job.positions[key + j] : static_cast<int32_t>(key + j);
          mask.key_position[j] = at;
          key_least = at < key_least ? at : key_least;
          key_most = at > key_most ? at : key_most;
        }
        const int64_t nearest = static_cast<int64_t>(row_least) - key_most, farthest = static_cast<int64_t>(row_most) - key_least;
        const int64_t ahead = static_cast<int64_t>(key_least) - row_most, far_ahead = static_cast<int64_t>(key_most) - row_least;
        if (nearest >= job.window || (!job.causal && ahead >= job.window)) continue;
        mask.windowed = farthest >= job.window || (!job.causal && far_ahead >= job.window);
      }
      visit(key, keys, cut || mask.windowed);
    }
    segment = next;
    own = false;
  }
}

}  // namespace SB_TIER
}  // namespace sb
