/** @file Attention on bf16 operands with vdpbf16ps: two neighbours along the summed dimension are one word, sums are f32.
 * Queries and do are read where they lie; weights and the scores' gradients are rounded to bf16 before they are multiplied. */
#pragma once
#include "attention-backward.hpp"
#include "attention-forward.hpp"

namespace sb {
namespace SB_TIER {

static inline const float *words(View v, int64_t at) { return reinterpret_cast<const float *>(v.data + at * 2); }

/** Words of a[i] (low half) and b[i] (high half); b may be null: zeros. Zeros from n to `padded`. */
static inline void pair_rows(const uint16_t *a, const uint16_t *b, int64_t n, int64_t padded, float *to) {
  uint32_t *out = reinterpret_cast<uint32_t *>(to);
  int64_t i = 0;
  for (; i + W <= n; i += W) {
    const vu x = __builtin_convertvector(*reinterpret_cast<const vhu *>(a + i), vu);
    const vu y = b ? __builtin_convertvector(*reinterpret_cast<const vhu *>(b + i), vu) : vu{};
    store(to + i, reinterpret_cast<vf>(x | y << 16));
  }
  for (; i < n; i++) out[i] = a[i] | static_cast<uint32_t>(b ? b[i] : 0) << 16;
  for (; i < padded; i++) out[i] = 0;
}

static void pack_pairs(const AttentionJob &job, View source, int64_t kv_head, int64_t begin, int64_t end, float *panels, float *rows_to) {
  const int64_t half = job.width / 2;
  const auto place = [&](int64_t row) { return (row * job.kv_heads + kv_head) * job.width; };
  for (int64_t r = begin; r < end; r += NR) {
    const int64_t count = end - r < NR ? end - r : NR;
    const float *at[NR];
    for (int64_t i = 0; i < count; i++) at[i] = words(source, place(r + i));
    if (panels) pack_panel(at, count, half, panels + r * half);
    for (int64_t i = 0; i < NR && rows_to; i += 2) {
      float *to = rows_to + (r + i) / 2 * job.padded;
      if (i >= count) std::memset(to, 0, static_cast<size_t>(job.padded) * 4);
      else pair_rows(reinterpret_cast<const uint16_t *>(at[i]), i + 1 < count ? reinterpret_cast<const uint16_t *>(at[i + 1]) : nullptr, job.width, job.padded, to);
    }
  }
}

/** 2 W floats as W words of bf16, in order. */
static inline void narrow_words(float *to, const float *x) {
#if defined(SB_EMULATE)
  store(reinterpret_cast<uint16_t *>(to), load(x));
  store(reinterpret_cast<uint16_t *>(to) + W, load(x + W));
#else
  const __m512bh both = _mm512_cvtne2ps_pbh(reinterpret_cast<__m512>(load(x + W)), reinterpret_cast<__m512>(load(x)));
  std::memcpy(to, &both, sizeof both);
#endif
}
/** W words with a[i] low and b[i] high. */
static inline void narrow_pairs(float *to, vf a, vf b) {
#if defined(SB_EMULATE)
  uint16_t low[W], high[W];
  store(low, a);
  store(high, b);
  pair_rows(low, high, W, W, to);
#else
  const __m512bh both = _mm512_cvtne2ps_pbh(reinterpret_cast<__m512>(b), reinterpret_cast<__m512>(a));
  typedef uint16_t words16 __attribute__((vector_size(64)));
  const words16 order = {0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  const __m512i mixed = _mm512_permutexvar_epi16(reinterpret_cast<__m512i>(order), reinterpret_cast<__m512i>(both));
  std::memcpy(to, &mixed, sizeof mixed);
#endif
}

static void forward_pairs(const AttentionJob &job, const AttentionTask &task, int64_t head, int64_t heads, float *work) {
  const int64_t kv = head / (job.heads / job.kv_heads), half = job.width / 2, rows = task.rows, step = strip_rows(rows);
  for (int64_t h = 0; h < heads; h++) {
    const ForwardWork w = forward_work(job, work, h, heads);
    for (int64_t r = 0; r < rows; r++) w.most[r] = -__builtin_inff(), w.sum[r] = 0;
    std::memset(w.o, 0, static_cast<size_t>(rows * job.padded) * 4);
  }
  const float *panels = job.k_panels + kv * job.panel_floats, *values = job.v_rows + kv * job.row_floats;
  alignas(64) float weights[MR * kTileKeys / 2];  // of one strip, as words
  TileMask mask;
  walk_tiles(job, task, mask, [&](int64_t key, int64_t keys, bool cut) {
    for (int64_t h = 0; h < heads; h++) {
      const ForwardWork w = forward_work(job, work, h, heads);
      const Product score{words(job.q, (task.row * job.heads + head + h) * job.width), job.heads * half, 1, panels + key * half, NR, half * NR, w.scores, kTileKeys};
      for (int64_t r = 0; r < rows; r += step) {
        const int64_t m = rows - r < step ? rows - r : step;
        int64_t first = 0, last = keys;
        if (cut && !seen_by(mask, r, m, keys, &first, &last)) continue;
        const int64_t n0 = first / NR * NR, n1 = (last + NR - 1) / NR * NR;
        product<false, false, Bf16Pairs>(score, r, m, n0, n1, 0, half);
        for (int64_t i = 0; i < m; i++) {
          float *s = w.scores + (r + i) * kTileKeys;
          softmax_step(s, n0, n1, job.scale, job.softcap, cut, mask, r + i, w.most + r + i, w.sum + r + i, w.o + (r + i) * job.padded, job.padded);
          for (int64_t j = n0; j < n1; j += NR) narrow_words(weights + i * kTileKeys / 2 + j / 2, s + j);
        }
        const Product value{weights, kTileKeys / 2, 1, values + key / 2 * job.padded, job.padded, NR, w.o + r * job.padded, job.padded};
        product<false, true, Bf16Pairs>(value, 0, m, 0, job.padded, first / 2, (last + 1) / 2);
      }
    }
  });
  for (int64_t h = 0; h < heads; h++) forward_end(job, forward_work(job, work, h, heads), task.row, rows, head + h);
}

static void backward_pairs(const AttentionJob &job, const AttentionTask &task, int64_t head, float *dk, float *dv, float *work) {
  const int64_t kv = head / (job.heads / job.kv_heads), width = job.width, padded = job.padded, half = width / 2, rows = task.rows, pairs = (rows + 1) / 2;
  // The same room as the f32 form: two tiles of f32, then q and do as pairs of rows (half the room each), dq, delta.
  float *p = work, *ds = p + kTileRows * kTileKeys, *q_pairs = ds + kTileRows * kTileKeys, *do_pairs = q_pairs + kTileRows / 2 * padded;
  float *dq = do_pairs + kTileRows / 2 * padded, *delta = dq + kTileRows * padded;
  alignas(64) float ds_words[MR * kTileKeys / 2], p_pairs[kTileRows / 2 * kTileKeys], ds_pairs[kTileRows / 2 * kTileKeys];
  const auto place = [&](int64_t r) { return ((task.row + r) * job.heads + head) * width; };
  const auto halves = [](View v, int64_t at) { return reinterpret_cast<const uint16_t *>(v.data) + at; };
  for (int64_t r = 0; r < rows; r++) {
    float *o = dq, *d_o = dq + padded;  // for a moment
    widen_to(o, job.o, place(r), width);
    widen_to(d_o, job.d_o, place(r), width);
    delta[r] = static_cast<float>(total(width, [](vf a, vf b) { return a * b; }, o, d_o));
    if (r % 2) continue;
    pair_rows(halves(job.q, place(r)), r + 1 < rows ? halves(job.q, place(r + 1)) : nullptr, width, padded, q_pairs + r / 2 * padded);
    pair_rows(halves(job.d_o, place(r)), r + 1 < rows ? halves(job.d_o, place(r + 1)) : nullptr, width, padded, do_pairs + r / 2 * padded);
  }
  std::memset(dq, 0, static_cast<size_t>(rows * padded) * 4);
  const float *k_panels = job.k_panels + kv * job.panel_floats, *v_panels = job.v_panels + kv * job.panel_floats, *k_rows = job.k_rows + kv * job.row_floats;
  const vf scale = splat(job.scale);
  const int64_t step = strip_rows(rows);
  TileMask mask;
  walk_tiles(job, task, mask, [&](int64_t key, int64_t keys, bool cut) {
    const Product score{words(job.q, place(0)), job.heads * half, 1, k_panels + key * half, NR, half * NR, p, kTileKeys};
    const Product slope{words(job.d_o, place(0)), job.heads * half, 1, v_panels + key * half, NR, half * NR, ds, kTileKeys};
    int64_t seen = rows;
    for (int64_t r = 0; r < rows; r += step) {
      const int64_t m = rows - r < step ? rows - r : step;
      int64_t first = 0, last = keys;
      if (cut && !seen_by(mask, r, m, keys, &first, &last)) first = last = 0;
      const int64_t n0 = first / NR * NR, n1 = (last + NR - 1) / NR * NR;
      for (int64_t i = r; i < r + m && n1 - n0 < keys; i++) clear_outside(p + i * kTileKeys, n0, n1, keys), clear_outside(ds + i * kTileKeys, n0, n1, keys);
      if (n1 == n0) continue;
      seen = r < seen ? r : seen;
      product<false, false, Bf16Pairs>(score, r, m, n0, n1, 0, half);
      product<false, false, Bf16Pairs>(slope, r, m, n0, n1, 0, half);
      for (int64_t i = 0; i < m; i++) {
        float *gradient = ds + (r + i) * kTileKeys;
        backward_row(job, p + (r + i) * kTileKeys, gradient, n0, n1, job.lse[(task.row + r + i) * job.heads + head], delta[r + i], job.scale, cut, mask, r + i);
        for (int64_t j = n0; j < n1; j += W) store(gradient + j, load(gradient + j) * scale);
        for (int64_t j = n0; j < n1; j += NR) narrow_words(ds_words + i * kTileKeys / 2 + j / 2, gradient + j);
      }
      const Product to_q{ds_words, kTileKeys / 2, 1, k_rows + key / 2 * padded, padded, NR, dq + r * padded, padded};
      product<false, true, Bf16Pairs>(to_q, 0, m, 0, padded, first / 2, (last + 1) / 2);
    }
    if (seen == rows) return;
    for (int64_t r = seen / 2 * 2; r < rows; r += 2)
      for (int64_t j = 0; j < keys; j += W) {
        const bool both = r + 1 < rows;
        const float *pr = p + r * kTileKeys + j, *dr = ds + r * kTileKeys + j;
        narrow_pairs(p_pairs + r / 2 * kTileKeys + j, load(pr), both ? load(pr + kTileKeys) : vf{});
        narrow_pairs(ds_pairs + r / 2 * kTileKeys + j, load(dr), both ? load(dr + kTileKeys) : vf{});
      }
    const Product to_v{p_pairs, 1, kTileKeys, do_pairs, padded, NR, dv + key * padded, padded};
    const Product to_k{ds_pairs, 1, kTileKeys, q_pairs, padded, NR, dk + key * padded, padded};
    for (int64_t j = 0; j < keys; j += MR) {
      const int64_t m = keys - j < MR ? keys - j : MR;
      int64_t from = seen;
      if (cut)
        while (from < rows && mask.hi[from] <= j) from++;
      if (from == rows) continue;
      product<true, true, Bf16Pairs>(to_v, j, m, 0, padded, from / 2, pairs);
      product<true, true, Bf16Pairs>(to_k, j, m, 0, padded, from / 2, pairs);
    }
  });
  for (int64_t r = 0; r < rows; r++) narrow_from(dq + r * padded, job.dq, place(r), width);
}

}  // namespace SB_TIER
}  // namespace sb
