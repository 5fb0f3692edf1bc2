/** @file The probe, tier base. */
#include "probe.hpp"

extern const sb::ProbeTable probe_base;
const sb::ProbeTable probe_base = SB_PROBE_TABLE;
