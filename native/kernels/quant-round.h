/** @file Rounding f32 rows to GGUF blocks. */
#pragma once
#include <cstdint>

namespace sb {
/** k elements (whole blocks) to blocks of `type`, the same bits as ggml's reference rounding. */
void quantize_row(int32_t type, const float *x, int64_t k, void *to);
}  // namespace sb
