/** @file The table of attention's tier code. */
#pragma once
#include "attention-backward.hpp"
#include "attention-forward.hpp"
#include "attention-paged.hpp"
#if defined(SB_PAIRS)
#include "attention-pairs.hpp"
#endif

namespace sb {
extern const AttentionTable SB_JOIN(attention, SB_TIER);
const AttentionTable SB_JOIN(attention, SB_TIER) = {
    SB_TIER::NR,
#if defined(SB_PAIRS)
    true,
#else
    false,
#endif
    SB_TIER::attention_pack,
    SB_TIER::attention_forward_floats,
    SB_TIER::attention_forward,
    SB_TIER::attention_backward_floats,
    SB_TIER::attention_backward,
    SB_TIER::attention_gather,
    SB_TIER::attention_paged_floats,
    SB_TIER::attention_paged,
    SB_TIER::attention_cache_write};
}  // namespace sb
