/** @file What the files of the matrix products share: how operands are described, what a tier's code offers.
 *
 * Every product is C[m, n] = sum over k of A[m, k] B[n, k], for any of the two storage orders of A and B. Both are first
 * rearranged into panels: A into panels of `mr` rows, B into panels of `nr`, each panel holding for every unit of the
 * summed dimension its mr (nr) values side by side. The tile kernel multiplies one panel of A by one of B in registers.
 * A unit is one f32, or for BF16 dot instructions two bf16 neighbours along the summed dimension.
 *
 * Precision is explicit: BF16 dot instructions are used only where both operands are bf16; everything else is widened to
 * f32 exactly. Sums are f32, over blocks of the summed dimension that depend on its length only. */
#pragma once
#include "../core/kernel.h"
#include "epilogue.h"

namespace sb {

/** How a matrix operand lies in memory, seen as [width, k] with k the summed dimension. */
enum class Order : int {
  along,   // k is contiguous: element (i, k) at row(i) * ld + k
  across,  // width is contiguous: element (i, k) at row(k) * ld + i
  panels,  // SB_PACKED, summed along its K: product y
  panelsAcross,  // SB_PACKED, summed along its N: product dx
};

struct Source {
  const void *data = nullptr;
  int32_t type = SB_F32;  // element type; the source type when packed
  Order order = Order::along;
  int64_t ld = 0;                    // elements from one stored row to the next
  const int32_t *gather = nullptr;   // stored rows to take instead of 0, 1, 2, ...
  int64_t rows = 0, columns = 0;     // of the stored matrix: packed and quantised sources need them
  bool int8 = false;                 // SB_PACKED from a quantised type: tiles come through dequantize_packed
};

/** One register tile kernel with its packing. */
struct Engine {
  int mr, nr, narrow;  // narrow: width of the panels for `tile_narrow`, at most nr
  int step;            // summed elements a unit
  /** c[rows][nr] (+)= sum over units of a[u][0..rows) b[u][0..nr). `a` steps by mr a unit, `c` by nr a row. */
  void (*tile)(int64_t units, const float *a, const float *b, float *c, int rows, bool add);
  /** The same with panels and rows of c `narrow` wide. */
  void (*tile_narrow)(int64_t units, const float *a, const float *b, float *c, int rows, bool add);
  /** Panels of `width` (mr, nr or narrow) for widths [w0, w0 + wn) and summed elements [k0, k0 + kn) of a float source.
   * Panel p goes to dst + p * stride; lacking columns and the odd half of a pair are zero. k0 is a multiple of step. */
  void (*pack)(const Source &s, int64_t w0, int64_t wn, int64_t k0, int64_t kn, int width, int64_t stride, float *dst);
};

/** Logits of one row of x: `panels` pieces of nr, `stride` apart; `columns` of them are real. target: -1 for none here. */
struct LogitRow {
  float *values;
  int64_t panels, stride, columns, target;
};

struct MatmulTable {
  const Engine *f32;
  const Engine *bf16;  // nullptr where the tier has no dot instruction for bf16
  /** A block [nr / 2 pairs of k][nr n] of a bf16 panel as units of n: dst [nr / 2 pairs of n][nr k]. Only with bf16. */
  void (*turn)(const uint32_t *block, int64_t pairs, uint32_t *dst);
  /** Finishes a tile of C whose rows are `ld` apart. */
  void (*finish)(const Epilogue &e, int64_t row, int64_t rows, int64_t column, int64_t columns, float *tile, int64_t ld);
  /** out[m][0..count) = sum over k of x[m][k] w[first + i][k], for few rows of x (f32, k apart). w is F32, F16 or BF16. */
  void (*dot)(const float *x, int64_t m, int64_t k, const Source &w, int64_t first, int64_t count, float *out, int64_t out_ld);
  /** The same for `panels` panels of a packed weight: out[m][0..panels * nr). `pairs`: kept as pairs of bf16. */
  void (*dot_panels)(const float *x, int64_t m, int64_t k, const void *data, int64_t panels, int32_t type, bool pairs, float *out, int64_t out_ld);
  /** f32 copy of `count` elements of a float tensor. */
  void (*widen)(const void *from, int32_t type, int64_t at, int64_t count, float *to);
  void (*narrow)(const float *from, int64_t count, uint16_t *to);
  /** See matmul-loss.hpp. */
  float (*softmax_row)(const LogitRow &row, float softcap, float *maximum, float *sum, float *at_target);
  void (*gradient_row)(const LogitRow &row, float softcap, float lse, float weight, float *out);
  /** to[i] += from[i] * factor. */
  void (*add)(float *to, const float *from, int64_t count, float factor);
  void (*scale)(float *values, int64_t count, float factor);
};

/** The table of the tier in use. */
const MatmulTable &matmul_now();

/** Bytes an element of a float type. */
inline int64_t float_bytes(int32_t type) { return type == SB_F32 ? 4 : 2; }
inline bool is_float(int32_t type) { return type == SB_F32 || type == SB_BF16; }

/** Low-rank part of a product: y += scales[g] (x down[g]T) up[g]T, g the group of the row. */
struct LowRank {
  int64_t groups = 0, rank = 0;
  Source down, up;                 // of one group; groups follow each other
  int64_t down_stride = 0, up_stride = 0;  // elements from one group to the next
  const float *scales = nullptr;
  const int32_t *group = nullptr;  // [M] or none
  float *inner = nullptr;          // f32 [M, rank], written: x downT, times the scale when `scaled`
  bool scaled = false;
};

struct Product {
  Source a, b;
  int64_t m = 0, n = 0, k = 0;
  Epilogue finish;
  const LowRank *low = nullptr;
};

int64_t multiply_scratch(const Product &p, int threads);
void multiply(const Product &p, Pool &pool, char *scratch);

/** Panels of any source, quantised and packed ones included. `temporary` holds fill_scratch floats. */
void fill_panels(const Engine &e, const Source &s, int64_t w0, int64_t wn, int64_t k0, int64_t kn, int width, int64_t stride, float *dst, float *temporary);
/** f32 copy of a row of a weight in any form. `to` holds the row and 256 more. */
void weight_row(const Source &s, int64_t row, float *to);
int64_t fill_scratch(const Engine &e, const Source &s, int64_t wn, int64_t kn);
/** The engine for these operands in the tier in use. */
const Engine &engine_for(int32_t a_type, int32_t b_type);
/** Elements of a block of the summed dimension: depends on its length only. */
int64_t block_length(const Engine &e, int64_t k);

/** Hands out consecutive 64-byte aligned pieces of scratch. With base nullptr it only counts. */
class Scratch {
 public:
  explicit Scratch(char *base) : base_(base) {}
  template <class T> T *take(int64_t count) {
    char *at = base_ ? base_ + used_ : nullptr;
    used_ += (count * static_cast<int64_t>(sizeof(T)) + 127) / 64 * 64;  // a vector's overrun stays inside
    return reinterpret_cast<T *>(at);
  }
  int64_t used() const { return used_; }

 private:
  char *base_;
  int64_t used_ = 0;
};

inline int64_t ceil_div(int64_t n, int64_t by) { return (n + by - 1) / by; }

}  // namespace sb
