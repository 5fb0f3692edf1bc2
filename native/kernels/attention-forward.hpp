/** @file Attention forward on a task: every key tile is read once for all query heads that share it. */
#pragma once
#include "attention-tile.hpp"

namespace sb {
namespace SB_TIER {

/** Buffers of one task: a head takes q [rows, D], o [rows, padded] and two figures a row; the scores' tile is shared. */
struct ForwardWork {
  float *q, *o, *most, *sum, *scores;
};
static inline int64_t forward_head_floats(const AttentionJob &job) { return kTileRows * ((job.width + 15) / 16 * 16 + job.padded + 2); }
static int64_t attention_forward_floats(const AttentionJob &job, int64_t heads) { return (heads * forward_head_floats(job) + kTileRows * kTileKeys + 31) / 16 * 16; }
static inline ForwardWork forward_work(const AttentionJob &job, float *work, int64_t head, int64_t heads) {
  float *at = work + kTileRows * kTileKeys + head * forward_head_floats(job);
  (void)heads;
  ForwardWork w;
  w.scores = work;
  w.q = at;
  w.o = w.q + kTileRows * ((job.width + 15) / 16 * 16);
  w.most = w.o + kTileRows * job.padded;
  w.sum = w.most + kTileRows;
  return w;
}

static void forward_begin(const AttentionJob &job, const ForwardWork &w, int64_t row, int64_t rows, int64_t head) {
  for (int64_t r = 0; r < rows; r++) {
    float *to = w.q + r * job.width;
    widen_to(to, job.q, ((row + r) * job.heads + head) * job.width, job.width);
    const vf scale = splat(job.scale);
    apply(job.width, to, [=](vf x) { return x * scale; }, to);
    w.most[r] = -__builtin_inff();
    w.sum[r] = 0;
  }
  std::memset(w.o, 0, static_cast<size_t>(rows * job.padded) * 4);
}

/** Scores, softmax step and o += weights * V for one tile. `panels` and `values` begin at the tile. */
static void forward_tile(const AttentionJob &job, const ForwardWork &w, int64_t rows, const float *panels, const float *values, int64_t keys, const TileMask &mask, bool cut) {
  const Product score{w.q, job.width, 1, panels, NR, job.width * NR, w.scores, kTileKeys};
  const Product value{w.scores, kTileKeys, 1, values, job.padded, NR, w.o, job.padded};
  const int64_t step = strip_rows(rows);
  for (int64_t r = 0; r < rows; r += step) {
    const int64_t m = rows - r < step ? rows - r : step;
    int64_t first = 0, last = keys;
    if (cut && !seen_by(mask, r, m, keys, &first, &last)) continue;
    const int64_t n0 = first / NR * NR, n1 = (last + NR - 1) / NR * NR;
    product<false, false>(score, r, m, n0, n1, 0, job.width);
    for (int64_t i = r; i < r + m; i++)
      softmax_step(w.scores + i * kTileKeys, n0, n1, 1.0f, job.softcap, cut, mask, i, w.most + i, w.sum + i, w.o + i * job.padded, job.padded);
    product<false, true>(value, r, m, 0, job.padded, first, last);
  }
}

static void forward_end(const AttentionJob &job, const ForwardWork &w, int64_t row, int64_t rows, int64_t head) {
  for (int64_t r = 0; r < rows; r++) {
    float *o = w.o + r * job.padded;
    const float sum = w.sum[r];
    const vf inverse = splat(sum == 0 ? 0.0f : 1.0f / sum);
    apply(job.width, o, [=](vf x) { return x * inverse; }, o);
    narrow_from(o, job.o, ((row + r) * job.heads + head) * job.width, job.width);
    if (job.lse) job.lse[(row + r) * job.heads + head] = sum == 0 ? -__builtin_inff() : w.most[r] + __builtin_logf(sum);
  }
}

#if defined(SB_PAIRS)
static void forward_pairs(const AttentionJob &job, const AttentionTask &task, int64_t head, int64_t heads, float *work);
#endif

static void attention_forward(const AttentionJob &job, const AttentionTask &task, int64_t head, int64_t heads, float *work) {
#if defined(SB_PAIRS)
  if (job.paired) return forward_pairs(job, task, head, heads, work);
#endif
  const int64_t kv = head / (job.heads / job.kv_heads);
  for (int64_t h = 0; h < heads; h++) forward_begin(job, forward_work(job, work, h, heads), task.row, task.rows, head + h);
  const float *panels = job.k_panels + kv * job.panel_floats, *values = job.v_rows + kv * job.row_floats;
  TileMask mask;
  walk_tiles(job, task, mask, [&](int64_t key, int64_t keys, bool cut) {
    for (int64_t h = 0; h < heads; h++)
      forward_tile(job, forward_work(job, work, h, heads), task.rows, panels + key * job.width, values + key * job.padded, keys, mask, cut);
  });
  for (int64_t h = 0; h < heads; h++) forward_end(job, forward_work(job, work, h, heads), task.row, task.rows, head + h);
}

}  // namespace SB_TIER
}  // namespace sb
