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

/** How a row's codes and units are laid down: a unit's every `stride` units; widened to 16 bits, columns 0, 2, 1, 3 of four. */
struct ActivationForm {
  int offset;   // of the weight's codes: see ActivationUnit
  bool halves;
  int64_t stride = 1;
  bool wide = false;
};

constexpr int64_t kStretch = 16;  // units that are unpacked at a time: they and what they meet stay in the first cache

/** A product of many rows. Activations lie in panels of 4 rows: for every unit the rows' codes side by side, and their units. */
struct TileCall {
  const char *weight;  // the first group
  int64_t groups, units;
  const int8_t *code;
  const ActivationUnit *unit;
  int64_t rows;
  float *out;  // [rows][ld], ld a multiple of 16
  int64_t ld;
  char *codes;    // room for kStretch units of two groups: kTileCodes bytes each
  float *scales;  // and 32 floats each
};
constexpr int64_t kTileCodes = 1024;

struct QuantTile {
  int (*offset)(int32_t type);
  bool (*wide)(int32_t type);
  void (*run)(int32_t type, const TileCall &call);
};

struct QuantTable {
  /** One row of k elements (f32) to codes by blocks of 32. */
  void (*activate)(const float *x, int64_t k, const ActivationForm &form, int8_t *code, ActivationUnit *unit);
  /** out[m * ld + r] for 8 rows of packed weights and `m` rows of activations. */
  void (*packed)(int32_t type, const char *group, int64_t k, const Activations &a, int64_t m, float *out, int64_t ld);
  void (*dequantize)(int32_t type, const void *from, int64_t k, float *to);
  /** out[i] = x[i] . w for m rows of x, k apart. */
  void (*dot)(const float *x, int64_t m, int64_t k, const float *w, float *out, int64_t ld);
  const QuantTile *tile;  // nullptr where `packed` takes any number of rows
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
