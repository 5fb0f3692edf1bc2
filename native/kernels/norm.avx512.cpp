/** @file Norms and RoPE, avx512 tier. */
#include "norm.hpp"
