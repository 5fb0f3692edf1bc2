/** @file Norms and RoPE, avx2 tier. */
#include "norm.hpp"
