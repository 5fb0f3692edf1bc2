/** @file Attention, avx512bf16 tier: bf16 operands are multiplied as pairs. */
#define SB_PAIRS 1
#include "attention.hpp"
