/** @file Quantised weights, tier avx2. */
#include "quant-tile.hpp"

namespace sb {
extern const QuantTable quant_avx2;
const QuantTable quant_avx2 = SB_QUANT_TABLE;
}  // namespace sb
