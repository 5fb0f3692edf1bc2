/** @file Norms and RoPE, base tier. */
#include "norm.hpp"
