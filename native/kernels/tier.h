/** @file How a plain file finds the table that a tier file exports: SB_TIERS(ElementwiseTable, elementwise) declares them
 * all and defines `const ElementwiseTable &elementwise_now()`. A family without code of its own for BF16 uses SB_TIERS. */
#pragma once
#include "../core/kernel.h"

#define SB_JOIN2(a, b) a##_##b
#define SB_JOIN(a, b) SB_JOIN2(a, b)

#if defined(__x86_64__)
#define SB_TIERS(Type, name)                                                     \
  extern const Type name##_base, name##_avx2, name##_avx512;                     \
  static const Type &name##_now() {                                              \
    const int tier = isa();                                                      \
    return tier >= SB_ISA_AVX512 ? name##_avx512 : tier == SB_ISA_AVX2 ? name##_avx2 : name##_base; \
  }
#else
/* On 64-bit ARM the baseline already has NEON: these families gain nothing from the later extensions. */
#define SB_TIERS(Type, name)        \
  extern const Type name##_base;    \
  static const Type &name##_now() { return name##_base; }
#endif

namespace sb {

/** Elements in memory with their type, as tier code sees them. */
struct View {
  char *data;
  int32_t type;
  /** The operands together are past the caches: results go straight to memory, the next piece of an operand is fetched ahead. */
  bool stream = false;
};

}  // namespace sb
