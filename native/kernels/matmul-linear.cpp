/** @file linear, linearDx, loraLinear, loraLinearDx: products with a weight. Few rows take dot products straight from the
 * weight, since rearranging it would cost more than the product. */
#include <algorithm>

#include "matmul-checks.h"

namespace sb {
namespace {

constexpr int64_t kFewRows = 12;
constexpr int64_t kDotColumns = 64;  // whole panels of every tier

struct Linear {
  const Tensor *x, *w, *a = nullptr, *b = nullptr, *scales = nullptr, *group = nullptr, *bias = nullptr, *residual = nullptr;
  const Tensor *y, *h = nullptr;
  Activation activation = Activation::none;

  int64_t m() const { return x->shape[0]; }
  int64_t k() const { return x->shape[1]; }
  int64_t n() const { return w->shape[0]; }
  bool packed8() const { return w->type == SB_PACKED && is_quantized(w->source_type); }
  /** Quantised kernels of their own: int8 when packed so, straight from the blocks for few rows. */
  bool quantized() const { return packed8() || (is_quantized(w->type) && m() <= kDecodeRows); }
  bool few() const { return (w->type == SB_PACKED ? few_packed() : !is_quantized(w->type)) && m() <= kFewRows; }
  /** Panels serve few rows too, with the sums of the tiles; dot instructions for bf16 and adapters have sums of their own. */
  bool few_packed() const { return !packed8() && !a && !(x->type == SB_BF16 && w->source_type == SB_BF16 && matmul_now().bf16); }
};

Linear linear_of(const Call &c) {
  Linear l{};
  l.x = input(c, 0), l.w = input(c, 1), l.bias = input(c, 2), l.residual = input(c, 3), l.y = output(c, 0);
  l.activation = static_cast<Activation>(static_cast<int>(c.params[0]));
  return l;
}
Linear lora_of(const Call &c) {
  Linear l{};
  l.x = input(c, 0), l.w = input(c, 1), l.a = input(c, 2), l.b = input(c, 3), l.scales = input(c, 4), l.group = input(c, 5);
  l.bias = input(c, 6), l.residual = input(c, 7), l.y = output(c, 0), l.h = output(c, 1);
  return l;
}

Epilogue epilogue_of(const Tensor &y, const Tensor *residual) {
  Epilogue e;
  e.y = y.data;
  e.y_bf16 = y.type == SB_BF16;
  e.n = y.shape[1];
  if (residual) e.residual = residual->data, e.residual_bf16 = residual->type == SB_BF16;
  return e;
}

LowRank low_of(const Linear &l, bool across) {
  LowRank low;
  low.groups = l.a->shape[0];
  low.rank = l.a->shape[1];
  const Tensor &down = across ? *l.b : *l.a, &up = across ? *l.a : *l.b;
  const auto one = [](const Tensor &t, Order order) {
    Source s;
    s.data = t.data;
    s.type = t.type;
    s.order = order;
    s.rows = t.shape[1];
    s.columns = s.ld = t.shape[2];
    return s;
  };
  // y: a is [R, K] summed along K, b is [N, R] summed along R. dx: b summed along N, a [R, K] summed along R.
  low.down = one(down, across ? Order::across : Order::along);
  low.up = one(up, across ? Order::across : Order::along);
  low.down_stride = down.shape[1] * down.shape[2];
  low.up_stride = up.shape[1] * up.shape[2];
  low.scales = static_cast<const float *>(l.scales->data);
  low.group = l.group ? static_cast<const int32_t *>(l.group->data) : nullptr;
  low.inner = static_cast<float *>(l.h->data);
  low.scaled = across;
  return low;
}

/** Scratch of a linear: first what the epilogue needs, then the chosen kernel's own. */
struct LinearAreas {
  float *bias, *x, *out, *low, *up;
  int32_t *group;

  LinearAreas(const Linear &l, int threads, Scratch &s) {
    bias = s.take<float>(l.bias && l.bias->type != SB_F32 ? l.n() : 0);
    const bool apart = l.a && (l.few() || l.quantized());
    const int64_t rank = apart ? l.a->shape[1] : 0, groups = apart ? l.a->shape[0] : 0;
    low = s.take<float>(l.m() * rank);
    up = s.take<float>(groups * rank * l.n());
    group = s.take<int32_t>(apart ? l.m() : 0);
    x = s.take<float>(l.few() ? l.m() * l.k() : apart ? threads * l.k() : 0);
    out = s.take<float>(l.few() ? threads * kFewRows * kDotColumns : 0);
  }
};

Product product_of(const Linear &l, const Epilogue &finish, const LowRank *low) {
  Product p;
  p.a = source(*l.x, Order::along);
  p.b = weight_source(*l.w, false);
  p.m = l.m(), p.n = l.n(), p.k = l.k();
  p.finish = finish;
  p.low = low;
  return p;
}

int64_t linear_scratch_of(const Linear &l, int threads) {
  Scratch s(nullptr);
  LinearAreas areas(l, threads, s);
  if (l.few() || l.m() == 0) return s.used();
  Epilogue e;
  if (l.quantized()) return s.used() + quant_linear_scratch(QuantLinear{l.x, l.w, &e}, threads);
  LowRank low;
  if (l.a) low = low_of(l, false);
  return s.used() + multiply_scratch(product_of(l, e, l.a ? &low : nullptr), threads);
}

/** The low-rank part by itself: h = x aT row by row, b turned to [rank, N], both left for the epilogue. */
void project_apart(const Linear &l, const LinearAreas &areas, Epilogue &e, Pool &pool) {
  const MatmulTable &t = matmul_now();
  const int64_t groups = l.a->shape[0], rank = l.a->shape[1], k = l.k(), n = l.n();
  const int32_t *group = l.group ? static_cast<const int32_t *>(l.group->data) : nullptr;
  const float *scales = static_cast<const float *>(l.scales->data);
  float *h = static_cast<float *>(l.h->data);
  pool.parallel(l.m(), [&](int64_t row, int thread) {
    const int64_t wanted = group ? group[row] : 0, g = wanted >= 0 && wanted < groups ? wanted : -1;
    areas.group[row] = static_cast<int32_t>(g);
    if (g < 0) {
      std::fill(h + row * rank, h + (row + 1) * rank, 0.0f);
      return;
    }
    float *x = l.few() ? areas.x + row * k : areas.x + thread * k;
    if (!l.few()) t.widen(l.x->data, l.x->type, row * k, k, x);
    Source a;
    a.data = static_cast<const char *>(l.a->data) + g * rank * k * float_bytes(l.a->type);
    a.type = l.a->type;
    a.ld = k;
    t.dot(x, 1, k, a, 0, rank, h + row * rank, rank);
    for (int64_t r = 0; r < rank; r++) areas.low[row * rank + r] = h[row * rank + r] * scales[g];
  });
  pool.parallel(groups * ceil_div(n, 256), [&](int64_t chunk, int) {
    const int64_t g = chunk / ceil_div(n, 256), first = chunk % ceil_div(n, 256) * 256;
    for (int64_t i = first; i < std::min(first + 256, n); i++)
      for (int64_t r = 0; r < rank; r++) t.widen(l.b->data, l.b->type, (g * n + i) * rank + r, 1, areas.up + (g * rank + r) * n + i);
  });
  e.low = areas.low, e.up = areas.up, e.group = areas.group, e.rank = rank;
}

void run_few(const Linear &l, const LinearAreas &areas, const Epilogue &e, Pool &pool) {
  const MatmulTable &t = matmul_now();
  const Source w = weight_source(*l.w, false);
  const bool pairs = w.type == SB_BF16 && t.bf16;
  const int64_t nr = t.f32->nr, row_bytes = pairs ? ceil_div(l.k(), 2) * 4 : l.k() * float_bytes(w.type);
  pool.parallel(ceil_div(l.n(), kDotColumns), [&](int64_t chunk, int thread) {
    const int64_t first = chunk * kDotColumns, count = std::min(kDotColumns, l.n() - first);
    float *out = areas.out + thread * kFewRows * kDotColumns;
    if (w.order == Order::panels) t.dot_panels(areas.x, l.m(), l.k(), static_cast<const char *>(w.data) + first * row_bytes, ceil_div(count, nr), w.type, pairs, out, kDotColumns);
    else t.dot(areas.x, l.m(), l.k(), w, first, count, out, kDotColumns);
    t.finish(e, 0, l.m(), first, count, out, kDotColumns);
  });
}

void run_linear(const Linear &l, const Call &c) {
  if (l.m() == 0) return;
  const MatmulTable &t = matmul_now();
  Scratch s(c.scratch);
  const LinearAreas areas(l, c.pool.threads(), s);
  Epilogue e = epilogue_of(*l.y, l.residual);
  e.activation = l.activation;
  if (l.bias) {
    e.bias = static_cast<const float *>(l.bias->data);
    if (l.bias->type != SB_F32) t.widen(l.bias->data, l.bias->type, 0, l.n(), areas.bias), e.bias = areas.bias;
  }
  if (l.few()) t.widen(l.x->data, l.x->type, 0, l.m() * l.k(), areas.x);
  if (l.a && (l.few() || l.quantized())) project_apart(l, areas, e, c.pool);
  if (l.few()) return run_few(l, areas, e, c.pool);
  if (l.quantized()) return quant_linear(QuantLinear{l.x, l.w, &e}, c.scratch + s.used(), c.pool);
  LowRank low;
  if (l.a) low = low_of(l, false);
  multiply(product_of(l, e, l.a ? &low : nullptr), c.pool, c.scratch + s.used());
}

Product dx_product(const Linear &l, const Epilogue &finish, const LowRank *low) {
  Product p;
  p.a = source(*l.x, Order::along);
  p.b = weight_source(*l.w, true);
  p.m = l.x->shape[0], p.k = l.w->shape[0], p.n = l.w->shape[1];
  p.finish = finish;
  p.low = low;
  return p;
}
int64_t dx_scratch_of(const Linear &l, int threads) {
  LowRank low;
  if (l.a) low = low_of(l, true);
  return multiply_scratch(dx_product(l, Epilogue{}, l.a ? &low : nullptr), threads);
}
void run_dx(const Linear &l, const Call &c) {
  LowRank low;
  if (l.a) low = low_of(l, true);
  multiply(dx_product(l, epilogue_of(*l.y, l.residual), l.a ? &low : nullptr), c.pool, c.scratch);
}
Linear dx_of(const Call &c) {
  Linear l{};
  l.x = input(c, 0), l.w = input(c, 1), l.residual = input(c, 2), l.y = output(c, 0);
  return l;
}
Linear lora_dx_of(const Call &c) {
  Linear l{};
  l.x = input(c, 0), l.w = input(c, 1), l.a = input(c, 2), l.b = input(c, 3), l.scales = input(c, 4), l.group = input(c, 5);
  l.residual = input(c, 6), l.y = output(c, 0), l.h = output(c, 1);
  return l;
}

const char *check_quant(const Linear &l) { return l.quantized() ? quant_linear_check(QuantLinear{l.x, l.w, nullptr}) : nullptr; }

const char *check_linear(const Call &c) {
  Operands o(c, 4, 1, 1);
  int64_t m = -1, n = -1, k = -1;
  o.take(o.in(0), "x", 'F', {&m, &k});
  o.take(o.in(1), "w", 'W', {&n, &k});
  o.take(o.in(2), "bias", 'F', {&n}, true);
  o.take(o.in(3), "residual", 'F', {&m, &n}, true);
  o.take(o.out(0), "y", 'F', {&m, &n});
  if (!o.reason() && !(c.params[0] >= 0 && c.params[0] <= 4)) o.refuse("activation: 0 to 4 is expected");
  if (!o.reason()) o.refuse(check_quant(linear_of(c)));
  return o.reason();
}

const char *check_dx(const Call &c) {
  Operands o(c, 3, 1, 0);
  int64_t m = -1, n = -1, k = -1;
  o.take(o.in(0), "dy", 'F', {&m, &n});
  o.take(o.in(1), "w", 'W', {&n, &k});
  o.take(o.in(2), "residual", 'F', {&m, &k}, true);
  o.take(o.out(0), "dx", 'F', {&m, &k});
  return o.reason();
}

const char *check_lora(const Call &c, bool dx) {
  Operands o(c, dx ? 7 : 8, 2, 0);
  int64_t m = -1, n = -1, k = -1, g = -1, r = -1;
  o.take(o.in(0), dx ? "dy" : "x", 'F', {&m, dx ? &n : &k});
  o.take(o.in(1), "w", 'W', {&n, &k});
  o.take(o.in(2), "a", 'F', {&g, &r, &k});
  o.take(o.in(3), "b", 'F', {&g, &n, &r});
  o.take(o.in(4), "scales", 'f', {&g});
  o.take(o.in(5), "group", 'I', {&m}, true);
  if (!dx) o.take(o.in(6), "bias", 'F', {&n}, true);
  o.take(o.in(dx ? 6 : 7), "residual", 'F', {&m, dx ? &k : &n}, true);
  o.take(o.out(0), dx ? "dx" : "y", 'F', {&m, dx ? &k : &n});
  o.take(o.out(1), dx ? "g" : "h", 'f', {&m, &r});
  if (!o.reason() && !dx) o.refuse(check_quant(lora_of(c)));
  return o.reason();
}

const Register registered[] = {
    Register{{"linear", [](const Call &c) { run_linear(linear_of(c), c); }, check_linear,
              [](const Call &c) { return linear_scratch_of(linear_of(c), c.pool.threads()); }}},
    Register{{"linearDx", [](const Call &c) { run_dx(dx_of(c), c); }, check_dx,
              [](const Call &c) { return dx_scratch_of(dx_of(c), c.pool.threads()); }}},
    Register{{"loraLinear", [](const Call &c) { run_linear(lora_of(c), c); }, [](const Call &c) { return check_lora(c, false); },
              [](const Call &c) { return linear_scratch_of(lora_of(c), c.pool.threads()); }}},
    Register{{"loraLinearDx", [](const Call &c) { run_dx(lora_dx_of(c), c); }, [](const Call &c) { return check_lora(c, true); },
              [](const Call &c) { return dx_scratch_of(lora_dx_of(c), c.pool.threads()); }}},
};

}  // namespace

void epilogue_store(const Epilogue &e, int64_t row, int64_t column, int64_t count, float *values) {
  matmul_now().finish(e, row, 1, column, count, values, count);
}

}  // namespace sb
