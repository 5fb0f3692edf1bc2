/** @file What the elementwise tier files export, and the list of their bodies. */
#pragma once
#include "tier.h"

namespace sb {

/** Bodies with one row of f32 an operand: y = f(x, ...). The order is that of the table in elementwise.hpp. */
enum Map : int {
  kNeg, kExp, kLog, kSqrt, kSquare, kReciprocal, kTanh, kSigmoid, kRelu, kSilu, kGelu, kGeluTanh,
  kReluBackward, kSiluBackward, kGeluBackward, kGeluTanhBackward,
  kScale, kTimes, kAdd, kSub, kMul, kDiv, kSwiglu, kGeglu, kSwigluBackward, kGegluBackward,
  kDropout, kNoise, kAdamw, kMaps
};

struct ElementwiseTable {
  /** Elements [begin, end) of every operand through body `map`. Outputs may be the memory of inputs of the same type. */
  void (*run)(int map, const View *in, const View *out, int64_t begin, int64_t end, const double *params);
  /** n elements from one view to another, changing the type. */
  void (*move)(View to, int64_t to_at, View source, int64_t source_at, int64_t n);
  void (*fill)(View to, int64_t begin, int64_t end, double value);
};

}  // namespace sb
