/** @file Quantised weights, tier avx512. */
#include "quant-tile.hpp"

namespace sb {
extern const QuantTable quant_avx512;
const QuantTable quant_avx512 = SB_QUANT_TABLE;
}  // namespace sb
