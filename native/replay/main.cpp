/** @file replay: runs recorded plans without Node, for sanitizers, emulators and other machines. Exit code 0 only when every
 * case gave what was recorded.
 *
 *   replay FILE [--threads 1,2,3] [--isa base] [--misaligned] [--repeats N] [--only TEXT] [--hostile ROUNDS [--seed N]] [--verbose] */
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <map>
#include <set>
#include <thread>

#include "run.h"

using namespace replay;

namespace {

struct Arguments {
  const char *file = nullptr, *isa = nullptr, *only = "";
  std::vector<int> threads = {1, 2, 3};
  Options options;
  long hostile = 0;
  unsigned seed = 1;
  bool verbose = false;
};

Arguments parse(int argc, char **argv) {
  Arguments a;
  for (int i = 1; i < argc; i++) {
    const auto is = [&](const char *name) { return std::strcmp(argv[i], name) == 0; };
    const auto value = [&] { return i + 1 < argc ? argv[++i] : (std::fprintf(stderr, "replay: %s needs a value\n", argv[i]), std::exit(2), nullptr); };
    if (is("--isa")) a.isa = value();
    else if (is("--only")) a.only = value();
    else if (is("--misaligned")) a.options.misaligned = true;
    else if (is("--repeats")) a.options.repeats = std::atoi(value());
    else if (is("--hostile")) a.hostile = std::atol(value());
    else if (is("--seed")) a.seed = static_cast<unsigned>(std::atol(value()));
    else if (is("--verbose")) a.verbose = true;
    else if (is("--threads")) {
      a.threads.clear();
      for (char *part = std::strtok(value(), ","); part; part = std::strtok(nullptr, ",")) a.threads.push_back(std::atoi(part));
    } else if (argv[i][0] != '-' && !a.file) a.file = argv[i];
    else std::fprintf(stderr, "replay: unknown argument %s\n", argv[i]), std::exit(2);
  }
  if (!a.file) std::fprintf(stderr, "usage: replay FILE [--threads 1,2,3] [--isa NAME] [--misaligned] [--repeats N] [--only TEXT] [--hostile ROUNDS [--seed N]] [--verbose]\n"), std::exit(2);
  return a;
}

bool choose_tier(const char *name) {
  if (!name) return true;
  for (int tier : {0, 1, 2, 3, 16, 17})
    if (std::strcmp(sb_isa_name(tier), name) == 0 && sb_isa_set(tier) == SB_OK) return true;
  std::fprintf(stderr, "replay: no tier %s here; the best is %s\n", name, sb_isa_name(sb_isa_best()));
  return false;
}

/** A second thread asks for the end of a run, and for a run of its own, while one is under way. */
int interrupt(const Case &recorded) {
  Case c = recorded;
  std::string words;
  sb_pool *pool = sb_pool_create(2, 20, 0);
  if (!resolve_kernels(c, words) || !resolve_packed(c, pool, words)) return 1;
  sb_plan *plan = sb_plan_create(c.tensors.data(), static_cast<int64_t>(c.tensors.size()), c.nodes.data(), static_cast<int64_t>(c.nodes.size()), c.params.data(),
                                 static_cast<int64_t>(c.params.size()), static_cast<int32_t>(c.buffers.size()));
  if (!plan) return 1;
  std::vector<Exact> memory;
  std::vector<void *> buffers;
  std::vector<int64_t> sizes;
  for (const auto &b : c.buffers) {
    memory.emplace_back(static_cast<size_t>(b.bytes), 0);
    if (!b.data.empty()) std::memcpy(memory.back().at(), b.data.data(), b.data.size());
    buffers.push_back(memory.back().at());
    sizes.push_back(b.bytes);
  }
  const int64_t scratch_bytes = sb_plan_scratch(plan, 2);
  const Exact scratch(static_cast<size_t>(scratch_bytes), 0);
  sb_control control = {0, 0};
  std::atomic<int> wrong{0};
  const auto some = [&](int rounds) {
    for (int i = 0; i < rounds; i++) {
      const int32_t status = sb_plan_run(plan, pool, buffers.data(), sizes.data(), scratch.at(), scratch_bytes, &control, nullptr);
      if (status != SB_OK && status != SB_CANCELLED && status != SB_BUSY) wrong++;
    }
  };
  std::thread other([&] {
    some(50);
    __atomic_store_n(&control.cancel, 1, __ATOMIC_RELAXED);
  });
  some(50);
  other.join();
  if (sb_plan_run(plan, pool, buffers.data(), sizes.data(), scratch.at(), scratch_bytes, &control, nullptr) != SB_CANCELLED) wrong++;
  sb_plan_free(plan);
  sb_pool_free(pool);
  return wrong;
}

int play(const std::vector<Case> &cases, Arguments &a) {
  int failed = 0, passed = 0;
  std::set<std::string> kernels;
  for (const Case &c : cases) {
    if (c.name.find(a.only) == std::string::npos) continue;
    if (a.verbose) std::fprintf(stderr, "%s\n", c.name.c_str());
    std::vector<std::string> first;
    std::string words;
    for (const int threads : a.threads) {
      a.options.threads = threads;
      const Outcome outcome = run_case(c, a.options);
      words = outcome.words;
      if (words.empty() && !first.empty() && first != outcome.results) words = "other bits with " + std::to_string(threads) + " threads";
      if (!words.empty()) break;
      if (first.empty()) first = outcome.results;
    }
    for (const auto &name : c.kernels) kernels.insert(name);
    if (words.empty()) passed++;
    else failed++, std::printf("FAILED %s: %s\n", c.name.c_str(), words.c_str());
  }
  std::printf("%s: %d cases passed, %d failed, %zu kernels\n", sb_isa_name(sb_isa_get()), passed, failed, kernels.size());
  return failed || passed == 0 ? 1 : 0;
}

}  // namespace

int main(int argc, char **argv) {
  Arguments a = parse(argc, argv);
  try {
    if (sb_abi() != SB_ABI || !choose_tier(a.isa)) return 2;
    const std::vector<Case> cases = read_cases(a.file);
    if (a.hostile > 0) {
      const Hostile count = attack(cases, a.hostile, a.seed, a.threads.back());
      std::printf("%s: %ld hostile plans refused, %ld ran within their memory, %ld too large to run\n", sb_isa_name(sb_isa_get()), count.refused, count.ran, count.skipped);
      return count.refused > 0 && count.ran > 0 ? 0 : 1;
    }
    const int wrong = play(cases, a);
    return wrong || (a.threads.back() > 1 && interrupt(cases.front())) ? 1 : 0;
  } catch (const std::exception &error) {
    std::fprintf(stderr, "replay: %s\n", error.what());
    return 2;
  }
}
