/** @file Attention, base tier. */
#include "attention.hpp"
