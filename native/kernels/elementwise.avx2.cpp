/** @file Elementwise kernels, avx2 tier. */
#include "elementwise.hpp"
