/** @file The probe, tier neonbf16. */
#define SB_DOT_NEON
#include "probe.hpp"

extern const sb::ProbeTable probe_neonbf16;
const sb::ProbeTable probe_neonbf16 = SB_PROBE_TABLE;
