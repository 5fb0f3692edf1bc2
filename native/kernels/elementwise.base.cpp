/** @file Elementwise kernels, base tier. */
#include "elementwise.hpp"
