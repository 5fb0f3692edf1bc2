/** @file Running a recorded plan through the C interface. */
#pragma once
#include <cstdlib>
#include <string>
#include <vector>

#include "record.h"

namespace replay {

/** Memory of exactly so many bytes, so that a sanitizer sees the first byte too far. `shift`: this many bytes past a
 * 64-byte border. Filled with 0xff: NaN in every float type. */
class Exact {
 public:
  Exact(size_t bytes, size_t shift);
  Exact(Exact &&other) noexcept : base_(other.base_), at_(other.at_) { other.base_ = nullptr; }
  ~Exact() { std::free(base_); }
  char *at() const { return at_; }

 private:
  void *base_ = nullptr;
  char *at_ = nullptr;
};

struct Options {
  int threads = 1;
  bool misaligned = false;  // every buffer one element past a 64-byte border
  int repeats = 1;          // runs, each on fresh memory
};

struct Outcome {
  int32_t status = SB_OK;  // SB_UNSUPPORTED: no plan could be made
  std::string words;       // why, or what differs
  std::vector<std::string> results;  // bytes of what was expected, to compare runs
};

Outcome run_case(const Case &recorded, const Options &options);

/** Packed buffers made, or where the tier has no such form replaced by the weight itself. False when packing failed. */
bool resolve_packed(Case &c, sb_pool *pool, std::string &words);

/** Kernel names to numbers; false when one is missing. */
bool resolve_kernels(Case &c, std::string &words);

/** Mutates recorded plans `rounds` times and hands them to the interface; what it accepts is run on honest memory. Answers
 * how many were run. Nothing may crash: run it in a sanitized build. */
struct Hostile {
  long refused = 0, ran = 0, skipped = 0;
};
Hostile attack(const std::vector<Case> &cases, long rounds, unsigned seed, int threads);

}  // namespace replay
