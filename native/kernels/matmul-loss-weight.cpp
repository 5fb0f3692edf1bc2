/** @file linearCrossEntropyDw: the gradient of the loss to W, a band of the vocabulary at a time. Logits are computed
 * again from lse, never kept. */
#include "matmul-loss.h"

namespace sb {
namespace {

constexpr int64_t kBand = 192;                     // rows of W a chunk: whole tiles and panels in every tier
constexpr int64_t kKept = int64_t{8} << 20;  // floats of x kept rearranged for all chunks: 32 MiB

struct LossDw {
  const Tensor *x, *w, *targets, *lse, *dnll, *base, *dw;
  float softcap;
  int64_t m, v, d;
};
LossDw loss_dw_of(const Call &c) {
  LossDw l{input(c, 0), input(c, 1), input(c, 2), input(c, 3), input(c, 4), input(c, 5), output(c, 0), static_cast<float>(c.params[0]), 0, 0, 0};
  l.m = l.x->shape[0], l.d = l.x->shape[1], l.v = l.w->shape[0];
  return l;
}

struct DwAreas {
  const Engine *e;
  int64_t block, rows, d_panels, area, a_floats, bx_floats, parts, held;  // rows: of x at a time; held: parts kept, or one a thread
  bool kept;                                                            // x is rearranged once for all chunks
  int64_t b_floats, c_floats, g_floats, temporary_floats, sum_floats;
  int32_t *list;
  float *a, *bx, *b, *c, *g, *g_panels, *temporary, *sum;
  uint16_t *half;

  DwAreas(const LossDw &l, int threads, Scratch &s) {
    e = &loss_engine(*l.x, *l.w);
    block = loss_block(*e, *l.w, l.d);
    rows = loss_tall(*e) * e->mr;
    d_panels = ceil_div(l.d, e->nr);
    area = static_cast<int64_t>(e->mr) * e->nr;
    a_floats = rows * ceil_div(l.d, e->step);
    bx_floats = d_panels * e->nr * ceil_div(rows, e->step);
    parts = ceil_div(l.m, rows);
    kept = parts * (a_floats + bx_floats) <= kKept;
    held = kept ? parts : threads;
    b_floats = ceil_div(std::max(block, kBand), e->step) * kBand + 16;
    c_floats = rows * kBand;
    g_floats = rows * kBand + 64;
    temporary_floats = fill_scratch(*e, weight_source(*l.w, false), kBand, block);
    sum_floats = kBand * d_panels * e->nr;
    list = s.take<int32_t>(l.m);
    a = s.take<float>(held * a_floats + 16);
    bx = s.take<float>(held * bx_floats + 16);
    b = s.take<float>(threads * b_floats);
    c = s.take<float>(threads * c_floats);
    g = s.take<float>(threads * g_floats);
    g_panels = s.take<float>(threads * g_floats);
    half = s.take<uint16_t>(threads * g_floats);
    temporary = s.take<float>(threads * temporary_floats);
    sum = s.take<float>(threads * sum_floats);
  }
};

class DwRun {
 public:
  DwRun(const LossDw &l, Pool &pool, char *scratch) : l_(l), pool_(pool), memory_(scratch), w_(l, pool.threads(), memory_) {}

  void run() {
    count_ = supervised(*l_.targets, l_.v, w_.list);
    x_ = source(*l_.x, Order::along);
    x_.gather = w_.list;
    if (w_.kept) pool_.parallel(ceil_div(count_, w_.rows), [&](int64_t part, int) { arrange(part, part); });
    pool_.parallel(ceil_div(l_.v, kBand), [&](int64_t band, int thread) { compute(band * kBand, thread); });
  }

 private:
  int64_t rows_of(int64_t part) const { return std::min(w_.rows, count_ - part * w_.rows); }

  void arrange(int64_t part, int64_t place) {
    const Engine &e = *w_.e;
    const int64_t rows = rows_of(part);
    pack_rows(e, x_, w_.block, part * w_.rows, rows, l_.d, w_.a + place * w_.a_floats);
    Source across = x_;
    across.order = Order::across;
    e.pack(across, 0, l_.d, part * w_.rows, rows, e.nr, ceil_div(rows, e.step) * e.nr, w_.bx + place * w_.bx_floats);
  }

  void compute(int64_t v, int thread) {
    const Engine &e = *w_.e;
    const int64_t vn = std::min(kBand, l_.v - v), v_tiles = ceil_div(vn, e.mr);
    float *sum = w_.sum + w_.sum_floats * thread;
    const int64_t parts = ceil_div(count_, w_.rows);
    for (int64_t part = 0; part < parts; part++) {
      const int64_t place = w_.kept ? part : thread;
      if (!w_.kept) arrange(part, place);
      const float *g = gradient(part, place, v, vn, thread);
      const int64_t units = ceil_div(rows_of(part), e.step);
      for (int64_t j = 0; j < w_.d_panels; j++)
        for (int64_t t = 0; t < v_tiles; t++)
          e.tile(units, g + t * units * e.mr, w_.bx + place * w_.bx_floats + j * units * e.nr, sum + (j * v_tiles + t) * w_.area,
                 static_cast<int>(std::min<int64_t>(e.mr, vn - t * e.mr)), part > 0);
    }
    if (parts == 0) std::fill(sum, sum + v_tiles * w_.d_panels * w_.area, 0.0f);
    Epilogue finish;
    finish.y = l_.dw->data;
    finish.y_bf16 = l_.dw->type == SB_BF16;
    finish.n = l_.d;
    if (l_.base) finish.residual = l_.base->data, finish.residual_bf16 = l_.base->type == SB_BF16;
    for (int64_t t = 0; t < v_tiles; t++)
      for (int64_t j = 0; j < w_.d_panels; j++)
        matmul_now().finish(finish, v + t * e.mr, std::min<int64_t>(e.mr, vn - t * e.mr), j * e.nr, std::min<int64_t>(e.nr, l_.d - j * e.nr), sum + (j * v_tiles + t) * w_.area, e.nr);
  }

  /** Gradient to the logits of a part's rows, as panels over the vocabulary summed along the rows. */
  const float *gradient(int64_t part, int64_t place, int64_t v, int64_t vn, int thread) {
    const Engine &e = *w_.e;
    const MatmulTable &table = matmul_now();
    const int64_t rows = rows_of(part), tiles = ceil_div(rows, e.mr), panels = ceil_div(vn, e.nr);
    float *c = w_.c + w_.c_floats * thread, *g = w_.g + w_.g_floats * thread, *to = w_.g_panels + w_.g_floats * thread;
    logits_of(e, weight_source(*l_.w, false), w_.block, w_.a + place * w_.a_floats, rows, l_.d, v, vn, w_.b + w_.b_floats * thread, w_.temporary + w_.temporary_floats * thread, c);
    for (int64_t r = 0; r < rows; r++) {
      const int64_t row = w_.list[part * w_.rows + r], t = static_cast<const int32_t *>(l_.targets->data)[row] - v;
      const LogitRow logits{c + r / e.mr * w_.area + r % e.mr * e.nr, panels, tiles * w_.area, vn, t >= 0 && t < vn ? t : -1};
      table.gradient_row(logits, l_.softcap, static_cast<const float *>(l_.lse->data)[row], static_cast<const float *>(l_.dnll->data)[row], g + r * kBand);
    }
    Source s;
    s.data = g;
    s.order = Order::across;
    s.ld = kBand;
    if (e.step == 2) {
      uint16_t *half = w_.half + w_.g_floats * thread;
      table.narrow(g, rows * kBand, half);
      s.data = half, s.type = SB_BF16;
    }
    e.pack(s, 0, vn, 0, rows, e.mr, ceil_div(rows, e.step) * e.mr, to);
    return to;
  }

  const LossDw &l_;
  Pool &pool_;
  Scratch memory_;
  const DwAreas w_;
  Source x_;
  int64_t count_ = 0;
};

const char *check_loss_dw(const Call &c) {
  Operands o(c, 6, 1, 1);
  int64_t m = -1, v = -1, d = -1;
  o.take(o.in(0), "x", 'F', {&m, &d});
  o.take(o.in(1), "w", 'W', {&v, &d});
  o.take(o.in(2), "targets", 'I', {&m});
  o.take(o.in(3), "lse", 'f', {&m});
  o.take(o.in(4), "dnll", 'f', {&m});
  o.take(o.in(5), "base", 'F', {&v, &d}, true);
  o.take(o.out(0), "dw", 'F', {&v, &d});
  if (!o.reason() && !(c.params[0] >= 0)) o.refuse("softcap: 0 or more is expected");
  return o.reason();
}

const Register registered{{"linearCrossEntropyDw",
                           [](const Call &c) {
                             const LossDw l = loss_dw_of(c);
                             DwRun(l, c.pool, c.scratch).run();
                           },
                           check_loss_dw, [](const Call &c) {
                             Scratch s(nullptr);
                             DwAreas(loss_dw_of(c), c.pool.threads(), s);
                             return s.used();
                           }}};

}  // namespace
}  // namespace sb
