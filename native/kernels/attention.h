/** @file What attention's tier files export, and the problem as plain data. Works on tiles: kTileRows queries by kTileKeys
 * keys; keys and values were packed before (K transposed in panels, V in padded rows), once for all that read them. */
#pragma once
#include "tier.h"

namespace sb {

constexpr int64_t kTileRows = 72, kTileKeys = 96;  // multiples of the micro-kernel's 6 or 12 rows, and of 32 columns
constexpr int64_t kMaxWidth = 512;                 // of a head
constexpr int64_t kGroupHeads = 8;                 // query heads of one kv head worked on together

/** One query tile: `rows` rows from `row`, all of one segment; segment -1: rows that see nothing. */
struct AttentionTask {
  int32_t segment, row, rows;
};

struct AttentionJob {
  View q, k, v, o;         // [T, H, D], [T, Hk, D]
  View d_o, dq;            // backward
  float *lse;              // [T, H]
  int64_t tokens, heads, kv_heads, width, padded;  // padded: D rounded up to a whole number of panels
  const int32_t *starts, *ends, *parents;          // of segments, cleaned: in range, parent < own index or -1
  const int32_t *positions;                        // or nullptr: the row number
  float scale, softcap;
  bool causal;
  bool paired;             // operands are bf16 and the tier multiplies them as pairs: the packed parts hold words of two bf16
  int64_t window;          // 0: none
  /* Packed operands, by kv head. */
  float *k_panels, *v_panels;  // transposed: [panel][D][panel width]
  float *k_rows, *v_rows;      // [tokens rounded up][padded]
  int64_t panel_floats, row_floats;  // floats a kv head takes in the two kinds
};

/** A place in the paged cache: rows of [Hk, D] by page. */
struct PagedJob {
  AttentionJob base;      // q, o and the sizes; k and v are the caches
  const int32_t *pages;   // of this sequence
  int64_t page_rows, max_pages, n_pages;
  int64_t row, position;  // of the sequence's first new row: in q, and in the sequence
};

struct AttentionTable {
  int panel;               // columns of a panel
  bool pairs;              // multiplies bf16 pairs
  /** Packs rows [begin, end) (begin a multiple of the panel, end too or the last) of one kv head: those targets that are set. */
  void (*pack)(const AttentionJob &job, View source, int64_t kv_head, int64_t begin, int64_t end, float *panels, float *rows);
  int64_t (*forward_floats)(const AttentionJob &job, int64_t heads);
  /** Heads [head, head + heads), all of one kv head, of one task. */
  void (*forward)(const AttentionJob &job, const AttentionTask &task, int64_t head, int64_t heads, float *work);
  int64_t (*backward_floats)(const AttentionJob &job);
  /** One head of one task; adds to dk and dv ([tokens rounded up][padded], of this head), writes dq. */
  void (*backward)(const AttentionJob &job, const AttentionTask &task, int64_t head, float *dk, float *dv, float *work);
  /** y (elements `at`..) = sum over `count` buffers `stride` floats apart. */
  void (*gather)(View y, int64_t at, const float *from, int64_t count, int64_t stride, int64_t n);
  int64_t (*paged_floats)(const AttentionJob &job);
  /** New rows [begin, begin + rows) of the sequence, heads of one kv head; rows * heads is at most kTileRows. */
  void (*paged)(const PagedJob &job, int64_t begin, int64_t rows, int64_t head, int64_t heads, float *work);
  /** n elements into a cache; for q8_0 `at` and n are multiples of 32. */
  void (*cache_write)(View cache, int64_t at, View x, int64_t x_at, int64_t n);
};

}  // namespace sb
