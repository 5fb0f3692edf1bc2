/** @file linearDw and loraDw: gradients of weights, summed over rows. */
#include "matmul-checks.h"

namespace sb {
namespace {

Product dw_product(const Tensor &dy, const Tensor &x) {
  Product p;
  p.a = source(dy, Order::across);
  p.b = source(x, Order::across);
  p.m = dy.shape[1], p.n = x.shape[1], p.k = dy.shape[0];
  return p;
}

const char *check_dw(const Call &c) {
  Operands o(c, 3, 1, 1);
  int64_t m = -1, n = -1, k = -1;
  o.take(o.in(0), "dy", 'F', {&m, &n});
  o.take(o.in(1), "x", 'F', {&m, &k});
  o.take(o.in(2), "base", 'F', {&n, &k}, true);
  o.take(o.out(0), "dw", 'F', {&n, &k});
  return o.reason();
}

void run_dw(const Call &c) {
  const Tensor *base = input(c, 2), &dw = *c.out[0];
  Product p = dw_product(*c.in[0], *c.in[1]);
  p.finish.y = dw.data;
  p.finish.y_bf16 = dw.type == SB_BF16;
  p.finish.n = p.n;
  p.finish.scale = static_cast<float>(c.params[0]);
  if (base) p.finish.residual = base->data, p.finish.residual_bf16 = base->type == SB_BF16;
  multiply(p, c.pool, c.scratch);
}

const char *check_lora_dw(const Call &c) {
  Operands o(c, 5, 1, 1);
  int64_t m = -1, n = -1, k = -1, g = o.out(0) && o.out(0)->rank == 3 ? o.out(0)->shape[0] : -1;
  if (!o.reason() && c.params[0] != static_cast<double>(g)) o.refuse("dw: its first dimension must be the number of groups");
  o.take(o.in(0), "dy", 'F', {&m, &n});
  o.take(o.in(1), "x", 'F', {&m, &k});
  o.take(o.in(2), "group", 'I', {&m}, true);
  o.take(o.in(3), "scales", 'f', {&g}, true);
  o.take(o.in(4), "base", 'F', {&g, &n, &k}, true);
  o.take(o.out(0), "dw", 'f', {&g, &n, &k});
  return o.reason();
}

int64_t lora_dw_scratch(const Call &c) {
  Scratch s(nullptr);
  s.take<int32_t>(c.in[0]->shape[0]);
  return s.used() + multiply_scratch(dw_product(*c.in[0], *c.in[1]), c.pool.threads());
}

void run_lora_dw(const Call &c) {
  const Tensor *group = input(c, 2), *scales = input(c, 3), *base = input(c, 4), &dw = *c.out[0];
  Scratch s(c.scratch);
  const int64_t rows = c.in[0]->shape[0];
  int32_t *list = s.take<int32_t>(rows);
  for (int64_t g = 0; g < dw.shape[0]; g++) {
    Product p = dw_product(*c.in[0], *c.in[1]);
    const int64_t area = p.m * p.n;
    if (group || g > 0) {
      p.k = 0;
      for (int64_t i = 0; group && i < rows; i++)
        if (static_cast<const int32_t *>(group->data)[i] == g) list[p.k++] = static_cast<int32_t>(i);
      p.a.gather = p.b.gather = list;
    }
    p.finish.y = static_cast<float *>(dw.data) + g * area;
    p.finish.n = p.n;
    if (scales) p.finish.scale = static_cast<const float *>(scales->data)[g];
    if (base) p.finish.residual = static_cast<const char *>(base->data) + g * area * float_bytes(base->type), p.finish.residual_bf16 = base->type == SB_BF16;
    multiply(p, c.pool, c.scratch + s.used());
  }
}

const Register registered[] = {
    Register{{"linearDw", run_dw, check_dw, [](const Call &c) { return multiply_scratch(dw_product(*c.in[0], *c.in[1]), c.pool.threads()); }}},
    Register{{"loraDw", run_lora_dw, check_lora_dw, lora_dw_scratch}},
};

}  // namespace
}  // namespace sb
