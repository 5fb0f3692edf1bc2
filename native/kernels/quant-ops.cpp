/** @file The operators `quantize` and `dequantize`, between f32 or bf16 and GGUF blocks. */
#include "quant-round.h"
#include "quant.h"
#include "rows.h"

namespace sb {
namespace {

const char *check_blocks(const Call &c, const char *text, bool inward) {
  if (const char *reason = signature(c, text, 0)) return reason;
  const Tensor &w = inward ? *c.out[0] : *c.in[0];
  if (!is_quantized(w.type)) return refuse("w: expected a quantised type, got %d", w.type);
  if (w.shape[1] % quant_block(w.type) != 0)
    return refuse("w: rows of %lld are not whole blocks of %lld", static_cast<long long>(w.shape[1]), static_cast<long long>(quant_block(w.type)));
  return nullptr;
}
const char *check_quantize(const Call &c) { return check_blocks(c, "x:F[N,K] -> w:W[N,K]", true); }
const char *check_dequantize(const Call &c) { return check_blocks(c, "w:W[N,K] -> y:F[N,K]", false); }

void to_float(const uint16_t *from, int64_t n, float *to) {
  for (int64_t i = 0; i < n; i++) {
    const uint32_t bits = static_cast<uint32_t>(from[i]) << 16;
    __builtin_memcpy(to + i, &bits, 4);
  }
}
void to_bf16(const float *from, int64_t n, uint16_t *to) {  // nearest, ties to even; NaN stays NaN
  for (int64_t i = 0; i < n; i++) {
    uint32_t bits;
    __builtin_memcpy(&bits, from + i, 4);
    to[i] = static_cast<uint16_t>((bits & 0x7fffffffu) > 0x7f800000u ? bits >> 16 | 0x40u : (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
  }
}

void run_quantize(const Call &c) {
  const Tensor &x = *c.in[0], &w = *c.out[0];
  const int64_t k = w.shape[1], bytes = k / quant_block(w.type) * quant_block_bytes(w.type);
  each_row(c, w.shape[0], k, [&](int64_t row, int thread) {
    const float *from = static_cast<const float *>(x.data) + row * k;
    if (x.type != SB_F32) {
      float *buffer = row_buffer(c, k, 1, thread, 0);
      to_float(static_cast<const uint16_t *>(x.data) + row * k, k, buffer);
      from = buffer;
    }
    quantize_row(w.type, from, k, static_cast<char *>(w.data) + row * bytes);
  });
}

void run_dequantize(const Call &c) {
  const Tensor &w = *c.in[0], &y = *c.out[0];
  const int64_t k = w.shape[1], bytes = k / quant_block(w.type) * quant_block_bytes(w.type);
  each_row(c, w.shape[0], k, [&](int64_t row, int thread) {
    float *to = y.type == SB_F32 ? static_cast<float *>(y.data) + row * k : row_buffer(c, k, 1, thread, 0);
    dequantize_rows(w.type, static_cast<const char *>(w.data) + row * bytes, k, to);
    if (y.type != SB_F32) to_bf16(to, k, static_cast<uint16_t *>(y.data) + row * k);
  });
}

const Register registered[] = {
    Register{{"quantize", run_quantize, check_quantize, [](const Call &c) { return row_scratch(c, c.out[0]->shape[1], 1); }}},
    Register{{"dequantize", run_dequantize, check_dequantize, [](const Call &c) { return row_scratch(c, c.in[0]->shape[1], 1); }}},
};

}  // namespace
}  // namespace sb
