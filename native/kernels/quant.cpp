/** @file The door to the quantised weights: packing, and y = epilogue(x wT) shared out over threads. See quant.h. */
#include "quant.h"

#include <algorithm>

#include "checks.h"
#include "quant-blocks.h"
#include "quant-table.h"

namespace sb {

#if defined(__x86_64__)
extern const QuantTable quant_base, quant_avx2, quant_avx512, quant_avx512bf16;
#else
extern const QuantTable quant_base;
#endif

namespace {

const QuantTable &table() {
#if defined(__x86_64__)
  const int tier = isa();
  return tier >= SB_ISA_AVX512_BF16 ? quant_avx512bf16 : tier == SB_ISA_AVX512 ? quant_avx512 : tier == SB_ISA_AVX2 ? quant_avx2 : quant_base;
#else
  return quant_base;
#endif
}

constexpr int64_t kGroups = 8;                 // groups of 8 rows a chunk of a few activations takes
constexpr int64_t kManyGroups = 8, kTile = 128;     // with many: this many groups by this many rows of activations
constexpr int64_t kFewGroups = 16, kFewTile = 64;  // the same without a tile

int64_t width_of(const Tensor &x) { return x.type == SB_F32 ? 4 : 2; }

/** Row `row` of x as f32. */
const float *row_of(const Tensor &x, int64_t row, int64_t k, float *buffer) {
  const char *p = static_cast<const char *>(x.data) + row * k * width_of(x);
  if (x.type == SB_F32) return reinterpret_cast<const float *>(p);
  for (int64_t i = 0; i < k; i++) {
    uint16_t half;
    std::memcpy(&half, p + 2 * i, 2);
    const uint32_t bits = static_cast<uint32_t>(half) << 16;
    std::memcpy(buffer + i, &bits, 4);
  }
  return buffer;
}

/** Areas of the scratch; with a null base their offsets, and `end` the size. */
struct Areas {
  int8_t *code;
  ActivationUnit *unit;
  float *x;    // f32 rows: all of them for the exact product, one a thread for packed weights
  float *row;  // a weight's row a thread
  float *out;  // a thread's results
  char *codes;    // a thread's unpacked weights, where a tile is used
  float *scales;
  int64_t end = 0;

  Areas(const QuantLinear &q, int threads, char *base) {
    const int64_t m = q.x->shape[0], k = q.x->shape[1];
    const bool packed = q.w->type == SB_PACKED;
    const int64_t panels = m <= kDecodeRows ? m : round_up(m, 4);
    code = take<int8_t>(base, packed ? panels * k * (m <= kDecodeRows ? 1 : 2) : 0);
    unit = take<ActivationUnit>(base, packed ? panels * (k / 32) : 0);
    x = take<float>(base, (packed ? threads : m) * k);
    row = take<float>(base, packed ? 0 : threads * k);
    out = take<float>(base, threads * out_floats());
    codes = take<char>(base, packed && m > kDecodeRows ? threads * kStretch * kTileCodes : 0);
    scales = take<float>(base, packed && m > kDecodeRows ? threads * kStretch * 32 : 0);
  }
  static int64_t out_floats() { return kTile * kManyGroups * 8; }

 private:
  template <class T>
  T *take(char *base, int64_t count) {
    T *p = reinterpret_cast<T *>(base + end);
    end += round_up(count * static_cast<int64_t>(sizeof(T)), 64);
    return p;
  }
};

void exact(const QuantLinear &q, const Areas &areas, Pool &pool) {
  const QuantTable &t = table();
  const int64_t m = q.x->shape[0], k = q.x->shape[1], n = q.w->shape[0], step = 32;
  const BlockShape &s = *block_shape(q.w->type);
  const float *x = q.x->type == SB_F32 ? static_cast<const float *>(q.x->data) : areas.x;
  if (q.x->type != SB_F32)
    for (int64_t r = 0; r < m; r++) row_of(*q.x, r, k, areas.x + r * k);
  pool.parallel(pieces(n, step), [&](int64_t chunk, int thread) {
    const int64_t first = chunk * step, count = std::min(step, n - first);
    float *w = areas.row + thread * k, *out = areas.out + thread * Areas::out_floats();
    for (int64_t i = 0; i < count; i++) {
      t.dequantize(q.w->type, static_cast<const char *>(q.w->data) + (first + i) * (k / s.block) * s.bytes, k, w);
      t.dot(x, m, k, w, out + i, step);
    }
    for (int64_t r = 0; r < m; r++) epilogue_store(*q.finish, r, first, count, out + r * step);
  });
}

/** Few rows, or a tier without a tile: every group of weights meets all rows of activations of the chunk. */
void packed_few(const QuantLinear &q, const Areas &areas, Pool &pool) {
  const QuantTable &t = table();
  const int64_t m = q.x->shape[0], k = q.x->shape[1], n = q.w->shape[0];
  const int32_t type = q.w->source_type;
  const ActivationForm form{block_shape(type)->offset, type == SB_Q6_K};
  pool.parallel(m, [&](int64_t row, int thread) {
    t.activate(row_of(*q.x, row, k, areas.x + thread * k), k, form, areas.code + row * k, areas.unit + row * (k / 32));
  });
  const int64_t groups = m <= kDecodeRows ? kGroups : kFewGroups, across = pieces(pieces(n, 8), groups), bytes = group_bytes(type, k);
  pool.parallel(across * pieces(m, kFewTile), [&](int64_t chunk, int thread) {
    const int64_t row = chunk / across * kFewTile, rows = std::min(kFewTile, m - row), first = chunk % across * groups;
    const int64_t last = std::min(first + groups, pieces(n, 8)), ld = groups * 8;
    float *out = areas.out + thread * Areas::out_floats();
    const Activations a{areas.code + row * k, areas.unit + row * (k / 32)};
    for (int64_t g = first; g < last; g++) t.packed(type, static_cast<const char *>(q.w->data) + g * bytes, k, a, rows, out + (g - first) * 8, ld);
    for (int64_t r = 0; r < rows; r++) epilogue_store(*q.finish, row + r, first * 8, std::min(last * 8, n) - first * 8, out + r * ld);
  });
}

void packed_many(const QuantLinear &q, const Areas &areas, Pool &pool) {
  const QuantTable &t = table();
  const int64_t m = q.x->shape[0], k = q.x->shape[1], n = q.w->shape[0], units = k / 32;
  const int32_t type = q.w->source_type;
  const bool wide = t.tile->wide(type);
  const int64_t unit_codes = wide ? 64 : 32;  // bytes of a unit of a row
  const ActivationForm form{t.tile->offset(type), type == SB_Q6_K, 4, wide};
  pool.parallel(m, [&](int64_t row, int thread) {
    const int64_t at = row / 4 * 4 * units + row % 4;
    t.activate(row_of(*q.x, row, k, areas.x + thread * k), k, form, areas.code + at * unit_codes, areas.unit + at);
  });
  const int64_t across = pieces(pieces(n, 8), kManyGroups), ld = kManyGroups * 8;
  pool.parallel(across * pieces(m, kTile), [&](int64_t chunk, int thread) {
    const int64_t row = chunk / across * kTile, rows = std::min(kTile, m - row), first = chunk % across * kManyGroups;
    float *out = areas.out + thread * Areas::out_floats();
    TileCall c;
    c.weight = static_cast<const char *>(q.w->data) + first * group_bytes(type, k);
    c.groups = std::min(kManyGroups, pieces(n, 8) - first), c.units = units;
    c.code = areas.code + row * units * unit_codes, c.unit = areas.unit + row * units;
    c.rows = rows, c.out = out, c.ld = ld;
    c.codes = areas.codes + thread * kStretch * kTileCodes, c.scales = areas.scales + thread * kStretch * 32;
    t.tile->run(type, c);
    for (int64_t r = 0; r < rows; r++) epilogue_store(*q.finish, row + r, first * 8, std::min((first + c.groups) * 8, n) - first * 8, out + r * ld);
  });
}

/** Puts the unit of row `r` into its group. */
void place_unit(int32_t type, const Unit &u, int64_t index, int r, uint8_t *group) {
  uint8_t *p = group + unit_at(type, index), *codes = p + unit_scales(type);
  if (group_head(type)) {
    if (index % 8 == 0) {
      std::memcpy(p - group_head(type) + 2 * r, &u.d, 2);
      if (type != SB_Q6_K) std::memcpy(p - 16 + 2 * r, &u.m, 2);
    }
    p[r] = static_cast<uint8_t>(u.scale[0]);
    p[8 + r] = static_cast<uint8_t>(type == SB_Q6_K ? u.scale[1] : u.min);
  } else {
    std::memcpy(p + 2 * r, &u.d, 2);
    if (unit_scales(type) == 32) std::memcpy(p + 16 + 2 * r, &u.m, 2);
  }
  for (int i = 0; i < 32; i++) {
    const int v = i / 4, at = r * 4 + i % 4, c = u.code[i];
    if (type == SB_Q8_0) {
      codes[32 * v + at] = static_cast<uint8_t>(c);
      continue;
    }
    uint8_t &low = codes[v % 4 * 32 + at];
    low = static_cast<uint8_t>(low | (c & 15) << (v / 4 * 4));
    if (unit_codes(type) == 160) codes[128 + at] = static_cast<uint8_t>(codes[128 + at] | (c >> 4 & 1) << v);
    if (type == SB_Q6_K) codes[128 + v / 4 * 32 + at] = static_cast<uint8_t>(codes[128 + v / 4 * 32 + at] | (c >> 4 & 3) << (v % 4 * 2));
  }
}
/** And takes it out again. */
void find_unit(int32_t type, const uint8_t *group, int64_t index, int r, Unit &u) {
  const uint8_t *p = group + unit_at(type, index), *codes = p + unit_scales(type);
  u.scale[0] = u.scale[1] = 1, u.min = 1, u.m = 0;
  if (group_head(type)) {
    const uint8_t *head = group + unit_at(type, index / 8 * 8) - group_head(type);
    std::memcpy(&u.d, head + 2 * r, 2);
    if (type == SB_Q6_K) {
      u.scale[0] = static_cast<int8_t>(p[r]), u.scale[1] = static_cast<int8_t>(p[8 + r]);
    } else {
      std::memcpy(&u.m, head + 16 + 2 * r, 2);
      u.scale[0] = u.scale[1] = p[r], u.min = p[8 + r];
    }
  } else {
    std::memcpy(&u.d, p + 2 * r, 2);
    if (unit_scales(type) == 32) std::memcpy(&u.m, p + 16 + 2 * r, 2);
  }
  for (int i = 0; i < 32; i++) {
    const int v = i / 4, at = r * 4 + i % 4;
    int c = type == SB_Q8_0 ? codes[32 * v + at] : codes[v % 4 * 32 + at] >> (v / 4 * 4) & 15;
    if (unit_codes(type) == 160) c |= (codes[128 + at] >> v & 1) << 4;
    if (type == SB_Q6_K) c |= (codes[128 + v / 4 * 32 + at] >> (v % 4 * 2) & 3) << 4;
    u.code[i] = static_cast<uint8_t>(c);
  }
}

}  // namespace

bool is_quantized(int32_t type) { return block_shape(type) != nullptr; }
int64_t quant_block(int32_t type) { return is_quantized(type) ? block_shape(type)->block : 1; }
int64_t quant_block_bytes(int32_t type) { return is_quantized(type) ? block_shape(type)->bytes : type == SB_F32 ? 4 : 2; }
void dequantize_rows(int32_t type, const void *src, int64_t k, float *dst) { table().dequantize(type, src, k, dst); }

const char *quant_linear_check(const QuantLinear &q) {
  const int32_t type = q.w->type == SB_PACKED ? q.w->source_type : q.w->type;
  const int64_t k = q.w->shape[1];
  if (!is_quantized(type)) return refuse("w: expected a quantised type, got %d", type);
  if (k % quant_block(type) != 0) return refuse("w: rows of %lld are not whole blocks of %lld", static_cast<long long>(k), static_cast<long long>(quant_block(type)));
  return nullptr;
}
int64_t quant_linear_scratch(const QuantLinear &q, int threads) { return Areas(q, threads, nullptr).end; }
void quant_linear(const QuantLinear &q, char *scratch, Pool &pool) {
  const Areas areas(q, pool.threads(), scratch);
  if (q.w->type != SB_PACKED) exact(q, areas, pool);
  else if (q.x->shape[0] > kDecodeRows && table().tile && !table().tile->wide(q.w->source_type)) packed_many(q, areas, pool);
  else packed_few(q, areas, pool);
}

int64_t quant_packed_bytes(int32_t form, int32_t type, int64_t n, int64_t k) {
  if (form != SB_FORM_Y || !is_quantized(type) || k % quant_block(type) != 0) return -1;
  return pieces(n, 8) * group_bytes(type, k);
}
int32_t quant_pack(Pool &pool, int32_t, int32_t type, int64_t n, int64_t k, const void *weight, void *packed) {
  const BlockShape &s = *block_shape(type);
  const int64_t bytes = group_bytes(type, k), units = s.block / 32;
  pool.parallel(pieces(n, 8), [&](int64_t g, int) {
    uint8_t *group = static_cast<uint8_t *>(packed) + g * bytes;
    std::memset(group, 0, static_cast<size_t>(bytes));  // rows that are not there have scale 0
    for (int r = 0; r < 8 && g * 8 + r < n; r++)
      for (int64_t i = 0; i < k / 32; i++) {
        Unit u;
        take_unit(type, static_cast<const uint8_t *>(weight) + ((g * 8 + r) * (k / s.block) + i / units) * s.bytes, static_cast<int>(i % units), u);
        place_unit(type, u, i, r, group);
      }
  });
  return SB_OK;
}
int32_t quant_packed_layout(int32_t form, int32_t type) { return form == SB_FORM_Y && is_quantized(type) ? 1 << 16 | 8 : 0; }

void dequantize_packed(int32_t type, const void *packed, int64_t, int64_t k, int64_t row, int64_t count, int64_t k0, int64_t kn, float *dst) {
  const BlockShape &s = *block_shape(type);
  for (int64_t i = 0; i < count; i++) {
    const uint8_t *group = static_cast<const uint8_t *>(packed) + (row + i) / 8 * group_bytes(type, k);
    for (int64_t b = 0; b < kn / 32; b++) {
      Unit u;
      find_unit(type, group, k0 / 32 + b, static_cast<int>((row + i) % 8), u);
      unit_values(s, u, dst + i * kn + 32 * b);
    }
  }
}

}  // namespace sb
