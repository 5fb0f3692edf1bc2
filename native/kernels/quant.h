/** @file The door between the float matrix products (matmul*) and the quantised weights (quant*).
 *
 * Precision is chosen by the form of the weight, never silently:
 *  - W plain (GGUF blocks as in the file): the product is exact up to f32 rounding. Weights are dequantised to f32 in
 *    tiles and activations keep their own type. Few rows (M <= kDecodeRows) go to `quant_linear`, which must keep the
 *    activations in f32 too.
 *  - W SB_PACKED with a quantised source_type: the packed form is int8 with block scales, and activations are
 *    quantised to int8 by blocks of 32. All M go to `quant_linear`.
 * linearDx and the cross-entropy operators always take the dequantised tiles. */
#pragma once
#include "../core/kernel.h"
#include "epilogue.h"

namespace sb {

/** Up to this many rows a plain quantised W is read straight from its blocks (matrix-vector kernels). */
constexpr int64_t kDecodeRows = 8;

/** One of the GGUF block types of this library (Q8_0 Q4_0 Q4_1 Q5_0 Q5_1 Q4_K Q5_K Q6_K). */
bool is_quantized(int32_t type);
/** Elements a block, 32 or 256, and bytes a block; 1 and the element's size for F32, F16, BF16. */
int64_t quant_block(int32_t type);
int64_t quant_block_bytes(int32_t type);

/** `k` elements from `src`; k is a multiple of the block, so src may point at any block of a row. One thread; the
 * tier in use chooses the inner loop. Bit-exact with ggml's dequantize_row_*. */
void dequantize_rows(int32_t type, const void *src, int64_t k, float *dst);

/** y = epilogue(x wT) for a quantised W: plain with M <= kDecodeRows, or packed with any M. */
struct QuantLinear {
  const Tensor *x;        // F [M, K]
  const Tensor *w;        // [N, K], plain or SB_PACKED
  const Epilogue *finish; // what happens to each f32 result; see epilogue.h
};
/** nullptr, or why these shapes and types are not taken (K not a multiple of the block, ...). */
const char *quant_linear_check(const QuantLinear &q);
int64_t quant_linear_scratch(const QuantLinear &q, int threads);
void quant_linear(const QuantLinear &q, char *scratch, Pool &pool);

/** The quantised half of sb_packed_bytes, sb_pack and sb_packed_layout. -1 / status / 0 where there is no such form. */
int64_t quant_packed_bytes(int32_t form, int32_t type, int64_t n, int64_t k);
int32_t quant_pack(Pool &pool, int32_t form, int32_t type, int64_t n, int64_t k, const void *weight, void *packed);
int32_t quant_packed_layout(int32_t form, int32_t type);

/** f32 values of rows [row, row + count) and columns [k0, k0 + kn) of a packed W [n, k] into dst[count][kn], for dx and
 * cross entropy over packed weights. k0 and kn are multiples of 256 or reach the end of the row. */
void dequantize_packed(int32_t type, const void *packed, int64_t n, int64_t k, int64_t row, int64_t count, int64_t k0, int64_t kn, float *dst);

}  // namespace sb
