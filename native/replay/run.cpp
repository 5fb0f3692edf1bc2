/** @file Running a recorded plan: memory, packing, the call, the comparison. */
#include "run.h"

#include <cstring>
#include <map>
#include <memory>
#include <new>

namespace replay {

Exact::Exact(size_t bytes, size_t shift) {
  if (posix_memalign(&base_, 64, bytes + shift ? bytes + shift : 1) != 0) throw std::bad_alloc();
  at_ = static_cast<char *>(base_) + shift;
  std::memset(base_, 0xff, bytes + shift);
}

bool resolve_kernels(Case &c, std::string &words) {
  for (auto &node : c.nodes) {
    const std::string &name = c.kernels.at(static_cast<size_t>(node.kernel));
    node.kernel = sb_kernel_find(name.c_str());
    if (node.kernel < 0) return words = "no kernel " + name, false;
  }
  return true;
}

bool resolve_packed(Case &c, sb_pool *pool, std::string &words) {
  for (size_t b = 0; b < c.buffers.size(); b++) {
    Buffer &buffer = c.buffers[b];
    if (buffer.packed_from < 0) continue;
    for (auto &t : c.tensors) {
      if (t.buffer != static_cast<int32_t>(b)) continue;
      const int64_t bytes = sb_packed_bytes(buffer.form, t.source_type, t.shape[0], t.shape[1]);
      if (bytes <= 0) {
        t.type = t.source_type, t.source_type = 0, t.buffer = buffer.packed_from;
        continue;
      }
      const Buffer &from = c.buffers[static_cast<size_t>(buffer.packed_from)];
      const Exact weight(from.data.size(), 0), packed(static_cast<size_t>(bytes), 0);
      std::memcpy(weight.at(), from.data.data(), from.data.size());
      if (sb_pack(pool, buffer.form, t.source_type, t.shape[0], t.shape[1], weight.at(), packed.at()) != SB_OK) return words = sb_last_error(), false;
      buffer.bytes = bytes;
      buffer.data.assign(packed.at(), packed.at() + bytes);
    }
  }
  return true;
}

namespace {

sb_pool *pool_for(int threads) {
  static std::map<int, std::unique_ptr<sb_pool, void (*)(sb_pool *)>> pools;
  const auto known = pools.find(threads);
  if (known != pools.end()) return known->second.get();
  return pools.emplace(threads, std::unique_ptr<sb_pool, void (*)(sb_pool *)>(sb_pool_create(threads, 20, 0), sb_pool_free)).first->second.get();
}

/** One element of the type that lies in a buffer; packed weights stay aligned. */
size_t shift_of(const Case &c, size_t buffer) {
  size_t shift = 0;
  for (const auto &t : c.tensors)
    if (t.buffer == static_cast<int32_t>(buffer)) shift = t.type == SB_PACKED ? 64 : shift == 64 ? 64 : t.type == SB_F32 || t.type == SB_I32 ? 4 : shift > 2 ? shift : 2;
  return shift == 64 ? 0 : shift;
}

int32_t run_once(const Case &c, sb_plan *plan, const Options &options, std::vector<Exact> &memory) {
  std::vector<void *> buffers;
  std::vector<int64_t> sizes;
  memory.clear();
  for (size_t b = 0; b < c.buffers.size(); b++) {
    const Buffer &buffer = c.buffers[b];
    memory.emplace_back(static_cast<size_t>(buffer.bytes), options.misaligned ? shift_of(c, b) : 0);
    if (!buffer.data.empty()) std::memcpy(memory.back().at(), buffer.data.data(), buffer.data.size());
    buffers.push_back(memory.back().at());
    sizes.push_back(buffer.bytes);
  }
  const int64_t scratch_bytes = sb_plan_scratch(plan, options.threads);
  const Exact scratch(static_cast<size_t>(scratch_bytes), 0);
  sb_control control = {0, 0};
  return sb_plan_run(plan, pool_for(options.threads), buffers.data(), sizes.data(), scratch.at(), scratch_bytes, &control, nullptr);
}

}  // namespace

Outcome run_case(const Case &recorded, const Options &options) {
  Case c = recorded;
  Outcome outcome;
  if (!resolve_kernels(c, outcome.words)) return outcome.status = SB_UNSUPPORTED, outcome;
  if (!resolve_packed(c, pool_for(options.threads), outcome.words)) return outcome.status = SB_INTERNAL, outcome;
  sb_plan *plan = sb_plan_create(c.tensors.data(), static_cast<int64_t>(c.tensors.size()), c.nodes.data(), static_cast<int64_t>(c.nodes.size()), c.params.data(),
                                 static_cast<int64_t>(c.params.size()), static_cast<int32_t>(c.buffers.size()));
  if (!plan) return outcome.status = SB_UNSUPPORTED, outcome.words = sb_last_error(), outcome;
  for (int i = 0; i < options.repeats && outcome.words.empty(); i++) {
    std::vector<Exact> memory;
    outcome.status = run_once(c, plan, options, memory);
    if (outcome.status != SB_OK) {
      outcome.words = sb_plan_error(plan);
      break;
    }
    outcome.results.clear();
    for (const auto &e : c.expectations) {
      const sb_tensor &t = c.tensors.at(static_cast<size_t>(e.tensor));
      const char *got = memory[static_cast<size_t>(t.buffer)].at() + t.offset;
      const std::string problem = compare(t, e, got);
      if (!problem.empty() && outcome.words.empty()) outcome.words = "tensor " + std::to_string(e.tensor) + ", " + problem;
      outcome.results.emplace_back(got, got + e.data.size());
    }
  }
  sb_plan_free(plan);
  return outcome;
}

}  // namespace replay
