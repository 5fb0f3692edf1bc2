/** @file Matrix products, tier base. */
#include "matmul-finish.hpp"

extern const sb::MatmulTable matmul_base;
const sb::MatmulTable matmul_base = SB_MATMUL_TABLE;
