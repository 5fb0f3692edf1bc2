/** @file Matrix products, tier neon. */
#include "matmul-finish.hpp"

extern const sb::MatmulTable matmul_neon;
const sb::MatmulTable matmul_neon = SB_MATMUL_TABLE;
