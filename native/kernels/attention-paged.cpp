/** @file attentionPaged and cacheWrite: attention over a cache in pages, for decoding and for prefill in pieces. */
#include <algorithm>
#include <vector>

#include "attention-segments.h"

namespace sb {

const AttentionTable &attention_now();

namespace {

struct PagedTask {
  int32_t sequence;
  int64_t begin, rows;
};

AttentionJob paged_job(const Call &c) {
  const Tensor &q = *c.in[0], &k = *c.in[1];
  AttentionJob job{};
  job.q = view(q);
  job.k = view(k);
  job.v = view(*c.in[2]);
  job.o = view(*c.out[0]);
  job.tokens = q.shape[0];
  job.heads = q.shape[1];
  job.width = q.shape[2];
  job.kv_heads = k.shape[2];
  job.padded = round_up(job.width, attention_now().panel);
  job.scale = static_cast<float>(c.params[0]);
  job.window = c.params[1] >= 1 ? static_cast<int64_t>(std::min(c.params[1], 4e9)) : 0;
  job.softcap = static_cast<float>(c.params[2]);
  return job;
}

/** Rows outside every sequence are zeros. */
void zero_rows(const Call &c, const std::vector<char> &covered) {
  const View o = view(*c.out[0]);
  const int64_t width = c.out[0]->shape[1] * c.out[0]->shape[2];
  for (size_t t = 0; t < covered.size(); t++)
    if (!covered[t]) __builtin_memset(from(o, static_cast<int64_t>(t) * width).data, 0, static_cast<size_t>(width * element_bytes(o.type)));
}

void run_paged(const Call &c) {
  const AttentionTable &table = attention_now();
  const AttentionJob base = paged_job(c);
  if (base.tokens == 0 || base.heads == 0 || base.width == 0) return;
  const int64_t sequences = c.in[4]->shape[0], group = base.heads / base.kv_heads, together = std::min(kGroupHeads, group), per = pieces(group, together);
  const int64_t page_rows = c.in[1]->shape[1], max_pages = c.in[3]->shape[1];
  const int32_t *pages = static_cast<const int32_t *>(c.in[3]->data), *sequence = static_cast<const int32_t *>(c.in[4]->data);
  const int64_t step = std::max<int64_t>(1, kTileRows / together);
  std::vector<PagedJob> jobs;
  std::vector<PagedTask> tasks;
  std::vector<char> covered(static_cast<size_t>(base.tokens), 0);
  for (int64_t s = 0; s < sequences; s++, sequence += 3) {
    const int64_t start = std::min<int64_t>(std::max(sequence[0], 0), base.tokens), count = std::min<int64_t>(std::max(sequence[1], 0), base.tokens - start);
    const int64_t context = std::min<int64_t>(std::max(sequence[2], 0), max_pages * page_rows);
    jobs.push_back({base, pages + s * max_pages, page_rows, max_pages, c.in[1]->shape[0], start, context - count});
    if (context < count) continue;  // no such positions: zeros
    bool free = true;
    for (int64_t t = start; t < start + count; t++) free = free && !covered[static_cast<size_t>(t)];
    if (!free) continue;  // a row belongs to the first sequence that names it
    std::fill(covered.begin() + start, covered.begin() + start + count, 1);
    for (int64_t row = 0; row < count; row += step) tasks.push_back({static_cast<int32_t>(s), row, std::min(step, count - row)});
  }
  zero_rows(c, covered);
  const int64_t floats = table.paged_floats(base), parts = base.kv_heads * per;
  c.pool.parallel(static_cast<int64_t>(tasks.size()) * parts, [&](int64_t chunk, int thread) {
    const PagedTask &task = tasks[tasks.size() - 1 - static_cast<size_t>(chunk / parts)];
    const int64_t part = chunk % parts, head = part / per * group + part % per * together;
    table.paged(jobs[static_cast<size_t>(task.sequence)], task.begin, task.rows, head, std::min(together, (part / per + 1) * group - head),
                reinterpret_cast<float *>(c.scratch) + thread * floats);
  });
}
int64_t scratch_paged(const Call &c) { return c.pool.threads() * attention_now().paged_floats(paged_job(c)) * 4; }

const char *check_paged(const Call &c) {
  if (const char *reason = signature(c, "q:F[T,H,D] kCache:C[P,B,G,D] vCache:C[P,B,G,D] pages:I[S,M] sequences:I[S,3] -> o:F[T,H,D]", 3)) return reason;
  if (const char *reason = check_heads(*c.in[0], *c.in[1])) return reason;
  return c.in[1]->shape[1] > 0 ? nullptr : refuse("expected pages of at least one row");
}

/** Split by columns, never by tokens: where two tokens name one slot, the later one stays, for any number of threads. */
void run_cache_write(const Call &c) {
  const AttentionTable &table = attention_now();
  const Tensor &x = *c.in[0], &cache = *c.out[0];
  const int32_t *slots = static_cast<const int32_t *>(c.in[1]->data);
  const int64_t tokens = x.shape[0], width = x.shape[1] * x.shape[2], n = cache.shape[0] * cache.shape[1], step = 256;
  c.pool.parallel(pieces(width, step), [&](int64_t chunk, int) {
    const int64_t at = chunk * step, count = std::min(step, width - at);
    for (int64_t t = 0; t < tokens; t++)
      if (slots[t] >= 0 && slots[t] < n) table.cache_write(view(cache), slots[t] * width + at, view(x), t * width + at, count);
  });
}

const Register registered[] = {
    Register{{"attentionPaged", run_paged, check_paged, scratch_paged}},
    Register{{"cacheWrite", run_cache_write, SB_SIGNATURE("x:F[T,G,D] slots:I[T] cache:C[P,B,G,D] -> cache:C[P,B,G,D]", 0), nullptr}},
};

}  // namespace
}  // namespace sb
