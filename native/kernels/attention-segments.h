/** @file Segments of packed rows, cleaned of whatever their tensor may hold, and the query tiles they give. */
#pragma once
#include <vector>

#include "attention.h"
#include "checks.h"

namespace sb {

struct Segments {
  std::vector<int32_t> starts, ends, parents;  // within the rows; parent < own index, or -1
  std::vector<AttentionTask> tasks;            // cover every row once; in the order of rows
};

/** Overlapping segments are not meant to be: a row then belongs to the first of them. */
Segments read_segments(const Tensor &segments, int64_t tokens);

/** Sizes, parameters and operands common to attention and its gradient; q, k, v at inputs `first`... */
AttentionJob attention_job(const Call &c, int first, const Tensor *positions, const Segments &segments, int panel);
/** What the signature does not say: heads, width. */
const char *check_heads(const Tensor &q, const Tensor &k);
/** Tokens in padded rows. */
int64_t padded_tokens(int64_t tokens);

}  // namespace sb
