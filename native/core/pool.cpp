/** @file The thread pool: chunks handed out by a counter, idle threads spin for a while and then sleep. */
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <pthread.h>
#include <sched.h>
#endif
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "internal.h"

namespace sb {
namespace {

inline void relax() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

class ThreadPool final : public Pool {
 public:
  ThreadPool(int threads, int spin_us, bool pin) : spin_(spin_us) {
    for (int i = 1; i < threads; i++) workers_.emplace_back([this, i] { work(i); });
    if (pin) pin_workers();
  }

  ~ThreadPool() override {
    {
      std::lock_guard<std::mutex> hold(mutex_);
      stop_ = true;
      round_.fetch_add(1, std::memory_order_release);
    }
    wake_.notify_all();
    for (auto &worker : workers_) worker.join();
  }

  int threads() const override { return static_cast<int>(workers_.size()) + 1; }

  void parallel(int64_t chunks, const std::function<void(int64_t, int)> &body) override {
    if (chunks <= 0) return;
    if (chunks == 1 || workers_.empty()) {
      for (int64_t c = 0; c < chunks; c++) body(c, 0);
      return;
    }
    body_ = &body;
    chunks_ = chunks;
    next_.store(0, std::memory_order_relaxed);
    busy_.store(static_cast<int>(workers_.size()), std::memory_order_relaxed);
    bool sleepers;
    {
      std::lock_guard<std::mutex> hold(mutex_);
      round_.fetch_add(1, std::memory_order_release);
      sleepers = asleep_ > 0;
    }
    if (sleepers) wake_.notify_all();
    drain(0);
    // A worker may be descheduled on a shared machine: give the core away after a short spin.
    for (int spins = 0; busy_.load(std::memory_order_acquire) != 0; spins++) {
      if (spins < 4096) relax();
      else std::this_thread::yield();
    }
  }

 private:
  void drain(int thread) {
    const auto &body = *body_;
    const int64_t chunks = chunks_;
    for (int64_t c; (c = next_.fetch_add(1, std::memory_order_relaxed)) < chunks;) body(c, thread);
  }

  void work(int thread) {
    uint64_t seen = 0;
    for (;;) {
      seen = await(seen);
      if (stop_) return;
      drain(thread);
      busy_.fetch_sub(1, std::memory_order_release);
    }
  }

  /** Waits for a round other than `seen`: spins first, since the next node of a plan is microseconds away. */
  uint64_t await(uint64_t seen) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(spin_);
    for (int i = 1;; i++) {
      const uint64_t now = round_.load(std::memory_order_acquire);
      if (now != seen) return now;
      relax();
      if (i % 256 == 0 && std::chrono::steady_clock::now() > until) break;
    }
    std::unique_lock<std::mutex> hold(mutex_);
    asleep_++;
    wake_.wait(hold, [&] { return round_.load(std::memory_order_acquire) != seen; });
    asleep_--;
    return round_.load(std::memory_order_acquire);
  }

  void pin_workers() {
#if defined(__linux__)
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
    std::vector<int> cpus;
    for (int c = 0; c < CPU_SETSIZE; c++)
      if (CPU_ISSET(c, &allowed)) cpus.push_back(c);
    // The caller's own thread is left to the system: it is not ours to bind.
    for (size_t i = 0; i < workers_.size() && i + 1 < cpus.size(); i++) {
      cpu_set_t one;
      CPU_ZERO(&one);
      CPU_SET(cpus[i + 1], &one);
      pthread_setaffinity_np(workers_[i].native_handle(), sizeof one, &one);
    }
#endif
  }

  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::atomic<uint64_t> round_{0};
  alignas(64) std::atomic<int64_t> next_{0};
  alignas(64) std::atomic<int> busy_{0};
  const std::function<void(int64_t, int)> *body_ = nullptr;
  int64_t chunks_ = 0;
  int asleep_ = 0;
  std::atomic<bool> stop_{false};
  int spin_;
};

}  // namespace

Pool &pool_of(sb_pool *pool) { return *reinterpret_cast<Pool *>(pool); }

}  // namespace sb

extern "C" {

sb_pool *sb_pool_create(int32_t threads, int32_t spin_us, int32_t pin) {
  if (threads < 1 || threads > 1024 || spin_us < 0) {
    sb::fail(SB_BAD_ARGUMENT, "pool: threads 1 to 1024 and spin_us >= 0 are expected");
    return nullptr;
  }
  try {
    sb::Pool *pool = new sb::ThreadPool(threads, spin_us, pin != 0);
    return reinterpret_cast<sb_pool *>(pool);
  } catch (const std::exception &error) {
    sb::fail(SB_NO_MEMORY, std::string("pool: ") + error.what());
    return nullptr;
  }
}

void sb_pool_free(sb_pool *pool) {
  if (pool) delete &sb::pool_of(pool);
}

}  // extern "C"
