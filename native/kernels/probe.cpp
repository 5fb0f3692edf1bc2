/** @file sb_probe: limits of this machine with the threads of a pool, the best of several short windows. On a shared machine
 * the best window is the nearest to what the hardware can do. */
#include "probe.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>

#include "../core/internal.h"

extern const sb::ProbeTable probe_base;
#if defined(__x86_64__)
extern const sb::ProbeTable probe_avx2, probe_avx512, probe_avx512bf16;
#elif defined(__aarch64__)
extern const sb::ProbeTable probe_neon, probe_neonbf16;
#endif

namespace sb {
namespace {

const ProbeTable &probe_now() {
  switch (isa()) {
#if defined(__x86_64__)
    case SB_ISA_AVX2: return probe_avx2;
    case SB_ISA_AVX512: return probe_avx512;
    case SB_ISA_AVX512_BF16: return probe_avx512bf16;
#elif defined(__aarch64__)
    case SB_ISA_NEON: return probe_neon;
    case SB_ISA_NEON_BF16: return probe_neonbf16;
#endif
    default: return probe_base;
  }
}

using Clock = std::chrono::steady_clock;
double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/** Operations a second of all threads in one window. Every thread works until the window ends. */
double arithmetic(Pool &pool, double (*work)(int64_t), double window) {
  const auto start = Clock::now();
  std::atomic<double> done{0};
  pool.parallel(pool.threads(), [&](int64_t, int) {
    double mine = 0;
    while (since(start) < window) mine += work(2000);
    double all = done.load();
    while (!done.compare_exchange_weak(all, all + mine)) {
    }
  });
  return done.load() / since(start);
}

constexpr int64_t kPiece = 1 << 20;
constexpr int64_t kPieces = 256;  // 256 MiB: past the caches

/** Bytes a second of one pass over the memory. */
template <class Body> double pass(Pool &pool, char *memory, int64_t moved, const Body &body) {
  const auto start = Clock::now();
  pool.parallel(kPieces, [&](int64_t piece, int) { body(reinterpret_cast<float *>(memory + piece * kPiece)); });
  return static_cast<double>(kPieces * moved) / since(start);
}

double bandwidth(Pool &pool, int32_t what, double seconds) {
  char *memory = static_cast<char *>(sb_alloc(kPieces * kPiece));
  if (!memory) return 0;
  const ProbeTable &t = probe_now();
  const auto start = Clock::now();
  double best = 0;
  std::atomic<float> sink{0};
  do {
    if (what == 3) {
      best = std::max(best, pass(pool, memory, kPiece, [&](float *p) { sink.store(t.read(p, kPiece), std::memory_order_relaxed); }));
    } else if (what == 4) {
      best = std::max(best, pass(pool, memory, kPiece, [&](float *p) { t.write(p, kPiece, 1); }));
      best = std::max(best, pass(pool, memory, kPiece, [&](float *p) { t.write_past(p, kPiece, 1); }));
    } else {
      best = std::max(best, pass(pool, memory, 2 * kPiece, [&](float *p) { t.update(p, kPiece); }));
    }
  } while (since(start) < seconds);
  sb_free(memory);
  return best;
}

}  // namespace
}  // namespace sb

extern "C" double sb_probe(sb_pool *pool, int32_t what, double seconds) {
  using namespace sb;
  if (!pool || what < 0 || what > 5 || !(seconds > 0) || seconds > 60) {
    fail(SB_BAD_ARGUMENT, "probe: what 0 to 5 and 0 < seconds <= 60 are expected");
    return 0;
  }
  if (what >= 3) return bandwidth(pool_of(pool), what, seconds);
  const ProbeTable &t = probe_now();
  const auto work = what == 0 ? t.f32 : what == 1 ? t.bf16 : t.int8;
  const auto start = Clock::now();
  const double window = std::min(0.01, seconds / 3);
  double best = 0;
  do best = std::max(best, arithmetic(pool_of(pool), work, window));
  while (since(start) < seconds);
  return best;
}
