/** @file Attention, avx512 tier. */
#include "attention.hpp"
