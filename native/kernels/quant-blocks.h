/** @file The GGUF block types: sizes, and one way to take any of them apart in units of 32 elements. Header-only and
 * `static`, because the tiers compile it each with their own flags. */
#pragma once
#include <cstdint>
#include <cstring>

#include "../core/kernel.h"

namespace sb {

struct BlockShape {
  int32_t type;
  int block, bytes;
  int bits;     // of a code
  int offset;   // subtracted from an unsigned code
  bool min;     // value = d * code + m (or - m for super-blocks)
  bool super;   // 8 units of 32 share d (and dmin); scales of the units are small integers
};

static constexpr BlockShape kBlockShapes[] = {
    {SB_Q8_0, 32, 34, 8, 0, false, false},  {SB_Q4_0, 32, 18, 4, 8, false, false},    {SB_Q4_1, 32, 20, 4, 0, true, false},
    {SB_Q5_0, 32, 22, 5, 16, false, false}, {SB_Q5_1, 32, 24, 5, 0, true, false},     {SB_Q4_K, 256, 144, 4, 0, true, true},
    {SB_Q5_K, 256, 176, 5, 0, true, true},  {SB_Q6_K, 256, 210, 6, 32, false, true},
};
static inline const BlockShape *block_shape(int32_t type) {
  for (const BlockShape &s : kBlockShapes)
    if (s.type == type) return &s;
  return nullptr;
}

static inline float half_value(uint16_t h) {
  const uint32_t sign = static_cast<uint32_t>(h & 0x8000u) << 16, magnitude = static_cast<uint32_t>(h & 0x7fffu) << 13;
  float f;
  std::memcpy(&f, &magnitude, 4);
  f *= 5.192296858534828e33f;  // 2^112: from the bias of f16 to that of f32, subnormals included
  uint32_t bits;
  std::memcpy(&bits, &f, 4);
  if (magnitude >= 0x0f800000u) bits = magnitude | 0x7f800000u;
  bits |= sign;
  std::memcpy(&f, &bits, 4);
  return f;
}

/** 32 elements of a block: codes (unsigned, before the offset; signed bytes for Q8_0) and their scales. */
struct Unit {
  uint8_t code[32];
  uint16_t d, m;     // f16
  int16_t scale[2];  // of the halves; 1 for simple blocks
  int16_t min;
};

static inline void high_bits(uint8_t *code, const uint8_t *bits) {
  uint32_t word;
  std::memcpy(&word, bits, 4);
  for (int i = 0; i < 32; i++) code[i] = static_cast<uint8_t>(code[i] | (word >> i & 1u) << 4);
}
static inline void nibbles(uint8_t *code, const uint8_t *packed) {
  for (int i = 0; i < 16; i++) code[i] = packed[i] & 15, code[i + 16] = packed[i] >> 4;
}
/** Scale and minimum of unit j, 6 bits each, of the 12 bytes in Q4_K and Q5_K. */
static inline void six_bits(const uint8_t *s, int j, int16_t *scale, int16_t *min) {
  if (j < 4) {
    *scale = s[j] & 63, *min = s[j + 4] & 63;
  } else {
    *scale = static_cast<int16_t>((s[j + 4] & 15) | (s[j - 4] >> 6) << 4);
    *min = static_cast<int16_t>((s[j + 4] >> 4) | (s[j] >> 6) << 4);
  }
}

/** Unit `j` (0 to 7; 0 for simple blocks) of the block at `p`. */
static inline void take_unit(int32_t type, const uint8_t *p, int j, Unit &u) {
  u.scale[0] = u.scale[1] = 1, u.min = 1, u.m = 0;
  switch (type) {
    case SB_Q8_0:
      std::memcpy(&u.d, p, 2);
      std::memcpy(u.code, p + 2, 32);
      return;
    case SB_Q4_0:
      std::memcpy(&u.d, p, 2);
      nibbles(u.code, p + 2);
      return;
    case SB_Q4_1:
      std::memcpy(&u.d, p, 2), std::memcpy(&u.m, p + 2, 2);
      nibbles(u.code, p + 4);
      return;
    case SB_Q5_0:
      std::memcpy(&u.d, p, 2);
      nibbles(u.code, p + 6);
      high_bits(u.code, p + 2);
      return;
    case SB_Q5_1:
      std::memcpy(&u.d, p, 2), std::memcpy(&u.m, p + 2, 2);
      nibbles(u.code, p + 8);
      high_bits(u.code, p + 4);
      return;
    case SB_Q4_K:
    case SB_Q5_K: {
      std::memcpy(&u.d, p, 2), std::memcpy(&u.m, p + 2, 2);
      six_bits(p + 4, j, u.scale, &u.min);
      u.scale[1] = u.scale[0];
      const uint8_t *low = p + (type == SB_Q4_K ? 16 : 48) + j / 2 * 32;
      for (int i = 0; i < 32; i++) u.code[i] = j % 2 ? low[i] >> 4 : low[i] & 15;
      if (type == SB_Q5_K)
        for (int i = 0; i < 32; i++) u.code[i] = static_cast<uint8_t>(u.code[i] | (p[16 + i] >> j & 1) << 4);
      return;
    }
    default: {  // Q6_K: 128 bytes of low halves, 64 of high pairs, 16 scales, d
      const uint8_t *low = p + j / 4 * 64 + j % 2 * 32, *high = p + 128 + j / 4 * 32;
      const int shift = j % 4 * 2;
      for (int i = 0; i < 32; i++)
        u.code[i] = static_cast<uint8_t>((j % 4 < 2 ? low[i] & 15 : low[i] >> 4) | (high[i] >> shift & 3) << 4);
      u.scale[0] = static_cast<int8_t>(p[192 + 2 * j]), u.scale[1] = static_cast<int8_t>(p[193 + 2 * j]);
      std::memcpy(&u.d, p + 208, 2);
    }
  }
}

/** The 32 values of a unit, in the order of operations that ggml uses, so that the bits agree. */
static inline void unit_values(const BlockShape &s, const Unit &u, float *to) {
  const float d = half_value(u.d), m = s.min ? half_value(u.m) : 0.0f;
  const float d0 = s.super ? d * static_cast<float>(u.scale[0]) : d, d1 = s.super ? d * static_cast<float>(u.scale[1]) : d;
  const float add = s.super ? -(m * static_cast<float>(u.min)) : m;
  for (int i = 0; i < 32; i++) {
    const int code = s.bits == 8 ? static_cast<int8_t>(u.code[i]) : u.code[i] - s.offset;
    to[i] = (i < 16 ? d0 : d1) * static_cast<float>(code);
  }
  if (s.min)
    for (int i = 0; i < 32; i++) to[i] += add;
}

}  // namespace sb
