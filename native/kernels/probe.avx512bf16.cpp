/** @file The probe, tier avx512bf16. */
#define SB_DOT_X86
#include "probe.hpp"

extern const sb::ProbeTable probe_avx512bf16;
const sb::ProbeTable probe_avx512bf16 = SB_PROBE_TABLE;
