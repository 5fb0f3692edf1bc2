/** @file Plans made wrong on purpose: cut off, wild offsets, shapes, types, operator numbers, parameters. The interface must
 * refuse them with a code, or run them inside the memory they asked for. */
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "run.h"

namespace replay {
namespace {

using Random = std::mt19937;

const int64_t wild[] = {0,  1,  -1, 2,  3,  5,  7,   31,  32,  33, 63, 64,  65, 127, 255, 256, 1 << 20, INT32_MAX, int64_t{INT32_MAX} + 1, int64_t{1} << 40,
                        (int64_t{1} << 46) + 1, INT64_MAX, INT64_MIN, INT64_MAX - 63, -64};
const double wild_numbers[] = {0, -0.0, 1, -1, 0.5, 2, 1e9, -1e18, 1e300, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()};
const int32_t types[] = {0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 24, 26, 30, 64, -1, 5, 99, INT32_MAX};

template <class T, size_t N> T pick(Random &random, const T (&from)[N]) { return from[random() % N]; }
/** Mostly a near number: those get past the first checks. */
int64_t number(Random &random, int64_t old) {
  if (random() % 3 == 0) return pick(random, wild);
  return static_cast<int64_t>(static_cast<uint64_t>(old) + random() % 5 - 2);
}

void change_tensor(Random &random, sb_tensor &t) {
  switch (random() % 6) {
    case 0: t.type = pick(random, types); break;
    case 1: t.rank = static_cast<int32_t>(number(random, t.rank)); break;
    case 2: case 3: t.shape[random() % SB_MAX_RANK] = number(random, t.shape[random() % SB_MAX_RANK]); break;
    case 4: t.buffer = static_cast<int32_t>(number(random, t.buffer)); break;
    default:
      if (random() % 2) t.offset = random() % 2 ? 64 * static_cast<int64_t>(random() % 8) : number(random, t.offset);
      else t.source_type = pick(random, types);
  }
}

void change_node(Random &random, sb_node &n, size_t tensors) {
  switch (random() % 6) {
    case 0: n.kernel = random() % 2 ? static_cast<int32_t>(random() % static_cast<unsigned>(sb_kernel_count())) : static_cast<int32_t>(number(random, n.kernel)); break;
    case 1: (random() % 2 ? n.inputs : n.outputs) = static_cast<int32_t>(number(random, n.inputs)); break;
    case 2: n.params = static_cast<int32_t>(number(random, n.params)); break;
    case 3: n.first_param = number(random, n.first_param); break;
    default: n.operand[random() % 6] = random() % 4 ? static_cast<int32_t>(random() % (tensors + 1)) - 1 : static_cast<int32_t>(number(random, 0));
  }
}

/** Changes up to three things. */
void spoil(Random &random, Case &c) {
  for (unsigned i = 1 + random() % 3; i > 0; i--) {
    const unsigned what = random() % 10;
    if (what < 4 && !c.tensors.empty()) change_tensor(random, c.tensors[random() % c.tensors.size()]);
    else if (what < 7 && !c.nodes.empty()) change_node(random, c.nodes[random() % c.nodes.size()], c.tensors.size());
    else if (what < 9 && !c.params.empty()) c.params[random() % c.params.size()] = pick(random, wild_numbers);
    else if (random() % 2) c.tensors.resize(random() % (c.tensors.size() + 1));
    else c.params.resize(random() % (c.params.size() + 1));
  }
}

/** Index tensors may hold anything: that is for `run` to bound. */
void scribble(Random &random, std::vector<Exact> &memory, const std::vector<int64_t> &sizes) {
  if (memory.empty() || random() % 2) return;
  const size_t b = random() % memory.size();
  for (int64_t at = 0; at + 4 <= sizes[b] && at < 4096; at += 4) {
    const int32_t value = static_cast<int32_t>(pick(random, wild));
    if (random() % 4 == 0) std::memcpy(memory[b].at() + at, &value, 4);
  }
}

constexpr int64_t kMostBytes = int64_t{1} << 24;
constexpr double kMostWork = 3e7;

/** As much memory as the plan asks for and not a byte more: found by offering none and reading the refusal's cure from the
 * tensors themselves. False when that is more than a test should take. */
bool sizes_for(const Case &c, std::vector<int64_t> &sizes) {
  double work = 1;
  sizes.assign(c.buffers.size(), 0);
  for (const auto &t : c.tensors) {
    const double elements = static_cast<double>(t.shape[0]) * static_cast<double>(t.shape[1]) * static_cast<double>(t.shape[2]) * static_cast<double>(t.shape[3]);
    for (const int64_t d : t.shape) work = std::max(work, static_cast<double>(d));
    if (elements > 1e6 || t.offset > kMostBytes) return false;
    work = std::max(work, elements);
    int64_t block = 1, bytes = t.type == SB_F32 || t.type == SB_I32 ? 4 : t.type == SB_I8 ? 1 : 2;
    const int32_t quantized[][3] = {{SB_Q4_0, 32, 18}, {SB_Q4_1, 32, 20}, {SB_Q5_0, 32, 22}, {SB_Q5_1, 32, 24}, {SB_Q8_0, 32, 34}, {SB_Q4_K, 256, 144}, {SB_Q5_K, 256, 176}, {SB_Q6_K, 256, 210}};
    for (const auto &q : quantized)
      if (q[0] == t.type) block = q[1], bytes = q[2];
    const int64_t need = t.type == SB_PACKED ? sb_packed_bytes(0, t.source_type, t.shape[0], t.shape[1]) : static_cast<int64_t>(elements) / block * bytes;
    int64_t &size = sizes[static_cast<size_t>(t.buffer)];
    if (need > 0) size = std::max(size, t.offset + need);
  }
  for (const int64_t size : sizes)
    if (size > kMostBytes) return false;
  return work <= kMostWork / 100;
}

}  // namespace

Hostile attack(const std::vector<Case> &cases, long rounds, unsigned seed, int threads) {
  Random random(seed);
  Hostile count;
  sb_pool *pool = sb_pool_create(threads, 20, 0);
  for (long i = 0; i < rounds; i++) {
    Case c = cases[random() % cases.size()];
    std::string words;
    if (!resolve_kernels(c, words) || !resolve_packed(c, pool, words)) continue;
    spoil(random, c);
    // Arrays of exactly their length: reading past a plan's bytes is an overflow too.
    sb_plan *plan = sb_plan_create(c.tensors.data(), static_cast<int64_t>(c.tensors.size()), c.nodes.data(), static_cast<int64_t>(c.nodes.size()), c.params.data(),
                                   static_cast<int64_t>(c.params.size()), static_cast<int32_t>(c.buffers.size()));
    std::vector<int64_t> sizes;
    if (!plan) {
      count.refused++;
      continue;
    }
    const int64_t scratch_bytes = sb_plan_scratch(plan, threads);
    if (!sizes_for(c, sizes) || scratch_bytes < 0 || scratch_bytes > 8 * kMostBytes) {
      count.skipped++;
      sb_plan_free(plan);
      continue;
    }
    std::vector<Exact> memory;
    std::vector<void *> buffers;
    for (size_t b = 0; b < sizes.size(); b++) {
      memory.emplace_back(static_cast<size_t>(sizes[b]), 0);
      if (const size_t known = std::min(c.buffers[b].data.size(), static_cast<size_t>(sizes[b]))) std::memcpy(memory.back().at(), c.buffers[b].data.data(), known);
      buffers.push_back(memory.back().at());
    }
    scribble(random, memory, sizes);
    const Exact scratch(static_cast<size_t>(scratch_bytes), 0);
    const int32_t status = sb_plan_run(plan, pool, buffers.data(), sizes.data(), scratch.at(), scratch_bytes, nullptr, nullptr);
    (status == SB_OK ? count.ran : count.refused)++;
    sb_plan_free(plan);
  }
  sb_pool_free(pool);
  return count;
}

}  // namespace replay
