/** @file Reductions and shapes, avx512 tier. */
#include "shape.hpp"
