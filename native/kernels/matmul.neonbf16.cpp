/** @file Matrix products, tier neonbf16. */
#define SB_DOT_NEON
#include "matmul-finish.hpp"

extern const sb::MatmulTable matmul_neonbf16;
const sb::MatmulTable matmul_neonbf16 = SB_MATMUL_TABLE;
