/** @file Quantised weights, tier avx512bf16. */
#define SB_QUANT_VNNI  // sums of four byte products in one instruction
#include "quant-tile.hpp"

namespace sb {
extern const QuantTable quant_avx512bf16;
const QuantTable quant_avx512bf16 = SB_QUANT_TABLE;
}  // namespace sb
