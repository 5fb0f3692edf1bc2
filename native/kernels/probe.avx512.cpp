/** @file The probe, tier avx512. */
#include "probe.hpp"

extern const sb::ProbeTable probe_avx512;
const sb::ProbeTable probe_avx512 = SB_PROBE_TABLE;
