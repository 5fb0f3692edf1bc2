/** @file Attention backward of one head on one task: weights are made again from the log sums, then the three gradients. */
#pragma once
#include "attention-tile.hpp"

namespace sb {
namespace SB_TIER {

static inline int64_t padded16(int64_t n) { return (n + 15) / 16 * 16; }
/** q and do [rows, padded], dq [rows, padded], delta [rows], two tiles. */
static int64_t attention_backward_floats(const AttentionJob &job) { return padded16(kTileRows * (3 * job.padded + 1)) + 2 * kTileRows * kTileKeys + 64; }

/** Columns [n0, n1) of a row: scores (times scale) and do.V become the weights p and the scores' gradient ds. */
static inline void backward_row(const AttentionJob &job, float *p, float *ds, int64_t n0, int64_t n1, float lse, float delta, float scale, bool cut, const TileMask &mask, int64_t row) {
  const vf l = splat(lse), d = splat(delta), f = splat(scale);
  if (cut) mask_row(mask, row, p, n0, n1);
  if (job.softcap > 0) {
    const vf cap = splat(job.softcap), none = splat(-__builtin_inff());
    for (int64_t j = n0; j < n1; j += W) {
      const vf raw = load(p + j), t = vtanh(f * raw / cap), weight = select(raw == none, vf{}, vexp_fast(cap * t - l));
      store(p + j, weight);
      store(ds + j, weight * (load(ds + j) - d) * (1.0f - t * t));
    }
    return;
  }
  for (int64_t j = n0; j < n1; j += W) {
    const vf weight = vexp_fast(load(p + j) * f - l);
    store(p + j, weight);
    store(ds + j, weight * (load(ds + j) - d));
  }
}

/** What is not computed counts as 0 in dk and dv. */
static inline void clear_outside(float *row, int64_t n0, int64_t n1, int64_t keys) {
  std::memset(row, 0, static_cast<size_t>(n0) * 4);
  std::memset(row + n1, 0, static_cast<size_t>(keys - n1) * 4);
}

#if defined(SB_PAIRS)
static void backward_pairs(const AttentionJob &job, const AttentionTask &task, int64_t head, float *dk, float *dv, float *work);
#endif

static void attention_backward(const AttentionJob &job, const AttentionTask &task, int64_t head, float *dk, float *dv, float *work) {
#if defined(SB_PAIRS)
  if (job.paired) return backward_pairs(job, task, head, dk, dv, work);
#endif
  const int64_t kv = head / (job.heads / job.kv_heads), width = job.width, padded = job.padded, rows = task.rows;
  float *p = work, *ds = p + kTileRows * kTileKeys, *q = ds + kTileRows * kTileKeys, *d_o = q + kTileRows * padded, *dq = d_o + kTileRows * padded, *delta = dq + kTileRows * padded;
  std::memset(q, 0, static_cast<size_t>(3 * kTileRows * padded) * 4);
  const vf scale = splat(job.scale);
  for (int64_t r = 0; r < rows; r++) {
    const int64_t at = ((task.row + r) * job.heads + head) * width;
    float *o = dq + r * padded;  // for a moment
    widen_to(q + r * padded, job.q, at, width);
    apply(width, q + r * padded, [=](vf x) { return x * scale; }, q + r * padded);
    widen_to(d_o + r * padded, job.d_o, at, width);
    widen_to(o, job.o, at, width);
    delta[r] = static_cast<float>(total(width, [](vf a, vf b) { return a * b; }, o, d_o + r * padded));
    std::memset(o, 0, static_cast<size_t>(width) * 4);
  }
  const float *k_panels = job.k_panels + kv * job.panel_floats, *v_panels = job.v_panels + kv * job.panel_floats, *k_rows = job.k_rows + kv * job.row_floats;
  TileMask mask;
  const int64_t step = strip_rows(rows);
  walk_tiles(job, task, mask, [&](int64_t key, int64_t keys, bool cut) {
    const Product score{q, padded, 1, k_panels + key * width, NR, width * NR, p, kTileKeys};
    const Product slope{d_o, padded, 1, v_panels + key * width, NR, width * NR, ds, kTileKeys};
    const Product to_q{ds, kTileKeys, 1, k_rows + key * padded, padded, NR, dq, padded};
    int64_t seen = rows;  // first row that sees anything of the tile
    for (int64_t r = 0; r < rows; r += step) {
      const int64_t m = rows - r < step ? rows - r : step;
      int64_t first = 0, last = keys;
      if (cut && !seen_by(mask, r, m, keys, &first, &last)) first = last = 0;
      const int64_t n0 = first / NR * NR, n1 = (last + NR - 1) / NR * NR;
      for (int64_t i = r; i < r + m && n1 - n0 < keys; i++) clear_outside(p + i * kTileKeys, n0, n1, keys), clear_outside(ds + i * kTileKeys, n0, n1, keys);
      if (n1 == n0) continue;
      seen = r < seen ? r : seen;
      product<false, false>(score, r, m, n0, n1, 0, width);
      product<false, false>(slope, r, m, n0, n1, 0, width);
      for (int64_t i = r; i < r + m; i++)
        backward_row(job, p + i * kTileKeys, ds + i * kTileKeys, n0, n1, job.lse[(task.row + i) * job.heads + head], delta[i], 1.0f, cut, mask, i);
      product<false, true>(to_q, r, m, 0, padded, first, last);
    }
    if (seen == rows) return;
    const Product to_v{p, 1, kTileKeys, d_o, padded, NR, dv + key * padded, padded};
    const Product to_k{ds, 1, kTileKeys, q, padded, NR, dk + key * padded, padded};
    for (int64_t j = 0; j < keys; j += MR) {
      const int64_t m = keys - j < MR ? keys - j : MR;
      int64_t from = seen;
      if (cut)
        while (from < rows && mask.hi[from] <= j) from++;  // causal: later rows see more
      if (from == rows) continue;
      product<true, true>(to_v, j, m, 0, padded, from, rows);
      product<true, true>(to_k, j, m, 0, padded, from, rows);
    }
  });
  for (int64_t r = 0; r < rows; r++) {
    apply(width, dq + r * padded, [=](vf x) { return x * scale; }, dq + r * padded);
    narrow_from(dq + r * padded, job.dq, ((task.row + r) * job.heads + head) * width, width);
  }
}

static void attention_gather(View y, int64_t at, const float *from, int64_t count, int64_t stride, int64_t n) {
  for (int64_t i = 0; i < n; i += kBlock) {
    alignas(64) float sum[kBlock];
    const int64_t m = n - i < kBlock ? n - i : kBlock;
    std::memcpy(sum, from + i, static_cast<size_t>(m) * 4);
    for (int64_t k = 1; k < count; k++) apply(m, sum, [](vf a, vf b) { return a + b; }, sum, from + k * stride + i);
    narrow_from(sum, y, at + i, m);
  }
}

}  // namespace SB_TIER
}  // namespace sb
