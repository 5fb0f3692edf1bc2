/** @file linearCrossEntropy: logits of a tile of the vocabulary at a time, a running maximum as in flash attention, and in
 * the same pass the gradient to x. Rows without a target cost nothing: those with one are gathered first.
 *
 * The vocabulary is cut into slices whose number depends on the problem only; each keeps its own maximum, sum and gradient,
 * and they are joined in order, so that any number of threads gives the same bits. */
#include "matmul-loss.h"

#include <cmath>
#include <cstring>

namespace sb {
namespace {

constexpr int64_t kSlices = 16;
constexpr int64_t kHeld = int64_t{5} << 20;  // floats of gradient held in all slices: 20 MiB

struct LossCall {
  const Tensor *x, *w, *targets, *nll, *lse, *dx;
  float softcap;
  int64_t m, v, d;
};
LossCall loss_of(const Call &c) {
  LossCall l{input(c, 0), input(c, 1), input(c, 2), output(c, 0), output(c, 1), c.params[0] != 0 ? output(c, 2) : nullptr, static_cast<float>(c.params[1]), 0, 0, 0};
  l.m = l.x->shape[0], l.d = l.x->shape[1], l.v = l.w->shape[0];
  return l;
}

struct LossShape {
  const Engine *e;
  int64_t block, tall, d_panels, area;
  int64_t batch;      // rows worked on at a time
  int64_t held_rows;  // rows of gradient in all slices together, at most
  int64_t wide;       // panels of D filled at a time for dx

  LossShape(const LossCall &l) {
    e = &loss_engine(*l.x, *l.w);
    block = loss_block(*e, *l.w, l.d);
    tall = loss_tall(*e);
    area = static_cast<int64_t>(e->mr) * e->nr;
    d_panels = ceil_div(l.d, e->nr);
    const int64_t band = tall * e->mr;
    held_rows = std::min(kSlices * band, std::max(band, kHeld / std::max<int64_t>(1, d_panels * e->nr)));
    batch = std::min(std::max<int64_t>(l.m, 1), std::max(band, held_rows / band * band));
    wide = kLossColumns / e->nr;
  }
  /** Slices for so many rows: a power of two, each of at least a few tiles of the vocabulary. */
  int64_t slices(int64_t rows, int64_t v) const {
    int64_t s = kSlices;
    while (s > 1 && (s * ceil_div(rows, e->mr) * e->mr > held_rows || s * 4 * kLossColumns > v)) s /= 2;
    return s;
  }
};

struct LossAreas {
  int32_t *list;
  float *a, *o, *state;  // state: maximum, sum, logit of the target, of every row in every slice
  float *b, *c, *p, *temporary, *row;
  uint16_t *half;
  int64_t b_floats, c_floats, temporary_floats, row_floats;

  LossAreas(const LossCall &l, const LossShape &s, int threads, Scratch &scratch) {
    const int64_t rows = ceil_div(s.batch, s.e->mr) * s.e->mr;
    list = scratch.take<int32_t>(l.m);
    a = scratch.take<float>(rows * ceil_div(l.d, s.e->step) + 16);
    o = scratch.take<float>(l.dx ? std::max(s.held_rows, rows) * s.d_panels * s.e->nr : 0);
    state = scratch.take<float>(3 * kSlices * rows);
    const Source y = weight_source(*l.w, false), across = weight_source(*l.w, true);
    b_floats = (std::max(s.block, kLossColumns) / s.e->step) * kLossColumns + 16;
    c_floats = s.tall * s.e->mr * kLossColumns + 16;
    temporary_floats = std::max(fill_scratch(*s.e, y, kLossColumns, s.block), fill_scratch(*s.e, across, kLossColumns, kLossColumns));
    row_floats = 2 * s.d_panels * s.e->nr + 512;
    b = scratch.take<float>(b_floats * threads);
    c = scratch.take<float>(c_floats * threads);
    p = scratch.take<float>(l.dx ? c_floats * threads : 0);
    half = scratch.take<uint16_t>(s.area * threads);
    temporary = scratch.take<float>(temporary_floats * threads);
    row = scratch.take<float>(row_floats * threads);
  }
};

class Loss {
 public:
  Loss(const LossCall &l, Pool &pool, char *scratch) : l_(l), s_(l), pool_(pool), memory_(scratch), w_(l, s_, pool.threads(), memory_) {}

  void run() {
    count_ = supervised(*l_.targets, l_.v, w_.list);
    clear_skipped();
    for (first_ = 0; first_ < count_; first_ += s_.batch) {
      rows_ = std::min(s_.batch, count_ - first_);
      tiles_ = ceil_div(rows_, s_.e->mr);
      slices_ = s_.slices(rows_, l_.v);
      const int64_t bands = ceil_div(tiles_, s_.tall);
      x_ = source(*l_.x, Order::along);
      x_.gather = w_.list + first_;
      pool_.parallel(bands, [&](int64_t band, int) {
        const int64_t row = band * s_.tall * s_.e->mr;
        pack_rows(*s_.e, x_, s_.block, row, std::min(s_.tall * s_.e->mr, rows_ - row), l_.d, a_at(band));
      });
      pool_.parallel(bands * slices_, [&](int64_t chunk, int thread) { slice(chunk % bands, chunk / bands, thread); });
      pool_.parallel(rows_, [&](int64_t row, int thread) { join(row, thread); });
    }
  }

 private:
  float *a_at(int64_t band) const { return w_.a + band * s_.tall * s_.e->mr * ceil_div(l_.d, s_.e->step); }
  float *state_at(int64_t slice, int64_t row) const { return w_.state + (slice * tiles_ * s_.e->mr + row) * 3; }
  /** Gradient of a band in a slice: [panel of D][tile][mr][nr]. */
  float *o_at(int64_t slice, int64_t band) const { return w_.o + (slice * tiles_ + band * s_.tall) * s_.d_panels * s_.area; }
  int32_t target(int64_t row) const { return static_cast<const int32_t *>(l_.targets->data)[w_.list[first_ + row]]; }

  void clear_skipped() {
    const int64_t bytes = l_.dx ? l_.d * float_bytes(l_.dx->type) : 0;
    int64_t next = 0;
    for (int64_t i = 0; i < l_.m; i++) {
      if (next < count_ && w_.list[next] == i) {
        next++;
        continue;
      }
      static_cast<float *>(l_.nll->data)[i] = static_cast<float *>(l_.lse->data)[i] = 0;
      if (bytes) std::memset(static_cast<char *>(l_.dx->data) + i * bytes, 0, static_cast<size_t>(bytes));
    }
  }

  void slice(int64_t band, int64_t slice, int thread) {
    const Engine &e = *s_.e;
    const MatmulTable &table = matmul_now();
    const int64_t row0 = band * s_.tall * e.mr, rows = std::min(s_.tall * e.mr, rows_ - row0), tiles = ceil_div(rows, e.mr);
    const int64_t parts = ceil_div(l_.v, kLossColumns), begin = parts * slice / slices_ * kLossColumns, end = std::min(l_.v, parts * (slice + 1) / slices_ * kLossColumns);
    const Source w = weight_source(*l_.w, false);
    float *b = w_.b + w_.b_floats * thread, *c = w_.c + w_.c_floats * thread, *temporary = w_.temporary + w_.temporary_floats * thread;
    for (int64_t r = 0; r < rows; r++) {
      float *state = state_at(slice, row0 + r);
      state[0] = -INFINITY, state[1] = state[2] = 0;
    }
    if (begin == end && l_.dx) std::fill(o_at(slice, band), o_at(slice, band) + tiles * s_.d_panels * s_.area, 0.0f);
    for (int64_t v = begin; v < end; v += kLossColumns) {
      const int64_t vn = std::min(kLossColumns, end - v), panels = ceil_div(vn, e.nr);
      logits_of(e, w, s_.block, a_at(band), rows, l_.d, v, vn, b, temporary, c);
      for (int64_t r = 0; r < rows; r++) {
        float *state = state_at(slice, row0 + r);
        const int64_t t = target(row0 + r) - v;
        const LogitRow row{c + r / e.mr * s_.area + r % e.mr * e.nr, panels, tiles * s_.area, vn, t >= 0 && t < vn ? t : -1};
        const float factor = table.softmax_row(row, l_.softcap, state, state + 1, state + 2);
        if (l_.dx && factor != 1 && v > begin)
          for (int64_t j = 0; j < s_.d_panels; j++) table.scale(o_at(slice, band) + (j * tiles + r / e.mr) * s_.area + r % e.mr * e.nr, e.nr, factor);
      }
      if (l_.dx) gradient(slice, band, rows, v, vn, v > begin, thread);
    }
  }

  /** o += p W for a tile of the vocabulary; c holds p. */
  void gradient(int64_t slice, int64_t band, int64_t rows, int64_t v, int64_t vn, bool add, int thread) {
    const Engine &e = *s_.e;
    const int64_t tiles = ceil_div(rows, e.mr), panels = ceil_div(vn, e.nr), units = ceil_div(vn, e.step), held = panels * e.nr / e.step;
    float *b = w_.b + w_.b_floats * thread, *c = w_.c + w_.c_floats * thread, *p = w_.p + w_.c_floats * thread, *o = o_at(slice, band);
    for (int64_t j = 0; j < panels; j++)
      for (int64_t t = 0; t < tiles; t++) {
        Source tile;
        tile.data = c + (j * tiles + t) * s_.area;
        tile.ld = e.nr;
        if (e.step == 2) {
          uint16_t *half = w_.half + s_.area * thread;
          matmul_now().narrow(static_cast<const float *>(tile.data), s_.area, half);
          tile.data = half, tile.type = SB_BF16;
        }
        e.pack(tile, 0, std::min<int64_t>(e.mr, rows - t * e.mr), 0, e.nr, e.mr, 0, p + (t * held + j * e.nr / e.step) * e.mr);
      }
    const Source w = weight_source(*l_.w, true);
    for (int64_t d = 0; d < s_.d_panels; d += s_.wide) {
      const int64_t some = std::min(s_.wide, s_.d_panels - d), columns = std::min(some * e.nr, l_.d - d * e.nr);
      fill_panels(e, w, d * e.nr, columns, v, vn, e.nr, units * e.nr, b, w_.temporary + w_.temporary_floats * thread);
      for (int64_t j = 0; j < some; j++)
        for (int64_t t = 0; t < tiles; t++)
          e.tile(units, p + t * held * e.mr, b + j * units * e.nr, o + ((d + j) * tiles + t) * s_.area, static_cast<int>(std::min<int64_t>(e.mr, rows - t * e.mr)), add);
    }
  }

  /** Joins the slices of one row. */
  void join(int64_t row, int thread) {
    const Engine &e = *s_.e;
    const MatmulTable &table = matmul_now();
    float maximum = -INFINITY, sum = 0;
    for (int64_t s = 0; s < slices_; s++) maximum = std::max(maximum, state_at(s, row)[0]);
    const float base = maximum == -INFINITY ? 0 : maximum;
    for (int64_t s = 0; s < slices_; s++) sum += state_at(s, row)[1] * std::exp(state_at(s, row)[0] - base);
    const float lse = base + std::log(sum);
    const int64_t part = target(row) / kLossColumns, parts = ceil_div(l_.v, kLossColumns);
    int64_t own = 0;  // the slice the target lies in
    while (parts * (own + 1) / slices_ <= part) own++;
    const float logit = state_at(own, row)[2];
    const int64_t out = w_.list[first_ + row];
    static_cast<float *>(l_.lse->data)[out] = lse;
    static_cast<float *>(l_.nll->data)[out] = lse - logit;
    if (!l_.dx) return;
    float *line = w_.row + w_.row_floats * thread, *weight = line + s_.d_panels * e.nr;
    std::fill(line, line + s_.d_panels * e.nr, 0.0f);
    const int64_t band = row / (s_.tall * e.mr), inside = row - band * s_.tall * e.mr, tiles = std::min(s_.tall, tiles_ - band * s_.tall);
    for (int64_t s = 0; s < slices_; s++) {
      if (state_at(s, row)[0] == -INFINITY) continue;
      const float share = std::exp(state_at(s, row)[0] - base) / sum;
      const float *o = o_at(s, band) + inside / e.mr * s_.area + inside % e.mr * e.nr;
      for (int64_t j = 0; j < s_.d_panels; j++) table.add(line + j * e.nr, o + j * tiles * s_.area, e.nr, share);
    }
    weight_row(weight_source(*l_.w, false), target(row), weight);
    table.add(line, weight, l_.d, l_.softcap > 0 ? logit / l_.softcap * (logit / l_.softcap) - 1 : -1.0f);
    Epilogue finish;
    finish.y = l_.dx->data;
    finish.y_bf16 = l_.dx->type == SB_BF16;
    finish.n = l_.d;
    table.finish(finish, out, 1, 0, l_.d, line, l_.d);
  }

  const LossCall &l_;
  const LossShape s_;
  Pool &pool_;
  Scratch memory_;
  const LossAreas w_;
  Source x_;
  int64_t count_ = 0, first_ = 0, rows_ = 0, tiles_ = 0, slices_ = 1;
};

const char *check_loss(const Call &c) {
  Operands o(c, 3, 3, 2);
  int64_t m = -1, v = -1, d = -1;
  o.take(o.in(0), "x", 'F', {&m, &d});
  o.take(o.in(1), "w", 'W', {&v, &d});
  o.take(o.in(2), "targets", 'I', {&m});
  o.take(o.out(0), "nll", 'f', {&m});
  o.take(o.out(1), "lse", 'f', {&m});
  o.take(o.out(2), "dx0", 'F', {&m, &d}, c.n_params > 0 && c.params[0] == 0);
  if (!o.reason() && !(c.params[1] >= 0)) o.refuse("softcap: 0 or more is expected");
  return o.reason();
}

const Register registered{{"linearCrossEntropy",
                           [](const Call &c) {
                             const LossCall l = loss_of(c);
                             Loss(l, c.pool, c.scratch).run();
                           },
                           check_loss, [](const Call &c) {
                             const LossCall l = loss_of(c);
                             Scratch s(nullptr);
                             LossAreas(l, LossShape(l), c.pool.threads(), s);
                             return s.used();
                           }}};

}  // namespace
}  // namespace sb
