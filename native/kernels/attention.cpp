/** @file attention and attentionBackward. Keys and values are packed once; then the work is split by query tile and kv
 * head (forward), by query head (backward: each head has its own sums for dk and dv, added over the heads in order). */
#include "attention.h"

#include <algorithm>

#include "attention-segments.h"

namespace sb {

extern const AttentionTable attention_base;
#if defined(__x86_64__)
extern const AttentionTable attention_avx2, attention_avx512, attention_avx512bf16;
#endif
const AttentionTable &attention_now() {
#if defined(__x86_64__)
  if (isa() >= SB_ISA_AVX512_BF16) return attention_avx512bf16;
  if (isa() == SB_ISA_AVX512) return attention_avx512;
  if (isa() == SB_ISA_AVX2) return attention_avx2;
#endif
  return attention_base;
}

namespace {

/** Cuts a scratch of floats into named parts. */
struct Parts {
  float *base;
  int64_t used = 0;
  float *take(int64_t floats) {
    float *at = base + used;
    used += round_up(floats, 16);
    return at;
  }
};

/** Sizes alone: no data is read, so it serves `scratch` too. */
AttentionJob sizes_of(const Call &c, int first) {
  static const Segments none;
  return attention_job(c, first, nullptr, none, attention_now().panel);
}

/** Whether the tier's bf16 products take these operands as they are. */
bool pairs(const AttentionJob &job) {
  return attention_now().pairs && job.q.type == SB_BF16 && job.k.type == SB_BF16 && job.v.type == SB_BF16 && job.width % 2 == 0;
}

int64_t heads_together(const AttentionJob &job) { return std::min(kGroupHeads, job.kv_heads ? job.heads / job.kv_heads : 1); }

void pack_all(const Call &c, const AttentionJob &job) {
  const AttentionTable &table = attention_now();
  constexpr int64_t step = 2 * kTileKeys;
  const int64_t blocks = pieces(job.tokens, step);
  c.pool.parallel(blocks * job.kv_heads, [&](int64_t chunk, int) {
    const int64_t kv = chunk / blocks, begin = chunk % blocks * step, end = std::min(job.tokens, begin + step);
    const auto part = [&](float *base, int64_t floats) { return base ? base + kv * floats : nullptr; };
    table.pack(job, job.k, kv, begin, end, part(job.k_panels, job.panel_floats), part(job.k_rows, job.row_floats));
    table.pack(job, job.v, kv, begin, end, part(job.v_panels, job.panel_floats), part(job.v_rows, job.row_floats));
  });
}

int64_t forward_parts(const Call &c, AttentionJob &job, Parts parts, float **work) {
  job.k_panels = parts.take(job.kv_heads * job.panel_floats);
  job.v_rows = parts.take(job.kv_heads * job.row_floats);
  *work = parts.take(c.pool.threads() * attention_now().forward_floats(job, heads_together(job)));
  return parts.used * 4;
}

void run_attention(const Call &c) {
  const AttentionTable &table = attention_now();
  const Segments segments = read_segments(*c.in[3], c.in[0]->shape[0]);
  AttentionJob job = attention_job(c, 0, c.in[4], segments, table.panel);
  if (job.tokens == 0 || job.heads == 0) return;
  job.o = view(*c.out[0]);
  job.lse = static_cast<float *>(c.out[1]->data);
  job.paired = pairs(job);
  float *work;
  forward_parts(c, job, Parts{reinterpret_cast<float *>(c.scratch)}, &work);
  pack_all(c, job);
  const int64_t together = heads_together(job), group = job.heads / job.kv_heads, per = pieces(group, together);
  const int64_t tasks = static_cast<int64_t>(segments.tasks.size()), floats = table.forward_floats(job, together);
  c.pool.parallel(tasks * job.kv_heads * per, [&](int64_t chunk, int thread) {
    // Later rows see more: the longest first, so that the threads end together.
    const AttentionTask &task = segments.tasks[static_cast<size_t>(tasks - 1 - chunk / (job.kv_heads * per))];
    const int64_t part = chunk % (job.kv_heads * per), head = part / per * group + part % per * together;
    table.forward(job, task, head, std::min(together, (part / per + 1) * group - head), work + thread * floats);
  });
}
int64_t scratch_attention(const Call &c) {
  AttentionJob job = sizes_of(c, 0);
  float *work;
  return forward_parts(c, job, Parts{nullptr}, &work);
}

/** Query heads that share one pair of sums: one, unless the sums of all heads would take more than this. */
constexpr int64_t kMostSums = int64_t{256} << 20;
int64_t heads_a_sum(const AttentionJob &job) {
  const int64_t group = job.heads / job.kv_heads;
  int64_t share = 1;
  while (share < group && (group % share || job.heads / share * job.row_floats * 8 > kMostSums)) share++;
  return share;
}

int64_t backward_parts(const Call &c, AttentionJob &job, Parts parts, float **dk, float **dv, float **work) {
  job.k_panels = parts.take(job.kv_heads * job.panel_floats);
  job.v_panels = parts.take(job.kv_heads * job.panel_floats);
  job.k_rows = parts.take(job.kv_heads * job.row_floats);
  const int64_t sums = job.heads / heads_a_sum(job);
  *dk = parts.take(sums * job.row_floats);
  *dv = parts.take(sums * job.row_floats);
  *work = parts.take(c.pool.threads() * attention_now().backward_floats(job));
  return parts.used * 4;
}

/** dk and dv of token t, kv head by kv head, from the sums of its query heads. */
void gather_sums(const Call &c, const AttentionJob &job, const float *dk, const float *dv, int64_t share) {
  const AttentionTable &table = attention_now();
  const int64_t sums = job.heads / job.kv_heads / share;
  c.pool.parallel(pieces(job.tokens, 64), [&](int64_t chunk, int) {
    for (int64_t t = chunk * 64; t < std::min(job.tokens, chunk * 64 + 64); t++)
      for (int64_t kv = 0; kv < job.kv_heads; kv++) {
        const int64_t to = (t * job.kv_heads + kv) * job.width, source = kv * sums * job.row_floats + t * job.padded;
        table.gather(view(*c.out[1]), to, dk + source, sums, job.row_floats, job.width);
        table.gather(view(*c.out[2]), to, dv + source, sums, job.row_floats, job.width);
      }
  });
}

void run_backward(const Call &c) {
  const AttentionTable &table = attention_now();
  const Segments segments = read_segments(*c.in[6], c.in[1]->shape[0]);
  AttentionJob job = attention_job(c, 1, c.in[7], segments, table.panel);
  if (job.tokens == 0 || job.kv_heads == 0) return;
  job.d_o = view(*c.in[0]);
  job.o = view(*c.in[4]);
  job.lse = static_cast<float *>(c.in[5]->data);
  job.dq = view(*c.out[0]);
  job.paired = pairs(job) && job.d_o.type == SB_BF16;
  float *dk, *dv, *work;
  backward_parts(c, job, Parts{reinterpret_cast<float *>(c.scratch)}, &dk, &dv, &work);
  pack_all(c, job);
  const int64_t share = heads_a_sum(job), floats = table.backward_floats(job);
  c.pool.parallel(job.heads / share, [&](int64_t sum, int thread) {
    float *k = dk + sum * job.row_floats, *v = dv + sum * job.row_floats;
    __builtin_memset(k, 0, static_cast<size_t>(job.row_floats) * 4);
    __builtin_memset(v, 0, static_cast<size_t>(job.row_floats) * 4);
    for (int64_t head = sum * share; head < (sum + 1) * share; head++)
      for (const AttentionTask &task : segments.tasks) table.backward(job, task, head, k, v, work + thread * floats);
  });
  gather_sums(c, job, dk, dv, share);
}
int64_t scratch_backward(const Call &c) {
  AttentionJob job = sizes_of(c, 1);
  if (job.kv_heads == 0 || job.heads == 0) return 0;
  float *dk, *dv, *work;
  return backward_parts(c, job, Parts{nullptr}, &dk, &dv, &work);
}

const char *check_attention(const Call &c) {
  if (const char *reason = signature(c, "q:F[T,H,D] k:F[T,G,D] v:F[T,G,D] segments:I[N,3] positions:I[T]? -> o:F[T,H,D] lse:f[T,H]", 4)) return reason;
  return check_heads(*c.in[0], *c.in[1]);
}
const char *check_backward(const Call &c) {
  if (const char *reason = signature(c, "do:F[T,H,D] q:F[T,H,D] k:F[T,G,D] v:F[T,G,D] o:F[T,H,D] lse:f[T,H] segments:I[N,3] positions:I[T]? -> dq:F[T,H,D] dk:F[T,G,D] dv:F[T,G,D]", 4)) return reason;
  return check_heads(*c.in[1], *c.in[2]);
}

const Register registered[] = {
    Register{{"attention", run_attention, check_attention, scratch_attention}},
    Register{{"attentionBackward", run_backward, check_backward, scratch_backward}},
};

}  // namespace
}  // namespace sb
