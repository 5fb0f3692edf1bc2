/** @file Matrix products, tier avx512. */
#include "matmul-finish.hpp"

extern const sb::MatmulTable matmul_avx512;
const sb::MatmulTable matmul_avx512 = SB_MATMUL_TABLE;
