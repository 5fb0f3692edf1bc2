/** @file Attention, avx2 tier. */
#include "attention.hpp"
