/** @file The probe, tier neon. */
#include "probe.hpp"

extern const sb::ProbeTable probe_neon;
const sb::ProbeTable probe_neon = SB_PROBE_TABLE;
