/** @file The probe, tier avx2. */
#include "probe.hpp"

extern const sb::ProbeTable probe_avx2;
const sb::ProbeTable probe_avx2 = SB_PROBE_TABLE;
