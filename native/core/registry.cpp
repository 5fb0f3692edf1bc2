/** @file The table of kernels by operator name. */
#include <cstring>
#include <vector>

#include "internal.h"

namespace sb {

std::vector<KernelInfo> &kernels() {
  static std::vector<KernelInfo> table;
  return table;
}

Register::Register(const KernelInfo &info) { kernels().push_back(info); }

}  // namespace sb

using namespace sb;

extern "C" {

int32_t sb_abi(void) { return SB_ABI; }

int32_t sb_kernel_find(const char *name) {
  const auto &table = kernels();
  for (size_t i = 0; i < table.size(); i++)
    if (std::strcmp(table[i].name, name) == 0) return static_cast<int32_t>(i);
  return -1;
}

int32_t sb_kernel_count(void) { return static_cast<int32_t>(kernels().size()); }

const char *sb_kernel_name(int32_t kernel) {
  return kernel >= 0 && kernel < sb_kernel_count() ? kernels()[static_cast<size_t>(kernel)].name : "";
}

}  // extern "C"
