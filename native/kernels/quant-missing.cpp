/** @file Stands where the quantised kernels are not built: every answer is a refusal. Weak, so theirs replace these. */
#include <cstring>

#include "quant.h"

#define SB_WEAK __attribute__((weak))

namespace sb {
SB_WEAK bool is_quantized(int32_t) { return false; }
SB_WEAK int64_t quant_block(int32_t) { return 1; }
SB_WEAK int64_t quant_block_bytes(int32_t type) { return type == SB_F32 ? 4 : 2; }
SB_WEAK void dequantize_rows(int32_t, const void *, int64_t k, float *dst) { std::memset(dst, 0, static_cast<size_t>(k) * 4); }
SB_WEAK const char *quant_linear_check(const QuantLinear &) { return "quantised weights were not built"; }
SB_WEAK int64_t quant_linear_scratch(const QuantLinear &, int) { return 0; }
SB_WEAK void quant_linear(const QuantLinear &, char *, Pool &) {}
SB_WEAK int64_t quant_packed_bytes(int32_t, int32_t, int64_t, int64_t) { return -1; }
SB_WEAK int32_t quant_pack(Pool &, int32_t, int32_t, int64_t, int64_t, const void *, void *) { return SB_UNSUPPORTED; }
SB_WEAK int32_t quant_packed_layout(int32_t, int32_t) { return 0; }
SB_WEAK void dequantize_packed(int32_t, const void *, int64_t, int64_t, int64_t, int64_t count, int64_t, int64_t kn, float *dst) {
  std::memset(dst, 0, static_cast<size_t>(count * kn) * 4);
}
}  // namespace sb
