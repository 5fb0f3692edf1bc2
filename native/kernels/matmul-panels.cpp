/** @file Panels of B from whatever a weight is stored as, and the packed form of weights.
 *
 * Packed layout (SB_FORM_Y and SB_FORM_DX alike, one copy serves both products): panels of nr rows of W; in each, for
 * every k, the nr values side by side in the weight's own type. Where the tier multiplies bf16 with dot instructions a
 * bf16 weight is kept as units instead: for every two k, nr pairs. Rows that lack are zero. */
#include <algorithm>
#include <cstring>

#include "../core/internal.h"
#include "matmul.h"
#include "quant.h"

namespace sb {

int64_t block_length(const Engine &e, int64_t k) {
  const int64_t blocks = std::max<int64_t>(1, ceil_div(k, 288 * e.step));
  return std::max<int64_t>(1, ceil_div(ceil_div(k, blocks), 32 * e.step)) * 32 * e.step;
}

namespace {

bool quantized(const Source &s) { return s.int8 || is_quantized(s.type); }
bool packed_pairs(const Source &s) { return s.type == SB_BF16 && matmul_now().bf16; }
const char *at(const Source &s, int64_t element) { return static_cast<const char *>(s.data) + element * float_bytes(s.type); }

/** `rows` rows from `row` on, columns [k, k + kn), as f32 into dst[rows][kn]; k and kn in whole blocks. */
void dequantize_part(const Source &s, int64_t row, int64_t rows, int64_t k, int64_t kn, float *dst) {
  if (s.int8) return dequantize_packed(s.type, s.data, s.rows, s.columns, row, rows, k, kn, dst);
  const int64_t block = quant_block(s.type), bytes = quant_block_bytes(s.type);
  for (int64_t i = 0; i < rows; i++) {
    const char *from = static_cast<const char *>(s.data) + (row + i) * (s.columns / block) * bytes + k / block * bytes;
    dequantize_rows(s.type, from, kn, dst + i * kn);
  }
}

void fill_quantized(const Engine &e, const Source &s, int64_t w0, int64_t wn, int64_t k0, int64_t kn, int width, int64_t stride, float *dst, float *temporary) {
  Source t;
  t.data = temporary;
  if (s.order == Order::along || s.order == Order::panels) {
    dequantize_part(s, w0, wn, k0, kn, temporary);
    t.order = Order::along;
    t.ld = kn;
    e.pack(t, 0, wn, 0, kn, width, stride, dst);
  } else {
    const int64_t first = w0 / 256 * 256, end = std::min(s.columns, ceil_div(w0 + wn, 256) * 256);
    dequantize_part(s, k0, kn, first, end - first, temporary);
    t.order = Order::across;
    t.ld = end - first;
    e.pack(t, w0 - first, wn, 0, kn, width, stride, dst);
  }
}

/** [k in pairs][nr][2] of a panel to f32 [kn][nr]. */
void split_pairs(const uint32_t *units, int64_t kn, int64_t nr, float *dst) {
  for (int64_t k = 0; k < kn; k++)
    for (int64_t j = 0; j < nr; j++) {
      const uint32_t pair = units[k / 2 * nr + j], bits = k % 2 ? pair & 0xffff0000u : pair << 16;
      std::memcpy(dst + k * nr + j, &bits, 4);
    }
}

/** Product y: the packed panels are already as the kernel wants them, but for widening. */
void fill_packed(const Engine &e, const Source &s, int64_t w0, int64_t wn, int64_t k0, int64_t kn, int64_t stride, float *dst) {
  const int64_t nr = e.nr;
  for (int64_t p = 0; p * nr < wn; p++) {
    const int64_t panel = w0 / nr + p;
    if (packed_pairs(s)) {
      const uint32_t *units = static_cast<const uint32_t *>(s.data) + (panel * ceil_div(s.columns, 2) + k0 / 2) * nr;
      if (e.step == 2) std::memcpy(dst + p * stride, units, static_cast<size_t>(ceil_div(kn, 2) * nr) * 4);
      else split_pairs(units, kn, nr, dst + p * stride);
    } else {
      Source t;
      t.data = at(s, (panel * s.columns + k0) * nr);
      t.type = s.type;
      t.order = Order::across;
      t.ld = nr;
      e.pack(t, 0, nr, 0, kn, e.nr, stride, dst + p * stride);
    }
  }
}

/** Product dx: blocks of the packed panels are turned. k0 is a multiple of nr, since blocks are. */
void fill_packed_across(const Engine &e, const Source &s, int64_t w0, int64_t wn, int64_t k0, int64_t kn, int64_t stride, float *dst, float *temporary) {
  const int64_t nr = e.nr;
  for (int64_t n = 0; n < kn; n += nr) {
    const int64_t panel = (k0 + n) / nr, left = std::min(nr, kn - n);
    if (packed_pairs(s) && e.step == 2) {
      for (int64_t p = 0; p * nr < wn; p++) {
        const int64_t pairs = std::min(nr / 2, ceil_div(s.columns, 2) - (w0 + p * nr) / 2);
        const uint32_t *units = static_cast<const uint32_t *>(s.data) + (panel * ceil_div(s.columns, 2) + (w0 + p * nr) / 2) * nr;
        uint32_t *turned = reinterpret_cast<uint32_t *>(temporary);
        matmul_now().turn(units, pairs, turned);
        std::memcpy(dst + p * stride + n / 2 * nr, turned, static_cast<size_t>(ceil_div(left, 2) * nr) * 4);
      }
      continue;
    }
    Source t;
    t.order = Order::along;
    t.ld = nr;
    if (packed_pairs(s)) {
      split_pairs(static_cast<const uint32_t *>(s.data) + (panel * ceil_div(s.columns, 2) + w0 / 2) * nr, wn, nr, temporary);
      t.data = temporary;
    } else {
      t.data = at(s, (panel * s.columns + w0) * nr);
      t.type = s.type;
    }
    e.pack(t, 0, wn, 0, left, e.nr, stride, dst + n * nr);
  }
}

}  // namespace

int64_t fill_scratch(const Engine &e, const Source &s, int64_t wn, int64_t kn) {
  if (quantized(s)) return (s.order == Order::along || s.order == Order::panels ? wn : ceil_div(wn, 256) * 256 + 256) * kn + 16;
  return s.order == Order::panelsAcross ? std::max<int64_t>(wn, e.nr) * e.nr + 64 : 0;
}

void weight_row(const Source &s, int64_t row, float *to) {
  if (quantized(s)) return dequantize_part(s, row, 1, 0, s.columns, to);
  const MatmulTable &t = matmul_now();
  if (s.order != Order::panels) return t.widen(s.data, s.type, row * s.ld, s.columns, to);
  const int64_t nr = t.f32->nr, panel = row / nr, column = row % nr;
  if (packed_pairs(s)) {
    const uint32_t *units = static_cast<const uint32_t *>(s.data) + panel * ceil_div(s.columns, 2) * nr + column;
    for (int64_t k = 0; k < s.columns; k++) {
      const uint32_t pair = units[k / 2 * nr], bits = k % 2 ? pair & 0xffff0000u : pair << 16;
      std::memcpy(to + k, &bits, 4);
    }
  } else {
    for (int64_t k = 0; k < s.columns; k++) t.widen(s.data, s.type, (panel * s.columns + k) * nr + column, 1, to + k);
  }
}

void fill_panels(const Engine &e, const Source &s, int64_t w0, int64_t wn, int64_t k0, int64_t kn, int width, int64_t stride, float *dst, float *temporary) {
  if (kn == 0) return;
  if (quantized(s)) fill_quantized(e, s, w0, wn, k0, kn, width, stride, dst, temporary);
  else if (s.order == Order::panels) fill_packed(e, s, w0, wn, k0, kn, stride, dst);
  else if (s.order == Order::panelsAcross) fill_packed_across(e, s, w0, wn, k0, kn, stride, dst, temporary);
  else e.pack(s, w0, wn, k0, kn, width, stride, dst);
}

}  // namespace sb

using namespace sb;

extern "C" {

int64_t sb_packed_bytes(int32_t form, int32_t type, int64_t n, int64_t k) {
  if (n < 0 || k < 0 || n > (int64_t{1} << 40) || k > (int64_t{1} << 40) || (form != SB_FORM_Y && form != SB_FORM_DX)) return -1;
  if (k > 0 && n > (int64_t{1} << 46) / k) return -1;
  if (is_quantized(type)) return quant_packed_bytes(form, type, n, k);
  if (type != SB_F32 && type != SB_BF16 && type != SB_F16) return -1;
  const MatmulTable &t = matmul_now();
  const int64_t rows = ceil_div(n, t.f32->nr) * t.f32->nr;
  return type == SB_BF16 && t.bf16 ? rows * ceil_div(k, 2) * 4 : rows * k * float_bytes(type);
}

int32_t sb_pack(sb_pool *pool, int32_t form, int32_t type, int64_t n, int64_t k, const void *weight, void *packed) {
  if (sb_packed_bytes(form, type, n, k) < 0) return fail(SB_BAD_ARGUMENT, "pack: no packed form for this type and shape");
  if (!pool || (n > 0 && k > 0 && (!weight || !packed))) return fail(SB_BAD_ARGUMENT, "pack: a pool and memory are expected");
  if (is_quantized(type)) return quant_pack(pool_of(pool), form, type, n, k, weight, packed);
  const MatmulTable &table = matmul_now();
  const Engine &e = type == SB_BF16 && table.bf16 ? *table.bf16 : *table.f32;
  const int64_t nr = e.nr, bytes = float_bytes(type);
  pool_of(pool).parallel(ceil_div(n, nr), [&](int64_t panel, int) {
    const int64_t rows = std::min(nr, n - panel * nr);
    if (e.step == 2) {
      Source s;
      s.data = weight;
      s.type = type;
      s.ld = k;
      e.pack(s, panel * nr, rows, 0, k, e.nr, 0, static_cast<float *>(packed) + panel * ceil_div(k, 2) * nr);
      return;
    }
    char *to = static_cast<char *>(packed) + panel * k * nr * bytes;
    for (int64_t block = 0; block < k; block += 64)  // a block of lines at a time stays in the first cache
      for (int64_t i = 0; i < nr; i++) {
        const char *from = static_cast<const char *>(weight) + (panel * nr + i) * k * bytes;
        for (int64_t j = block; j < std::min(block + 64, k); j++) {
          if (bytes == 2) {
            uint16_t value = 0;
            if (i < rows) std::memcpy(&value, from + j * 2, 2);
            std::memcpy(to + (j * nr + i) * 2, &value, 2);
          } else {
            uint32_t value = 0;
            if (i < rows) std::memcpy(&value, from + j * 4, 4);
            std::memcpy(to + (j * nr + i) * 4, &value, 4);
          }
        }
      }
  });
  return SB_OK;
}

int32_t sb_packed_layout(int32_t form, int32_t type) {
  if (is_quantized(type)) return quant_packed_layout(form, type);
  const MatmulTable &t = matmul_now();
  const int32_t version = 1, pairs = type == SB_BF16 && t.bf16 ? 1 : 0;
  return version << 16 | pairs << 8 | t.f32->nr;
}

}  // extern "C"
