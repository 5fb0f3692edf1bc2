/** @file Rounding f32 rows to GGUF blocks. Bit-exact with ggml's reference, which fixes the order of every sum here; so
 * no contraction to fused operations, and no vector code. Speed matters little: weights are rounded once. */
#include "quant-round.h"

#include <cmath>

#include "quant-blocks.h"

namespace sb {
namespace {

constexpr float kTiny = 1e-15f;  // a group with nothing larger counts as zero

uint16_t to_half(float x) {  // nearest, ties to even
  uint32_t w;
  std::memcpy(&w, &x, 4);
  const uint16_t sign = static_cast<uint16_t>(w >> 16 & 0x8000u);
  const uint32_t magnitude = w & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return sign | 0x7e00;
  if (magnitude >= 0x47800000u) return sign | 0x7c00;
  if (magnitude < 0x38800000u) {  // subnormal: let an addition round at 2^-24
    float f;
    std::memcpy(&f, &magnitude, 4);
    f += 0.5f;
    uint32_t bits;
    std::memcpy(&bits, &f, 4);
    return static_cast<uint16_t>(sign | (bits - 0x3f000000u));
  }
  const uint32_t rounded = magnitude + 0xfffu + (magnitude >> 13 & 1u);
  return static_cast<uint16_t>(sign | ((rounded - 0x38000000u) >> 13));
}
void put_half(uint8_t *p, float x) {
  const uint16_t h = to_half(x);
  std::memcpy(p, &h, 2);
}
/** Nearest whole number, ties to even; input beyond 2^22 (or NaN) is not a case blocks can hold. */
int nearest(float x) {
  const float shifted = x + 12582912.0f;
  int32_t bits;
  std::memcpy(&bits, &shifted, 4);
  return (bits & 0x007fffff) - 0x00400000;
}
int bounded(int x, int low, int high) { return x < low ? low : x > high ? high : x; }
int whole(float x) { return x > -2147483648.0f && x < 2147483648.0f ? static_cast<int>(x) : 0; }
int8_t narrow(float x) { return static_cast<int8_t>(whole(x)); }

void put_codes(const BlockShape &s, const int *code, uint8_t *low, uint8_t *high) {
  for (int i = 0; i < 16; i++) low[i] = static_cast<uint8_t>((code[i] & 15) | (code[i + 16] & 15) << 4);
  if (s.bits != 5) return;
  uint32_t bits = 0;
  for (int i = 0; i < 32; i++) bits |= (static_cast<uint32_t>(code[i]) >> 4 & 1u) << i;
  std::memcpy(high, &bits, 4);
}

void round_eight(const float *x, uint8_t *to) {
  float largest = 0;
  for (int i = 0; i < 32; i++) largest = std::fabs(x[i]) > largest ? std::fabs(x[i]) : largest;
  const float d = largest / 127, inverse = d != 0 ? 1.0f / d : 0.0f;
  put_half(to, d);
  for (int i = 0; i < 32; i++) to[2 + i] = static_cast<uint8_t>(narrow(std::round(x[i] * inverse)));
}

/** Q4_0, Q5_0: the element of largest size gets the lowest code. */
void round_symmetric(const BlockShape &s, const float *x, uint8_t *to) {
  float size = 0, largest = 0;
  for (int i = 0; i < 32; i++)
    if (std::fabs(x[i]) > size) size = std::fabs(x[i]), largest = x[i];
  const float d = largest / static_cast<float>(-s.offset), inverse = d != 0 ? 1.0f / d : 0.0f;
  int code[32];
  for (int i = 0; i < 32; i++) {
    const int c = narrow(x[i] * inverse + (static_cast<float>(s.offset) + 0.5f));
    code[i] = c < 2 * s.offset - 1 ? c : 2 * s.offset - 1;
  }
  put_half(to, d);
  put_codes(s, code, to + (s.bits == 5 ? 6 : 2), to + 2);
}

/** Q4_1, Q5_1: from the least to the greatest element. */
void round_range(const BlockShape &s, const float *x, uint8_t *to) {
  float least = 3.402823466e38f, greatest = -least;
  for (int i = 0; i < 32; i++) {
    if (x[i] < least) least = x[i];
    if (x[i] > greatest) greatest = x[i];
  }
  const int top = (1 << s.bits) - 1;
  const float d = (greatest - least) / static_cast<float>(top), inverse = d != 0 ? 1.0f / d : 0.0f;
  int code[32];
  for (int i = 0; i < 32; i++) {
    const int c = whole((x[i] - least) * inverse + 0.5f);
    code[i] = s.bits == 4 && c > top ? top : c;
  }
  put_half(to, d), put_half(to + 2, least);
  put_codes(s, code, to + (s.bits == 5 ? 8 : 4), to + 4);
}

/** The error-weighted scale of 16 elements for codes -32..31; codes come back shifted by 32. */
float fit_symmetric(const float *x, int *code) {
  float size = 0, largest = 0;
  for (int i = 0; i < 16; i++)
    if (std::fabs(x[i]) > size) size = std::fabs(x[i]), largest = x[i];
  for (int i = 0; i < 16; i++) code[i] = 0;
  if (size < kTiny) return 0;
  float scale = 0, best = 0;
  // The plain scale first, then 18 near it.
  for (int attempt = -10; attempt <= 9; attempt++) {
    if (attempt == 0) continue;
    const bool first = attempt == -10;
    const float inverse = first ? -32 / largest : -(32 + 0.1f * static_cast<float>(attempt)) / largest;
    float product = 0, square = 0;
    int rounded[16];
    for (int i = 0; i < 16; i++) {
      rounded[i] = bounded(nearest(inverse * x[i]), -32, 31);
      const float weight = x[i] * x[i], l = static_cast<float>(rounded[i]);
      product += weight * x[i] * l;
      square += weight * l * l;
    }
    if (!first && !(square > 0 && product * product > best * square)) continue;
    for (int i = 0; i < 16; i++) code[i] = rounded[i] + 32;
    scale = square != 0 ? product / square : 0.0f;
    best = scale * product;
  }
  return scale;
}

/** The error-weighted scale and minimum of 32 elements for codes 0..top: x ~ scale * code - minimum. */
float fit_range(const float *x, int top, float from, int steps, int *code, float *minimum) {
  float weight[32], squares = 0;
  for (int i = 0; i < 32; i++) squares += x[i] * x[i];
  const float typical = std::sqrt(squares / 32);
  for (int i = 0; i < 32; i++) weight[i] = typical + std::fabs(x[i]);
  float least = x[0], greatest = x[0], weights = weight[0], weighted = weights * x[0];
  for (int i = 1; i < 32; i++) {
    if (x[i] < least) least = x[i];
    if (x[i] > greatest) greatest = x[i];
    weights += weight[i];
    weighted += weight[i] * x[i];
  }
  if (least > 0) least = 0;
  for (int i = 0; i < 32; i++) code[i] = 0;
  *minimum = -least;
  if (greatest == least) return 0;
  const float t = static_cast<float>(top);
  float inverse = t / (greatest - least), scale = 1 / inverse, best = 0;
  for (int i = 0; i < 32; i++) {
    code[i] = bounded(nearest(inverse * (x[i] - least)), 0, top);
    const float off = scale * static_cast<float>(code[i]) + least - x[i];
    best += weight[i] * (off * off);
  }
  for (int step = 0; step <= steps; step++) {
    inverse = (from + 0.1f * static_cast<float>(step) + t) / (greatest - least);
    int rounded[32];
    float sum = 0, square = 0, product = 0;
    for (int i = 0; i < 32; i++) {
      rounded[i] = bounded(nearest(inverse * (x[i] - least)), 0, top);
      const float l = static_cast<float>(rounded[i]);
      sum += weight[i] * l;
      square += weight[i] * l * l;
      product += weight[i] * l * x[i];
    }
    const float determinant = weights * square - sum * sum;
    if (!(determinant > 0)) continue;
    float slope = (weights * product - weighted * sum) / determinant, base = (square * weighted - sum * product) / determinant;
    if (base > 0) base = 0, slope = product / square;
    float error = 0;
    for (int i = 0; i < 32; i++) {
      const float off = slope * static_cast<float>(rounded[i]) + base - x[i];
      error += weight[i] * (off * off);
    }
    if (error < best) {
      for (int i = 0; i < 32; i++) code[i] = rounded[i];
      best = error, scale = slope, least = base;
    }
  }
  *minimum = -least;
  return scale;
}

/** Q4_K: d, dmin, 12 bytes of scales, 128 of codes; Q5_K has 32 bytes of fifth bits before the codes. */
void round_super_range(const BlockShape &s, const float *x, uint8_t *to) {
  const bool five = s.bits == 5;
  const int top = (1 << s.bits) - 1;
  int code[256];
  float scale[8], minimum[8], largest = 0, deepest = 0;
  for (int j = 0; j < 8; j++) {
    scale[j] = fit_range(x + 32 * j, top, five ? -0.5f : -1.0f, five ? 15 : 20, code + 32 * j, minimum + j);
    if (scale[j] > largest) largest = scale[j];
    if (minimum[j] > deepest) deepest = minimum[j];
  }
  std::memset(to, 0, static_cast<size_t>(s.bytes));
  const float per_scale = largest > 0 ? 63.0f / largest : 0.0f, per_minimum = deepest > 0 ? 63.0f / deepest : 0.0f;
  uint8_t *scales = to + 4;
  for (int j = 0; j < 8; j++) {
    // Through a byte, as in ggml: what is out of range there must wrap here alike.
    const int a = static_cast<uint8_t>(nearest(per_scale * scale[j])), b = static_cast<uint8_t>(nearest(per_minimum * minimum[j]));
    const int ls = a > 63 ? 63 : a, lm = b > 63 ? 63 : b;
    if (j < 4) {
      scales[j] = static_cast<uint8_t>(ls), scales[j + 4] = static_cast<uint8_t>(lm);
    } else {
      scales[j + 4] = static_cast<uint8_t>((ls & 15) | (lm & 15) << 4);
      scales[j - 4] = static_cast<uint8_t>(scales[j - 4] | (ls >> 4) << 6);
      scales[j] = static_cast<uint8_t>(scales[j] | (lm >> 4) << 6);
    }
  }
  put_half(to, largest / 63.0f), put_half(to + 2, deepest / 63.0f);
  uint16_t half_d, half_m;
  std::memcpy(&half_d, to, 2), std::memcpy(&half_m, to + 2, 2);
  uint8_t *high = to + 16, *low = to + (five ? 48 : 16);
  for (int j = 0; j < 8; j++) {
    int16_t sc, mn;
    six_bits(scales, j, &sc, &mn);
    const float d = half_value(half_d) * static_cast<float>(sc);
    if (d != 0) {  // else the first fit's codes stay
      const float m = half_value(half_m) * static_cast<float>(mn);
      for (int i = 0; i < 32; i++) code[32 * j + i] = bounded(nearest((x[32 * j + i] + m) / d), 0, top);
    }
    for (int i = 0; i < 32; i++) {
      const int c = code[32 * j + i];
      low[j / 2 * 32 + i] = static_cast<uint8_t>(low[j / 2 * 32 + i] | (c & 15) << (j % 2 * 4));
      if (five) high[i] = static_cast<uint8_t>(high[i] | (c >> 4 & 1) << j);
    }
  }
}

void round_six(const float *x, uint8_t *to) {
  int code[256];
  float scale[16], largest = 0, size = 0;
  std::memset(to, 0, 210);
  for (int j = 0; j < 16; j++) {
    scale[j] = fit_symmetric(x + 16 * j, code + 16 * j);
    if (std::fabs(scale[j]) > size) size = std::fabs(scale[j]), largest = scale[j];
  }
  if (size < kTiny) return;
  const float inverse = -128.0f / largest;
  put_half(to + 208, 1 / inverse);
  uint16_t half_d;
  std::memcpy(&half_d, to + 208, 2);
  for (int j = 0; j < 16; j++) {
    const int l = nearest(inverse * scale[j]);
    const int8_t sc = static_cast<int8_t>(l > 127 ? 127 : l);
    to[192 + j] = static_cast<uint8_t>(sc);
    const float d = half_value(half_d) * static_cast<float>(sc);
    if (d == 0) continue;
    for (int i = 0; i < 16; i++) code[16 * j + i] = bounded(nearest(x[16 * j + i] / d), -32, 31) + 32;
  }
  for (int i = 0; i < 256; i++) {
    const int half = i / 128, quarter = i % 128 / 32, lane = i % 32;
    uint8_t &low = to[half * 64 + quarter % 2 * 32 + lane], &high = to[128 + half * 32 + lane];
    low = static_cast<uint8_t>(low | (code[i] & 15) << (quarter / 2 * 4));
    high = static_cast<uint8_t>(high | (code[i] >> 4 & 3) << (quarter * 2));
  }
}

}  // namespace

void quantize_row(int32_t type, const float *x, int64_t k, void *to) {
  const BlockShape *s = block_shape(type);
  uint8_t *p = static_cast<uint8_t *>(to);
  for (int64_t at = 0; at + s->block <= k; at += s->block, p += s->bytes) {
    if (type == SB_Q8_0) round_eight(x + at, p);
    else if (type == SB_Q6_K) round_six(x + at, p);
    else if (s->super) round_super_range(*s, x + at, p);
    else if (s->min) round_range(*s, x + at, p);
    else round_symmetric(*s, x + at, p);
  }
}

}  // namespace sb
