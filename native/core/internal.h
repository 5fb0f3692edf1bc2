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

/** Whether output `output` of a kernel may be the memory of its input `input`. */
bool may_overwrite(const char *kernel, int output, int input);

/** Sets a flag while in scope, unless somebody else had. */
struct Held {
  explicit Held(std::atomic<bool> &flag) : flag_(flag), taken(!flag.exchange(true)) {}
  ~Held() {
    if (taken) flag_.store(false);
  }
  Held(const Held &) = delete;

 private:
  std::atomic<bool> &flag_;

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
