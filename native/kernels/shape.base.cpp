/** @file Reductions and shapes, base tier. */
#include "shape.hpp"
