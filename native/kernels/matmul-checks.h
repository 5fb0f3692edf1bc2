/** @file Checking the operands of the matrix products: shapes that must agree, and the many forms of a weight. */
#pragma once
#include <cstdarg>
#include <cstdio>
#include <initializer_list>

#include "matmul.h"
#include "quant.h"

namespace sb {

/** Collects the first thing that is wrong. Dimensions are bound by the first operand that names them (-1: not yet). */
class Operands {
 public:
  Operands(const Call &c, int inputs, int outputs, int params) : c_(c) {
    if (c.n_in > inputs) wrong("at most %d inputs are expected, got %d", inputs, c.n_in);
    if (c.n_out > outputs) wrong("at most %d outputs are expected, got %d", outputs, c.n_out);
    if (c.n_params != params) wrong("%d parameters are expected, got %d", params, c.n_params);
  }

  const Tensor *in(int i) const { return i < c_.n_in ? c_.in[i] : nullptr; }
  const Tensor *out(int i) const { return i < c_.n_out ? c_.out[i] : nullptr; }
  const char *reason() const { return bad_ ? text() : nullptr; }
  void refuse(const char *why) {
    if (why) wrong("%s", why);
  }

  /** kinds: F f32 or bf16, f f32, I i32, W a weight of any form, P a weight that is not packed. */
  void take(const Tensor *t, const char *name, char kind, std::initializer_list<int64_t *> dims, bool optional = false) {
    if (bad_ || (!t && optional)) return;
    if (!t) return wrong("%s is missing", name);
    if (t->rank != static_cast<int>(dims.size())) return wrong("%s: rank %d is expected, got %d", name, static_cast<int>(dims.size()), t->rank);
    int d = 0;
    for (int64_t *dim : dims) {
      if (*dim < 0) *dim = t->shape[d];
      if (t->shape[d] != *dim) return wrong("%s: dimension %d must be %lld, got %lld", name, d, static_cast<long long>(*dim), static_cast<long long>(t->shape[d]));
      d++;
    }
    const int32_t type = t->type;
    if (kind == 'f' && type != SB_F32) return wrong("%s: f32 is expected, got type %d", name, type);
    if (kind == 'F' && !is_float(type)) return wrong("%s: f32 or bf16 is expected, got type %d", name, type);
    if (kind == 'I' && type != SB_I32) return wrong("%s: i32 is expected, got type %d", name, type);
    if (kind == 'W' || kind == 'P') weight(*t, name, kind == 'W');
  }

 private:
  void weight(const Tensor &t, const char *name, bool packed) {
    const int32_t type = t.type == SB_PACKED && packed ? t.source_type : t.type;
    if (type != SB_F32 && type != SB_F16 && type != SB_BF16 && !is_quantized(type))
      return wrong("%s: f32, f16, bf16 or a quantised type is expected, got type %d", name, type);
    if (is_quantized(type) && t.shape[1] % quant_block(type) != 0)
      return wrong("%s: rows of %lld are not whole blocks of %lld", name, static_cast<long long>(t.shape[1]), static_cast<long long>(quant_block(type)));
  }
  static char *text() {
    static thread_local char line[256];
    return line;
  }
  __attribute__((format(printf, 2, 3))) void wrong(const char *format, ...) {
    if (bad_) return;
    bad_ = true;
    va_list values;
    va_start(values, format);
    std::vsnprintf(text(), 256, format, values);
    va_end(values);
  }

  const Call &c_;
  bool bad_ = false;
};

inline const Tensor *input(const Call &c, int i) { return i < c.n_in ? c.in[i] : nullptr; }
inline const Tensor *output(const Call &c, int i) { return i < c.n_out ? c.out[i] : nullptr; }

inline Source source(const Tensor &t, Order order) {
  Source s;
  s.data = t.data;
  s.type = t.type;
  s.order = order;
  s.rows = t.shape[0];
  s.columns = s.ld = t.shape[1];
  return s;
}
/** W [N, K] as operand B: summed along K (y) or along N (dx). */
inline Source weight_source(const Tensor &w, bool across) {
  Source s = source(w, across ? Order::across : Order::along);
  if (w.type != SB_PACKED) return s;
  s.type = w.source_type;
  s.int8 = is_quantized(s.type);
  s.order = across ? Order::panelsAcross : Order::panels;
  return s;
}
inline int32_t weight_type(const Tensor &w) { return w.type == SB_PACKED ? w.source_type : w.type; }

}  // namespace sb
