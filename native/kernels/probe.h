/** @file Loops that do nothing but what a machine does fastest: the limits others are measured against. */
#pragma once
#include <cstdint>

namespace sb {

struct ProbeTable {
  /** Each runs `rounds` rounds and answers the operations done (a multiply and an addition count two). */
  double (*f32)(int64_t rounds);
  double (*bf16)(int64_t rounds);
  double (*int8)(int64_t rounds);
  /** Over `bytes`, a multiple of 64. */
  float (*read)(const float *from, int64_t bytes);
  void (*write)(float *to, int64_t bytes, float value);
  void (*write_past)(float *to, int64_t bytes, float value);  // around the caches, where there is an instruction for it
  void (*update)(float *to, int64_t bytes);                   // reads and writes the same memory
};

}  // namespace sb
