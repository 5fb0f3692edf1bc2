/** @file A recorded plan: what one call of sb_plan_run gets and what must come out. Written by scripts/record-plans.ts.
 *
 * The file: "SBPLANS1", u32 cases; a case: text name; u32 tensors, sb_tensor each; u32 names, text each (kernels);
 * u32 nodes, sb_node each (`kernel` is an index into the names); u32 parameters, f64 each; u32 buffers: i64 bytes,
 * i32 packed from (a buffer, or -1), i32 form, i64 data bytes, data; u32 expectations: i32 tensor, i32 how, f64 relative,
 * f64 absolute, i64 bytes, data. Text is u32 length and bytes. All little-endian. */
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "../include/starbox_ops.h"

namespace replay {

struct Buffer {
  int64_t bytes = 0;
  int32_t packed_from = -1;  // made by sb_pack from this buffer's weight when the tier has such a form, else it is that weight
  int32_t form = 0;
  std::vector<char> data;    // empty: memory that a node writes
};

/** numbers: |got - expected| <= relative |expected| + absolute, NaN and infinities equal. norm: of the difference,
 * against relative times the expectation's, plus absolute. bytes: equal. */
enum How : int32_t { numbers = 0, norm = 1, bytes = 2 };

struct Expectation {
  int32_t tensor = 0, how = numbers;
  double relative = 0, absolute = 0;
  std::vector<char> data;
};

struct Case {
  std::string name;
  std::vector<sb_tensor> tensors;
  std::vector<std::string> kernels;
  std::vector<sb_node> nodes;
  std::vector<double> params;
  std::vector<Buffer> buffers;
  std::vector<Expectation> expectations;
};

/** Every case of a file; throws std::runtime_error when it is not one or is cut off. */
std::vector<Case> read_cases(const char *file);

/** "" or what differs. */
std::string compare(const sb_tensor &tensor, const Expectation &expected, const char *got);

}  // namespace replay
