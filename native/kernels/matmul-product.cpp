/** @file The blocked product: A packed once for all threads, chunks of rows and columns handed out, the summed dimension
 * walked in blocks whose length depends on it only, so that any number of threads gives the same bits. */
#include "matmul.h"

#include <algorithm>
#include <cstring>

#include "quant.h"

extern const sb::MatmulTable matmul_base;
#if defined(__x86_64__)
extern const sb::MatmulTable matmul_avx2, matmul_avx512, matmul_avx512bf16;
#elif defined(__aarch64__)
extern const sb::MatmulTable matmul_neon, matmul_neonbf16;
#endif

namespace sb {

const MatmulTable &matmul_now() {
  switch (isa()) {
#if defined(__x86_64__)
    case SB_ISA_AVX2: return matmul_avx2;
    case SB_ISA_AVX512: return matmul_avx512;
    case SB_ISA_AVX512_BF16: return matmul_avx512bf16;
#elif defined(__aarch64__)
    case SB_ISA_NEON: return matmul_neon;
    case SB_ISA_NEON_BF16: return matmul_neonbf16;
#endif
    default: return matmul_base;
  }
}

const Engine &engine_for(int32_t a_type, int32_t b_type) {
  const MatmulTable &t = matmul_now();
  return t.bf16 && a_type == SB_BF16 && b_type == SB_BF16 ? *t.bf16 : *t.f32;
}

namespace {

constexpr int64_t kTallest = 43;                // tiles of A a chunk: with one block of k about 256 KiB
constexpr int64_t kPackedUnits = int64_t{3} << 20;  // of A at a time: 12 MiB

bool quantized(const Source &s) { return s.int8 || is_quantized(s.type); }

/** Everything about a product that follows from its shape. */
struct Shape {
  const Engine *e, *inner;  // inner: for the down projection of a low-rank part
  int64_t block;            // summed elements a block
  int64_t depth, height;    // summed elements and rows of A packed at a time
  int64_t tall, wide;       // tiles of A and panels of B a chunk
  int nr;                   // width of B's panels: the engine's, or its narrow one for a narrow product
  void (*kernel)(int64_t, const float *, const float *, float *, int, bool);
  int64_t panels;           // of B
  int64_t b_floats, c_floats, temporary;  // a thread
  int64_t low_width, low_panels;          // panels of the low-rank inner dimension

  int64_t units(int64_t k) const { return ceil_div(k, e->step); }
};

/** Panels a chunk, so that the last round of chunks leaves few threads idle. Results do not depend on it. */
int64_t chunk_width(int64_t panels, int64_t blocks, int threads) {
  int64_t best = 1;
  double least = 1e300;
  for (int64_t p = std::min<int64_t>(panels, 6); p >= 1; p--) {
    const double cost = static_cast<double>(ceil_div(blocks * ceil_div(panels, p), threads)) * (static_cast<double>(p) + 0.15);
    if (cost < least * 0.999) least = cost, best = p;
  }
  return best;
}

Shape shape_of(const Product &p, int threads) {
  Shape s{};
  s.e = &engine_for(p.a.type, quantized(p.b) ? SB_F32 : p.b.type);
  const Engine &e = *s.e;
  s.block = quantized(p.b) ? 256 : block_length(e, p.k);
  const int64_t block_units = s.units(s.block), units = s.units(p.k), tiles = ceil_div(p.m, e.mr);
  s.depth = std::max(p.k, s.block);
  if (units * std::min(tiles, kTallest) * e.mr > kPackedUnits)
    s.depth = std::max<int64_t>(1, kPackedUnits / (kTallest * e.mr) / block_units) * s.block;
  const int64_t fit = std::max(kTallest, kPackedUnits / std::max<int64_t>(1, s.units(s.depth)) / e.mr / kTallest * kTallest);
  s.height = std::min(tiles, fit) * e.mr;
  const int64_t held = s.height / e.mr, blocks = std::max<int64_t>(1, ceil_div(held, kTallest));
  s.tall = ceil_div(held, blocks);
  const bool narrow = p.n <= e.narrow && (p.b.order == Order::along || p.b.order == Order::across) && !quantized(p.b);
  s.nr = narrow ? e.narrow : e.nr;
  s.kernel = narrow ? e.tile_narrow : e.tile;
  s.panels = ceil_div(p.n, s.nr);
  s.wide = quantized(p.b) && (p.b.order == Order::across || p.b.order == Order::panelsAcross) ? 256 / s.nr : chunk_width(s.panels, blocks, threads);
  s.b_floats = block_units * s.nr * s.wide + 16;
  s.c_floats = s.tall * e.mr * s.nr * s.wide;
  s.temporary = fill_scratch(e, p.b, s.wide * s.nr, std::min(s.block, p.k));
  s.inner = s.e;
  if (p.low && e.step == 2 && p.low->down.type != SB_BF16) s.inner = matmul_now().f32;
  if (p.low && p.low->rank > 0) {
    s.low_width = p.low->rank <= e.narrow ? e.narrow : e.nr;
    s.low_panels = ceil_div(p.low->rank, s.low_width);
  }
  return s;
}

/** The work areas, in the order they are taken from scratch. */
struct Areas {
  float *a, *b, *c, *temporary, *kept;  // kept: C of all rows while the summed dimension is walked in parts
  float *down, *up, *inner, *scaled, *single;

  Areas(const Product &p, const Shape &s, int threads, Scratch &scratch) {
    const Engine &e = *s.e;
    a = scratch.take<float>(s.height * s.units(std::min(s.depth, p.k)) + 16);
    b = scratch.take<float>(s.b_floats * threads);
    c = scratch.take<float>(s.c_floats * threads);
    temporary = scratch.take<float>(s.temporary * threads);
    kept = scratch.take<float>(s.depth < p.k ? s.height * s.panels * s.nr : 0);
    if (!s.low_panels) return;
    const LowRank &low = *p.low;
    down = scratch.take<float>(low.groups * s.low_panels * ceil_div(p.k, s.inner->step) * s.low_width + 16);
    up = scratch.take<float>(low.groups * s.panels * low.rank * s.nr + 16);
    inner = scratch.take<float>(s.height * s.low_panels * s.low_width);
    scaled = scratch.take<float>(s.height * low.rank);
    single = scratch.take<float>(threads * (ceil_div(s.block, s.inner->step) * e.mr + 16));
  }
};

class Run {
 public:
  Run(const Product &p, Pool &pool, char *scratch)
      : p_(p), s_(shape_of(p, pool.threads())), pool_(pool), memory_(scratch), w_(p, s_, pool.threads(), memory_), f32_(*matmul_now().f32) {}

  void run() {
    if (s_.low_panels) pack_low();
    for (row0_ = 0; row0_ < p_.m; row0_ += s_.height) {
      rows_ = std::min(s_.height, p_.m - row0_);
      tiles_ = ceil_div(rows_, s_.e->mr);
      for (start_ = 0; start_ == 0 || start_ < p_.k; start_ += s_.depth) {
        depth_ = std::min(s_.depth, p_.k - start_);
        last_ = start_ + depth_ >= p_.k;
        constexpr int64_t kGroup = 8;
        pool_.parallel(ceil_div(tiles_, kGroup), [&](int64_t chunk, int thread) { prepare(chunk * kGroup, std::min(kGroup, tiles_ - chunk * kGroup), thread); });
        const int64_t across = ceil_div(s_.panels, s_.wide);
        pool_.parallel(ceil_div(tiles_, s_.tall) * across, [&](int64_t chunk, int thread) { compute(chunk / across * s_.tall, chunk % across, thread); });
      }
    }
  }

 private:
  /** The group of a row, -1 for none. */
  int64_t group(int64_t row) const {
    const int64_t g = p_.low->group ? p_.low->group[row] : 0;
    return g >= 0 && g < p_.low->groups ? g : -1;
  }
  bool uniform(int64_t row, int64_t rows) const {
    for (int64_t i = 1; i < rows; i++)
      if (group(row + i) != group(row)) return false;
    return true;
  }
  float *a_at(int64_t k, int64_t tile) const {  // k: from start_
    return w_.a + s_.units(k) * tiles_ * s_.e->mr + tile * s_.units(std::min(s_.block, depth_ - k)) * s_.e->mr;
  }
  float *down_at(int64_t g, int64_t panel, int64_t k) const {
    return w_.down + ((g * s_.low_panels + panel) * ceil_div(p_.k, s_.inner->step) + ceil_div(k, s_.inner->step)) * s_.low_width;
  }

  void pack_low() {
    const LowRank &low = *p_.low;
    const int64_t elements = ceil_div(s_.block * 4, 1), parts = ceil_div(p_.k, elements), bands = ceil_div(s_.panels, 16);
    pool_.parallel(low.groups * (parts + bands), [&](int64_t chunk, int) {
      const int64_t g = chunk / (parts + bands), part = chunk % (parts + bands);
      if (part < parts) {
        Source down = low.down;
        down.data = static_cast<const char *>(down.data) + g * low.down_stride * float_bytes(down.type);
        const int64_t k = part * elements, kn = std::min(elements, p_.k - k);
        for (int64_t panel = 0; panel < s_.low_panels; panel++)
          s_.inner->pack(down, panel * s_.low_width, std::min(s_.low_width, low.rank - panel * s_.low_width), k, kn, static_cast<int>(s_.low_width), 0, down_at(g, panel, k));
      } else {
        Source up = low.up;
        up.data = static_cast<const char *>(up.data) + g * low.up_stride * float_bytes(up.type);
        const int64_t first = (part - parts) * 16, column = first * s_.nr;
        f32_.pack(up, column, std::min<int64_t>(16 * s_.nr, p_.n - column), 0, low.rank, s_.nr, low.rank * s_.nr, w_.up + (g * s_.panels + first) * low.rank * s_.nr);
      }
    });
  }

  void prepare(int64_t tile, int64_t tiles, int thread) {
    const Engine &e = *s_.e;
    const int64_t row = row0_ + tile * e.mr, rows = std::min(tiles * e.mr, row0_ + rows_ - row);
    for (int64_t k = 0; k < depth_; k += s_.block) {
      const int64_t kn = std::min(s_.block, depth_ - k);
      e.pack(p_.a, row, rows, start_ + k, kn, e.mr, s_.units(kn) * e.mr, a_at(k, tile));
      if (s_.low_panels)
        for (int64_t t = tile; t < tile + tiles; t++) project(t, k, kn, thread);
    }
    if (s_.low_panels && last_)
      for (int64_t t = tile; t < tile + tiles; t++) finish_inner(t);
  }

  /** One block of x downT for the rows of a tile. */
  void project(int64_t tile, int64_t k, int64_t kn, int thread) {
    const Engine &e = *s_.inner;
    const int64_t row = row0_ + tile * e.mr, units = ceil_div(kn, e.step);
    const int rows = static_cast<int>(std::min<int64_t>(e.mr, row0_ + rows_ - row));
    const float *a = a_at(k, tile);
    if (s_.inner != s_.e) {
      float *own = w_.single + thread * (ceil_div(s_.block, e.step) * e.mr + 16);
      e.pack(p_.a, row, rows, start_ + k, kn, e.mr, 0, own);
      a = own;
    }
    const auto kernel = s_.low_width == e.narrow ? e.tile_narrow : e.tile;
    const bool add = start_ + k > 0, one = uniform(row, rows);
    for (int64_t panel = 0; panel < s_.low_panels; panel++) {
      float *c = w_.inner + (tile * s_.low_panels + panel) * e.mr * s_.low_width;
      if (one) {
        if (group(row) >= 0) kernel(units, a, down_at(group(row), panel, start_ + k), c, rows, add);
      } else {
        for (int r = 0; r < rows; r++)
          if (group(row + r) >= 0) kernel(units, a + r, down_at(group(row + r), panel, start_ + k), c + r * s_.low_width, 1, add);
      }
    }
  }

  void finish_inner(int64_t tile) {
    const LowRank &low = *p_.low;
    const int mr = s_.e->mr;
    const int64_t row = row0_ + tile * mr;
    for (int r = 0; r < mr; r++) {
      const bool real = row + r < row0_ + rows_;
      const int64_t g = real ? group(row + r) : -1;
      for (int64_t j = 0; j < low.rank; j++) {
        const float v = g < 0 || p_.k == 0 ? 0 : w_.inner[((tile * s_.low_panels + j / s_.low_width) * mr + r) * s_.low_width + j % s_.low_width];
        const float scaled = g < 0 ? 0 : v * low.scales[g];
        w_.scaled[(tile * low.rank + j) * mr + r] = scaled;
        if (real) low.inner[(row + r) * low.rank + j] = low.scaled ? scaled : v;
      }
    }
  }

  /** Adds the low-rank part to a tile of C. */
  void add_low(int64_t tile, int64_t panel, int rows, float *c) {
    const LowRank &low = *p_.low;
    const int64_t row = row0_ + tile * s_.e->mr;
    const float *a = w_.scaled + tile * low.rank * s_.e->mr;
    const auto up = [&](int64_t g) { return w_.up + (g * s_.panels + panel) * low.rank * s_.nr; };
    const auto kernel = s_.nr == f32_.nr ? f32_.tile : f32_.tile_narrow;
    if (uniform(row, rows)) {
      if (group(row) >= 0) kernel(low.rank, a, up(group(row)), c, rows, true);
    } else {
      for (int r = 0; r < rows; r++)
        if (group(row + r) >= 0) kernel(low.rank, a + r, up(group(row + r)), c + r * s_.nr, 1, true);
    }
  }

  void compute(int64_t tile0, int64_t band, int thread) {
    const Engine &e = *s_.e;
    const int64_t tiles = std::min(s_.tall, tiles_ - tile0), panel0 = band * s_.wide, panels = std::min(s_.wide, s_.panels - panel0);
    const int64_t column0 = panel0 * s_.nr, columns = std::min(panels * s_.nr, p_.n - column0), area = static_cast<int64_t>(e.mr) * s_.nr;
    float *b = w_.b + s_.b_floats * thread;
    float *c = s_.depth < p_.k ? w_.kept + (tile0 * s_.panels + panel0 * tiles) * area : w_.c + s_.c_floats * thread;
    const MatmulTable &table = matmul_now();
    for (int64_t k = 0; k < depth_ || (k == 0 && p_.k == 0); k += s_.block) {
      const int64_t kn = std::min(s_.block, depth_ - k), units = s_.units(kn);
      const bool done = last_ && k + s_.block >= depth_;
      fill_panels(e, p_.b, column0, columns, start_ + k, kn, s_.nr, units * s_.nr, b, w_.temporary + s_.temporary * thread);
      for (int64_t j = 0; j < panels; j++) {
        const int64_t column = column0 + j * s_.nr;
        for (int64_t t = 0; t < tiles; t++) {
          const int64_t row = row0_ + (tile0 + t) * e.mr;
          const int rows = static_cast<int>(std::min<int64_t>(e.mr, row0_ + rows_ - row));
          float *to = c + (j * tiles + t) * area;
          s_.kernel(units, a_at(k, tile0 + t), b + j * units * s_.nr, to, rows, start_ + k > 0);
          if (!done) continue;
          if (s_.low_panels) add_low(tile0 + t, panel0 + j, rows, to);
          table.finish(p_.finish, row, rows, column, std::min<int64_t>(s_.nr, p_.n - column), to, s_.nr);
        }
      }
    }
  }

  const Product &p_;
  const Shape s_;
  Pool &pool_;
  Scratch memory_;
  const Areas w_;
  const Engine &f32_;
  int64_t row0_ = 0, rows_ = 0, tiles_ = 0, start_ = 0, depth_ = 0;
  bool last_ = false;
};

}  // namespace

int64_t multiply_scratch(const Product &p, int threads) {
  if (p.m == 0) return 0;
  Scratch scratch(nullptr);
  Areas(p, shape_of(p, threads), threads, scratch);
  return scratch.used();
}

void multiply(const Product &p, Pool &pool, char *scratch) {
  if (p.m == 0) return;
  Run(p, pool, scratch).run();
}

}  // namespace sb
