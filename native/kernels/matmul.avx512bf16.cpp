/** @file Matrix products, tier avx512bf16. */
#define SB_DOT_X86
#include "matmul-finish.hpp"

extern const sb::MatmulTable matmul_avx512bf16;
const sb::MatmulTable matmul_avx512bf16 = SB_MATMUL_TABLE;
