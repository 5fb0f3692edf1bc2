/** @file Memory, errors and the choice of the instruction-set tier. */
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <string>

#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif
#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "internal.h"

namespace sb {
namespace {

thread_local std::string last_error;

int best_tier() {
#if defined(SB_EMULATE)
  return SB_ISA_AVX512_BF16;  // its intrinsics are emulated in this build
#elif defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  if (avx512 && __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bf16")) return SB_ISA_AVX512_BF16;
  if (avx512) return SB_ISA_AVX512;
  return avx2 ? SB_ISA_AVX2 : SB_ISA_BASE;
#elif defined(__aarch64__) && defined(__linux__)
  const unsigned long bf16 = 1ul << 14, i8mm = 1ul << 13;  // HWCAP2_BF16, HWCAP2_I8MM
  const unsigned long have = getauxval(AT_HWCAP2);
  return (have & bf16) && (have & i8mm) ? SB_ISA_NEON_BF16 : SB_ISA_NEON;
#else
  return SB_ISA_BASE;
#endif
}

std::atomic<int> tier{-1};

}  // namespace

int isa() {
  int now = tier.load(std::memory_order_relaxed);
  if (now < 0) tier.store(now = best_tier(), std::memory_order_relaxed);
  return now;
}

int32_t fail(int32_t status, const std::string &message) {
  last_error = message;
  return status;
}

}  // namespace sb

extern "C" {

int32_t sb_isa_best(void) {
  static const int best = sb::best_tier();
  return best;
}

int32_t sb_isa_get(void) { return sb::isa(); }

int32_t sb_isa_set(int32_t isa) {
  const int32_t best = sb_isa_best();
  const bool same_family = (isa >= SB_ISA_NEON) == (best >= SB_ISA_NEON);
  const bool known = isa == SB_ISA_BASE || (same_family && isa <= best && isa >= (best >= SB_ISA_NEON ? SB_ISA_NEON : SB_ISA_BASE));
  if (!known) return sb::fail(SB_BAD_ARGUMENT, std::string("this machine has no ") + sb_isa_name(isa) + "; its best is " + sb_isa_name(best));
  sb::tier.store(isa);
  return SB_OK;
}

const char *sb_isa_name(int32_t isa) {
  switch (isa) {
    case SB_ISA_BASE: return "base";
    case SB_ISA_AVX2: return "avx2";
    case SB_ISA_AVX512: return "avx512";
    case SB_ISA_AVX512_BF16: return "avx512-bf16";
    case SB_ISA_NEON: return "neon";
    case SB_ISA_NEON_BF16: return "neon-bf16";
    default: return "unknown";
  }
}

const char *sb_last_error(void) { return sb::last_error.c_str(); }

void *sb_alloc(size_t bytes) {
  const size_t rounded = (bytes + 63) / 64 * 64;
  // Large blocks on 2 MiB borders let the system use huge pages; most systems give them only to those who ask.
  const size_t huge = size_t{2} << 20, align = rounded >= huge ? huge : 64;
  void *memory = nullptr;
  if (posix_memalign(&memory, align, rounded ? rounded : 64) != 0) {
    sb::fail(SB_NO_MEMORY, "no memory for " + std::to_string(bytes) + " bytes");
    return nullptr;
  }
#if defined(__linux__)
  if (rounded >= huge) madvise(memory, rounded / huge * huge, MADV_HUGEPAGE);  // a wish: failing it costs speed only
#endif
  std::memset(memory, 0, rounded ? rounded : 64);
  return memory;
}

void sb_free(void *memory) { std::free(memory); }
void sb_copy(void *to, const void *from, size_t bytes) { std::memcpy(to, from, bytes); }

}  // extern "C"
