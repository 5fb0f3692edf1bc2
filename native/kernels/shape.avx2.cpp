/** @file Reductions and shapes, avx2 tier. */
#include "shape.hpp"
