/** @file Shared by the files of core/ only. */
#pragma once
#include <string>
#include <vector>

#include "kernel.h"

namespace sb {

std::vector<KernelInfo> &kernels();
/** Sets this thread's last error and answers `status`. */
int32_t fail(int32_t status, const std::string &message);
Pool &pool_of(sb_pool *pool);

/** The right to run on a pool, while in scope. */
struct Turn {
  explicit Turn(Pool &pool) : pool_(pool), taken(!pool.taken.exchange(true)) {}
  ~Turn() {
    if (taken) pool_.taken.store(false);
  }
  Turn(const Turn &) = delete;

 private:
  Pool &pool_;

 public:
  const bool taken;
};

/** Stands for a pool while operands are only checked or measured: it has threads in name only. */
class PaperPool final : public Pool {
 public:
  explicit PaperPool(int threads) : threads_(threads) {}
  int threads() const override { return threads_; }
  void parallel(int64_t, const std::function<void(int64_t, int)> &) override {}

 private:
  int threads_;
};

}  // namespace sb
