/** @file What a kernel's author sees: tensors, the call, the pool, the registry. Internal to native/. */
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>

#include "../include/starbox_ops.h"

namespace sb {

using Tensor = sb_tensor;

inline int64_t elements(const Tensor &t) { return t.shape[0] * t.shape[1] * t.shape[2] * t.shape[3]; }
/** Product of all dimensions but the last: how many rows. */
inline int64_t rows(const Tensor &t) { return t.rank == 0 ? 1 : elements(t) / (t.shape[t.rank - 1] ? t.shape[t.rank - 1] : 1); }
/** The last dimension. */
inline int64_t columns(const Tensor &t) { return t.rank == 0 ? 1 : t.shape[t.rank - 1]; }

/** Threads that share one job at a time. Work is split by the *problem*, never by the number of threads, so results
 * do not depend on it: `parallel` hands out chunk numbers 0..chunks-1 to whichever thread is free. */
class Pool {
 public:
  virtual ~Pool() = default;
  virtual int threads() const = 0;
  /** Runs body(chunk, thread) for every chunk; returns when all are done. Not reentrant. Body must not throw. */
  virtual void parallel(int64_t chunks, const std::function<void(int64_t chunk, int thread)> &body) = 0;
  /** Held by whoever runs on this pool: it does one thing at a time. */
  std::atomic<bool> taken{false};
};

struct Call {
  const Tensor *const *in;   // absent optional operands are nullptr
  const Tensor *const *out;  // data is written
  int n_in, n_out;
  const double *params;
  int n_params;
  char *scratch;  // 64-byte aligned, at least what the kernel's `scratch` asked for
  Pool &pool;
};

struct KernelInfo {
  const char *name;
  void (*run)(const Call &);
  /** nullptr or the reason these operands are not taken. Called once when a plan is made; must check everything that
   * could make `run` read or write out of bounds, except values inside index tensors (those `run` must bound itself). */
  const char *(*check)(const Call &);
  /** Scratch bytes for these operands; nullptr for none. Call.pool.threads() is the number of threads. */
  int64_t (*scratch)(const Call &);
};

/** Registers at load: `static sb::Register r{{"add", run, check, nullptr}};` */
struct Register {
  explicit Register(const KernelInfo &info);
};

/** The tier in use; kernels pick their inner loops by it: `isa() >= SB_ISA_AVX2 && isa() < SB_ISA_NEON`. */
int isa();

/** Elements a chunk of elementwise work should hold: fixed, so that sums over chunks have one order. */
constexpr int64_t kChunk = 16384;

}  // namespace sb
