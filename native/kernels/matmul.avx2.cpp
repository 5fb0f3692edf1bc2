/** @file Matrix products, tier avx2. */
#include "matmul-finish.hpp"

extern const sb::MatmulTable matmul_avx2;
const sb::MatmulTable matmul_avx2 = SB_MATMUL_TABLE;
