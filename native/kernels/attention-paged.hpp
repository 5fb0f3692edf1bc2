/** @file Attention over a paged cache: a tile of keys is gathered from its pages, for all rows and heads of the task at once. */
#pragma once
#include "attention-forward.hpp"

namespace sb {
namespace SB_TIER {

/** A block of q8_0: an f16 scale and 32 whole numbers. */
struct Block8 {
  uint16_t scale;
  int8_t q[32];
};

/** n elements of a cache as f32; where they lie if they are f32. */
static inline const float *cache_row(View cache, int64_t at, int64_t n, float *buffer) {
  if (cache.type != SB_Q8_0) return read_row(cache, at, n, buffer);
  for (int64_t i = 0; i < n; i += 32) {
    Block8 block;
    std::memcpy(&block, cache.data + (at + i) / 32 * static_cast<int64_t>(sizeof block), sizeof block);
    const float scale = half_one(block.scale);
    for (int j = 0; j < 32; j += W) store(buffer + i + j, splat(scale) * load_bytes(block.q + j));
  }
  return buffer;
}

static inline void cache_quantize(Block8 *to, const float *x) {
  float most = 0;
  for (int j = 0; j < 32; j++) most = __builtin_fabsf(x[j]) > most ? __builtin_fabsf(x[j]) : most;
  const float d = most / 127.0f, inverse = d != 0 ? 1.0f / d : 0.0f;
  to->scale = static_cast<uint16_t>(float_to_half(splat(d))[0]);
  for (int j = 0; j < 32; j++) {
    const float y = x[j] * inverse;
    to->q[j] = y == y ? static_cast<int8_t>(__builtin_roundf(y)) : 0;
  }
}

static void attention_cache_write(View cache, int64_t at, View x, int64_t x_at, int64_t n) {
  if (cache.type != SB_Q8_0) return move_row(cache, at, x, x_at, n);
  for (int64_t i = 0; i < n; i += 32) {
    float row[32];
    Block8 block;
    widen_to(row, x, x_at + i, 32);
    cache_quantize(&block, row);
    std::memcpy(cache.data + (at + i) / 32 * static_cast<int64_t>(sizeof block), &block, sizeof block);
  }
}

/** The task's own buffers, a tile of packed keys and of values, and rows on their way there. */
static int64_t attention_paged_floats(const AttentionJob &job) {
  return attention_forward_floats(job, 1) + kTileKeys * (job.width + job.padded) + NR * job.width + 64;
}

/** Where row `position` of the sequence lies in a cache, for one kv head; -1 for a page number out of range. */
static inline int64_t cache_at(const PagedJob &job, int64_t kv, int64_t position) {
  const uint32_t at = static_cast<uint32_t>(position), rows = static_cast<uint32_t>(job.page_rows), index = at / rows;
  const int64_t page = job.pages[index];
  if (page < 0 || page >= job.n_pages) return -1;
  return ((page * job.page_rows + (at - index * rows)) * job.base.kv_heads + kv) * job.base.width;
}

/** How many positions from `key` on lie in the cache, at most a tile's worth. */
static inline int64_t seen_together(const PagedJob &job, int64_t key, int64_t end) {
  const int64_t most = end - key < kTileKeys ? end - key : kTileKeys;
  for (int64_t n = 0; n < most; n += job.page_rows - (key + n) % job.page_rows)
    if (cache_at(job, 0, key + n) < 0) return n;
  return most;
}

/** Pages lie anywhere, so no hardware prefetcher follows them: rows of the next tile are asked for while this one is read. */
static inline void ask_for(View cache, int64_t place, int64_t width) {
  const int64_t begin = cache.type == SB_Q8_0 ? place / 32 * static_cast<int64_t>(sizeof(Block8)) : place * width_of(cache.type);
  const int64_t bytes = cache.type == SB_Q8_0 ? width / 32 * static_cast<int64_t>(sizeof(Block8)) : width * width_of(cache.type);
  for (int64_t i = 0; i < bytes; i += 64) __builtin_prefetch(cache.data + begin + i, 0, 2);
  __builtin_prefetch(cache.data + begin + bytes - 1, 0, 2);
}

/** Keys [key, key + count) transposed into panels, values into padded rows; what is not there is zeros. */
static void gather_tile(const PagedJob &job, int64_t kv, int64_t key, int64_t count, int64_t end, float *buffer, float *panels, float *values) {
  const AttentionJob &base = job.base;
  const int64_t width = base.width, padded = base.padded;
  for (int64_t p = 0; p < count; p += NR) {
    const float *at[NR];
    const int64_t n = count - p < NR ? count - p : NR;
    for (int64_t i = 0; i < n; i++) {
      const int64_t place = cache_at(job, kv, key + p + i);
      if (key + p + i + kTileKeys < end) {
        const int64_t next = cache_at(job, kv, key + p + i + kTileKeys);
        if (next >= 0) ask_for(base.k, next, width), ask_for(base.v, next, width);
      }
      float *own = buffer + i * width, *value = values + (p + i) * padded;
      at[i] = own;
      if (place < 0) {
        std::memset(own, 0, static_cast<size_t>(width) * 4);
        std::memset(value, 0, static_cast<size_t>(width) * 4);
        continue;
      }
      at[i] = cache_row(base.k, place, width, own);
      const float *got = cache_row(base.v, place, width, value);
      if (got != value) apply(width, value, [](vf x) { return x; }, got);
    }
    for (int64_t i = 0; i < NR; i++) {
      const int64_t filled = i < n ? width : 0;
      if (padded > filled) std::memset(values + (p + i) * padded + filled, 0, static_cast<size_t>(padded - filled) * 4);
    }
    pack_panel(at, n, width, panels + p * width);
  }
}

static void attention_paged(const PagedJob &job, int64_t begin, int64_t rows, int64_t head, int64_t heads, float *work) {
  const AttentionJob &base = job.base;
  const int64_t kv = head / (base.heads / base.kv_heads), all = rows * heads;
  const ForwardWork w = forward_work(base, work, 0, 1);
  float *panels = work + attention_forward_floats(base, 1), *values = panels + kTileKeys * base.width, *buffer = values + kTileKeys * base.padded;
  // Row r of head h is row h * rows + r of one tall tile.
  for (int64_t h = 0; h < heads; h++) {
    ForwardWork part = w;
    part.q += h * rows * base.width, part.o += h * rows * base.padded, part.most += h * rows, part.sum += h * rows;
    forward_begin(base, part, job.row + begin, rows, head + h);
  }
  const int64_t first = job.position + begin, end = first + rows;  // positions of the new rows
  const int64_t start = base.window > 0 && first - base.window + 1 > 0 ? first - base.window + 1 : 0;
  TileMask mask;
  mask.windowed = false;
  for (int64_t key = start, have; key < end; key += have) {
    // Positions whose page lies outside the cache are not seen: a tile ends before them.
    have = seen_together(job, key, end);
    if (have == 0) {
      have = job.page_rows - key % job.page_rows;
      continue;
    }
    const int64_t keys = (have + NR - 1) / NR * NR;
    bool cut = keys != have;
    for (int64_t i = 0; i < all; i++) {
      const int64_t position = first + i % rows, seen = position + 1 - key, hidden = base.window > 0 ? position - base.window + 1 - key : 0;
      mask.lo[i] = static_cast<int32_t>(hidden < 0 ? 0 : hidden < have ? hidden : have);
      mask.hi[i] = static_cast<int32_t>(seen < 0 ? 0 : seen < have ? seen : have);
      cut = cut || mask.lo[i] > 0 || mask.hi[i] < keys;
    }
    gather_tile(job, kv, key, have, end, buffer, panels, values);
    forward_tile(base, w, all, panels, values, keys, mask, cut);
  }
  for (int64_t h = 0; h < heads; h++) {
    ForwardWork part = w;
    part.o += h * rows * base.padded, part.most += h * rows, part.sum += h * rows;
    forward_end(base, part, job.row + begin, rows, head + h);
  }
}

}  // namespace SB_TIER
}  // namespace sb
