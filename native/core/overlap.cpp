/** @file Which operators may write over which of their operands. What is not listed here needs memory of its own for its
 * results. The same facts as `inPlace` and `mayOverwrite` of the forms; test/conformance/ops-misuse.test.ts compares them. */
#include <cstring>

#include "internal.h"

namespace sb {
namespace {

/** Names between spaces, and the inputs (bits) whose memory output 0 may be. */
struct Rule {
  const char *names;
  uint32_t inputs;
};
const Rule rules[] = {
    {" addRow copy dropout exp geluTanh gelu log mulColumn mulRow mulScalar neg reciprocal relu rope scale sigmoid silu sqrt square tanh uniformNoise ", 1},
    {" add div geglu geluBackward geluTanhBackward mul reluBackward siluBackward sub swiglu ", 3},
    {" gegluBackward swigluBackward ", 7},
    {" rmsNormBackward ", 1 << 4},
    {" layerNormBackward ", 1 << 5},
    {" cacheWrite ", 1 << 2},
};

bool lists(const char *names, const char *name) {
  const size_t length = std::strlen(name);
  for (const char *at = names; (at = std::strstr(at, name)) != nullptr; at += length)
    if (at[-1] == ' ' && at[length] == ' ') return true;
  return false;
}

}  // namespace

bool may_overwrite(const char *kernel, int output, int input) {
  if (std::strcmp(kernel, "adamw") == 0) return (output == 0 && input == 0) || (output == 1 && input == 2) || (output == 2 && input == 3);
  for (const Rule &rule : rules)
    if (lists(rule.names, kernel)) return output == 0 && (rule.inputs >> input & 1) != 0;
  return false;
}

}  // namespace sb

extern "C" int32_t sb_kernel_overwrites(int32_t kernel, int32_t output, int32_t input) {
  if (kernel < 0 || kernel >= sb_kernel_count() || output < 0 || input < 0 || input >= SB_MAX_OPERANDS) return 0;
  return sb::may_overwrite(sb_kernel_name(kernel), output, input) ? 1 : 0;
}
