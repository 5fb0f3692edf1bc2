/** @file Quantised weights, tier base. */
#include "quant-tile.hpp"

namespace sb {
extern const QuantTable quant_base;
const QuantTable quant_base = SB_QUANT_TABLE;
}  // namespace sb
