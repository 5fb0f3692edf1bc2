/** @file Elementwise kernels, avx512 tier. */
#include "elementwise.hpp"
