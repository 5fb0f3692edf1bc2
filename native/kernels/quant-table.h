/** @file What a tier offers for quantised weights, and the packed layout.
 *
 * Packed rows lie in groups of 8, so that a vector holds 4 codes of each of 8 rows and no sum across lanes is needed.
 * A unit is 32 columns of a group: scales (8 rows side by side), then 8 code vectors of 32 bytes (byte r * 4 + i of
 * vector v: row r, column 4 v + i) split into planes: nibbles of vectors v and v + 4 together; fifth bits, bit v for
 * vector v; upper pairs, bits 2 (v % 4) of vector v / 4. Super-blocks have a head with d (and dmin) for 8 units. */
#pragma once
#include "../core/kernel.h"

namespace sb {

/** What the int8 product needs of 32 activations besides their codes. */
struct ActivationUnit {
  float scale;       // x ~ scale * code
  float total;       // scale * sum of codes: meets the weight's minimum
  int32_t shift[2];  // -offset * sum of codes: of the whole unit, or of its halves for Q6_K
};

struct Activations {
  const int8_t *code;           // [M][k]
  const ActivationUnit *unit;   // [M][k / 32]
};

struct QuantTable {
  /** One row of k elements (f32) to codes by blocks of 32. `offset`, `halves`: see ActivationUnit. */
  void (*activate)(const float *x, int64_t k, int offset, bool halves, int8_t *code, ActivationUnit *unit);
  /** out[m * ld + r] for 8 rows of packed weights and `m` rows of activations. */
  void (*packed)(int32_t type, const char *group, int64_t k, const Activations &a, int64_t m, float *out, int64_t ld);
  void (*dequantize)(int32_t type, const void *from, int64_t k, float *to);
  /** out[i] = x[i] . w for m rows of x, k apart. */
  void (*dot)(const float *x, int64_t m, int64_t k, const float *w, float *out, int64_t ld);
};

/** Bytes of a group's head and of one unit. */
constexpr int64_t group_head(int32_t type) { return type == SB_Q4_K || type == SB_Q5_K ? 32 : type == SB_Q6_K ? 16 : 0; }
constexpr int64_t unit_scales(int32_t type) { return type == SB_Q4_1 || type == SB_Q5_1 ? 32 : 16; }
constexpr int64_t unit_codes(int32_t type) {
  return type == SB_Q8_0 ? 256 : type == SB_Q6_K ? 192 : type == SB_Q5_0 || type == SB_Q5_1 || type == SB_Q5_K ? 160 : 128;
}
constexpr int64_t unit_bytes(int32_t type) { return unit_scales(type) + unit_codes(type); }
/** Bytes of 8 rows of k columns. */
constexpr int64_t group_bytes(int32_t type, int64_t k) { return k / 32 * unit_bytes(type) + (group_head(type) ? k / 256 * group_head(type) : 0); }
/** Where unit `u` of a group begins. */
constexpr int64_t unit_at(int32_t type, int64_t u) { return u * unit_bytes(type) + (group_head(type) ? (u / 8 + 1) * group_head(type) : 0); }

}  // namespace sb
