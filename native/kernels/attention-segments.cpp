/** @file See attention-segments.h. */
#include "attention-segments.h"

#include <algorithm>

namespace sb {

Segments read_segments(const Tensor &segments, int64_t tokens) {
  Segments s;
  const int32_t *at = static_cast<const int32_t *>(segments.data);
  const int64_t count = segments.shape[0];
  std::vector<int32_t> owner(static_cast<size_t>(tokens), -1);
  for (int64_t i = 0; i < count; i++, at += 3) {
    const int64_t start = std::min<int64_t>(std::max(at[0], 0), tokens), end = std::min<int64_t>(std::max<int64_t>(at[1], start), tokens);
    s.starts.push_back(static_cast<int32_t>(start));
    s.ends.push_back(static_cast<int32_t>(end));
    s.parents.push_back(at[2] >= 0 && at[2] < i ? at[2] : -1);
    for (int64_t t = start; t < end; t++)
      if (owner[static_cast<size_t>(t)] < 0) owner[static_cast<size_t>(t)] = static_cast<int32_t>(i);
  }
  for (int64_t t = 0; t < tokens;) {
    const int32_t segment = owner[static_cast<size_t>(t)];
    int64_t end = t + 1;
    while (end < tokens && end - t < kTileRows && owner[static_cast<size_t>(end)] == segment) end++;
    s.tasks.push_back({segment, static_cast<int32_t>(t), static_cast<int32_t>(end - t)});
    t = end;
  }
  return s;
}

int64_t padded_tokens(int64_t tokens) { return round_up(tokens, kTileKeys); }

AttentionJob attention_job(const Call &c, int first, const Tensor *positions, const Segments &segments, int panel) {
  const Tensor &q = *c.in[first], &k = *c.in[first + 1], &v = *c.in[first + 2];
  AttentionJob job{};
  job.q = view(q);
  job.k = view(k);
  job.v = view(v);
  job.tokens = q.shape[0];
  job.heads = q.shape[1];
  job.width = q.shape[2];
  job.kv_heads = k.shape[1];
  job.padded = round_up(job.width, panel);
  job.starts = segments.starts.data();
  job.ends = segments.ends.data();
  job.parents = segments.parents.data();
  job.positions = positions ? static_cast<const int32_t *>(positions->data) : nullptr;
  job.scale = static_cast<float>(c.params[0]);
  job.causal = c.params[1] != 0;
  job.window = c.params[2] >= 1 ? static_cast<int64_t>(std::min(c.params[2], 4e9)) : 0;
  job.softcap = static_cast<float>(c.params[3]);
  job.panel_floats = padded_tokens(job.tokens) * job.width;
  job.row_floats = padded_tokens(job.tokens) * job.padded;
  return job;
}

const char *check_heads(const Tensor &q, const Tensor &k) {
  const int64_t heads = q.shape[1], kv = k.rank == 4 ? k.shape[2] : k.shape[1];
  if (heads > 0 && (kv == 0 || heads % kv)) return refuse("expected heads in multiples of the %lld key heads, got %lld", static_cast<long long>(kv), static_cast<long long>(heads));
  if (q.shape[2] > kMaxWidth) return refuse("expected heads of at most %lld, got %lld", static_cast<long long>(kMaxWidth), static_cast<long long>(q.shape[2]));
  return q.shape[0] < INT32_MAX ? nullptr : refuse("expected fewer than 2^31 rows");
}

}  // namespace sb
