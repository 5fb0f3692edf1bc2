/** @file A plan: the nodes of a step, checked once, run by one call. */
#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "../kernels/checks.h"
#include "internal.h"

using namespace sb;

struct sb_plan {
  std::vector<sb_tensor> tensors;
  std::vector<sb_node> nodes;
  std::vector<double> params;
  std::vector<const sb_tensor *> operands;  // SB_MAX_OPERANDS * 2 a node, resolved once
  std::vector<int64_t> need;                // bytes every buffer must have
  std::vector<int32_t> align;               // bytes its address must be a multiple of
  std::vector<bool> written;                // buffers that a node writes
  int32_t tier = -1;                        // of packed operands; -1: there are none
  std::string error;  // kept with the plan: the caller may ask from another thread
  std::atomic<bool> running{false};
};

namespace {

constexpr int64_t kMost = int64_t{1} << 46;  // elements of a tensor, and its largest dimension
constexpr int64_t kMostEntries = int64_t{1} << 24;  // tensors, nodes, parameters of a plan

Call call_of(const sb_plan &plan, size_t index, Pool &pool, void *scratch) {
  const sb_node &node = plan.nodes[index];
  const sb_tensor *const *at = plan.operands.data() + index * SB_MAX_OPERANDS * 2;
  return Call{at, at + node.inputs, node.inputs, node.outputs, plan.params.data() + node.first_param, node.params,
              static_cast<char *>(scratch), pool};
}

/** Also of empty tensors no two dimensions may overflow when multiplied: kernels do so for strides. */
const char *bad_tensor(const sb_tensor &t) {
  if (t.rank < 0 || t.rank > SB_MAX_RANK) return "rank must be 0 to 4";
  int64_t count = 1;
  for (int d = 0; d < SB_MAX_RANK; d++) {
    if (t.shape[d] < 0 || (d >= t.rank && t.shape[d] != 1)) return "a dimension is negative, or an unused one is not 1";
    if (t.shape[d] > 0 && count > kMost / t.shape[d]) return "too many elements";
    if (t.shape[d] > 0) count *= t.shape[d];
  }
  if (t.offset < 0 || t.offset % 64 != 0 || t.offset > (int64_t{1} << 56)) return "offset must be a multiple of 64";
  return nullptr;
}

int64_t bytes_of(const sb_tensor &t) {
  if (t.type != SB_PACKED) return tensor_bytes(t);
  return t.rank == 2 ? sb_packed_bytes(SB_FORM_Y, t.source_type, t.shape[0], t.shape[1]) : -1;
}

int32_t alignment_of(int32_t type) {
  return type == SB_F32 || type == SB_I32 ? 4 : type == SB_PACKED ? 64 : type == SB_I8 ? 1 : 2;
}

/** Where `output` may not lie: partly over anything this node reads or writes, or wholly over what it may not overwrite. */
std::string overlap(const sb_plan &plan, const sb_node &node, int output) {
  const sb_tensor *const *at = plan.operands.data() + (&node - plan.nodes.data()) * SB_MAX_OPERANDS * 2;
  const sb_tensor *to = at[node.inputs + output];
  const int64_t bytes = to ? bytes_of(*to) : 0;
  if (bytes <= 0) return "";
  for (int i = 0; i < node.inputs + node.outputs; i++) {
    if (i == node.inputs + output || !at[i] || at[i]->buffer != to->buffer) continue;
    const int64_t other = bytes_of(*at[i]);
    if (other <= 0 || at[i]->offset >= to->offset + bytes || to->offset >= at[i]->offset + other) continue;
    const bool same = at[i]->offset == to->offset && other == bytes && at[i]->type == to->type;
    if (i < node.inputs && same && may_overwrite(sb_kernel_name(node.kernel), output, i)) continue;
    const std::string what = i < node.inputs ? "input " + std::to_string(i) : "output " + std::to_string(i - node.inputs);
    return "output " + std::to_string(output) + " overlaps " + what + ": memory of its own is expected";
  }
  return "";
}

std::string check_node(sb_plan &plan, size_t index) {
  const sb_node &node = plan.nodes[index];
  const std::string where = "node " + std::to_string(index) + " (" + sb_kernel_name(node.kernel) + "): ";
  if (node.kernel < 0 || node.kernel >= sb_kernel_count()) return where + "no such kernel";
  if (node.inputs < 0 || node.outputs < 0 || node.inputs > SB_MAX_OPERANDS || node.outputs > SB_MAX_OPERANDS) return where + "too many operands";
  const int64_t params = static_cast<int64_t>(plan.params.size());
  if (node.params < 0 || node.first_param < 0 || node.first_param > params || node.params > params - node.first_param) return where + "parameters out of range";
  const sb_tensor **at = plan.operands.data() + index * SB_MAX_OPERANDS * 2;
  for (int i = 0; i < node.inputs + node.outputs; i++) {
    const int32_t id = node.operand[i];
    if (id < -1 || id >= static_cast<int64_t>(plan.tensors.size())) return where + "operand out of range";
    at[i] = id < 0 ? nullptr : &plan.tensors[static_cast<size_t>(id)];
  }
  PaperPool paper(1);
  const char *reason = kernels()[static_cast<size_t>(node.kernel)].check(call_of(plan, index, paper, nullptr));
  if (reason) return where + reason;
  for (int o = 0; o < node.outputs; o++) {
    const sb_tensor *to = at[node.inputs + o];
    if (!to) continue;
    plan.written[static_cast<size_t>(to->buffer)] = true;
    const std::string problem = overlap(plan, node, o);
    if (!problem.empty()) return where + problem;
  }
  for (int i = 0; i < node.inputs; i++)
    if (at[i] && at[i]->type == SB_PACKED) plan.tier = isa();
  return "";
}

const char *take_tensor(sb_plan &plan, const sb_tensor &t) {
  if (const char *reason = bad_tensor(t)) return reason;
  if (t.buffer < 0 || t.buffer >= static_cast<int64_t>(plan.need.size())) return "buffer out of range";
  const int64_t bytes = bytes_of(t);
  if (bytes < 0) return "no such element type";
  if (bytes == 0) return nullptr;
  int64_t &need = plan.need[static_cast<size_t>(t.buffer)];
  int32_t &align = plan.align[static_cast<size_t>(t.buffer)];
  need = std::max(need, t.offset + bytes);
  align = std::max(align, alignment_of(t.type));
  return nullptr;
}

/** Buffers that are too small, missing, misaligned, or share bytes with one that is written. */
std::string bad_buffers(const sb_plan &plan, void *const *buffers, const int64_t *bytes) {
  struct Range {
    uintptr_t from, to;
    size_t index;
  };
  std::vector<Range> ranges;
  for (size_t b = 0; b < plan.need.size(); b++) {
    if (plan.need[b] == 0) continue;
    const std::string name = "buffer " + std::to_string(b);
    if (!buffers[b]) return name + " is missing";
    if (bytes[b] < plan.need[b]) return name + ": " + std::to_string(plan.need[b]) + " bytes are expected, got " + std::to_string(bytes[b]);
    const uintptr_t from = reinterpret_cast<uintptr_t>(buffers[b]);
    if (from % static_cast<uintptr_t>(plan.align[b]) != 0) return name + ": an address that is a multiple of " + std::to_string(plan.align[b]) + " is expected";
    ranges.push_back({from, from + static_cast<uintptr_t>(plan.need[b]), b});
  }
  std::sort(ranges.begin(), ranges.end(), [](const Range &a, const Range &b) { return a.from < b.from; });
  // The farthest end so far, of any buffer and of written ones.
  uintptr_t any = 0, written = 0;
  for (const Range &r : ranges) {
    if (r.from < written || (plan.written[r.index] && r.from < any)) return "buffer " + std::to_string(r.index) + " overlaps another, and one of them is written";
    any = std::max(any, r.to);
    if (plan.written[r.index]) written = std::max(written, r.to);
  }
  return "";
}

}  // namespace

extern "C" {

const char *sb_kernel_check(int32_t kernel, const sb_tensor *const *operands, int32_t inputs, int32_t outputs, const double *params, int32_t n_params) {
  if (kernel < 0 || kernel >= sb_kernel_count()) return "no such kernel";
  if (!operands || inputs < 0 || outputs < 0 || inputs > SB_MAX_OPERANDS || outputs > SB_MAX_OPERANDS || n_params < 0 || (n_params > 0 && !params)) return "too many operands or parameters";
  for (int i = 0; i < inputs + outputs; i++)
    if (operands[i]) {
      if (const char *reason = bad_tensor(*operands[i])) return reason;
    }
  PaperPool paper(1);
  return kernels()[static_cast<size_t>(kernel)].check(Call{operands, operands + inputs, inputs, outputs, params, n_params, nullptr, paper});
}

int64_t sb_kernel_scratch(int32_t kernel, const sb_tensor *const *operands, int32_t inputs, int32_t outputs, const double *params, int32_t n_params, int32_t threads) {
  if (const char *reason = sb_kernel_check(kernel, operands, inputs, outputs, params, n_params)) return fail(SB_BAD_ARGUMENT, reason);
  const auto scratch = kernels()[static_cast<size_t>(kernel)].scratch;
  PaperPool paper(threads);
  return scratch ? scratch(Call{operands, operands + inputs, inputs, outputs, params, n_params, nullptr, paper}) : 0;
}

sb_plan *sb_plan_create(const sb_tensor *tensors, int64_t n_tensors, const sb_node *nodes, int64_t n_nodes, const double *params, int64_t n_params, int32_t n_buffers) {
  const auto bad = [](int64_t count, const void *at) { return count < 0 || count > kMostEntries || (count > 0 && !at); };
  if (bad(n_tensors, tensors) || bad(n_nodes, nodes) || bad(n_params, params) || n_buffers < 0 || n_buffers > kMostEntries)
    return fail(SB_BAD_ARGUMENT, "plan: a count is negative or too large, or its array is missing"), nullptr;
  try {
    auto plan = std::make_unique<sb_plan>();
    plan->tensors.assign(tensors, tensors + n_tensors);
    plan->nodes.assign(nodes, nodes + n_nodes);
    plan->params.assign(params, params + n_params);
    plan->operands.resize(static_cast<size_t>(n_nodes) * SB_MAX_OPERANDS * 2, nullptr);
    plan->need.resize(static_cast<size_t>(n_buffers), 0);
    plan->align.resize(static_cast<size_t>(n_buffers), 1);
    plan->written.resize(static_cast<size_t>(n_buffers), false);
    for (size_t i = 0; i < plan->tensors.size(); i++) {
      const char *reason = take_tensor(*plan, plan->tensors[i]);
      if (reason) return fail(SB_BAD_ARGUMENT, "tensor " + std::to_string(i) + ": " + reason), nullptr;
    }
    for (size_t i = 0; i < plan->nodes.size(); i++) {
      const std::string problem = check_node(*plan, i);
      if (!problem.empty()) return fail(SB_UNSUPPORTED, problem), nullptr;
    }
    return plan.release();
  } catch (const std::exception &error) {
    return fail(SB_NO_MEMORY, std::string("plan: ") + error.what()), nullptr;
  }
}

void sb_plan_free(sb_plan *plan) { delete plan; }

int64_t sb_plan_scratch(const sb_plan *plan, int32_t threads) {
  int64_t most = 0;
  PaperPool paper(threads);
  for (size_t i = 0; i < plan->nodes.size(); i++) {
    const auto scratch = kernels()[static_cast<size_t>(plan->nodes[i].kernel)].scratch;
    if (scratch) most = std::max(most, scratch(call_of(*plan, i, paper, nullptr)));
  }
  return most;
}

const char *sb_plan_error(const sb_plan *plan) { return plan->error.c_str(); }

int32_t sb_plan_run(sb_plan *plan, sb_pool *pool, void *const *buffers, const int64_t *buffer_bytes, void *scratch, int64_t scratch_bytes,
                    sb_control *control, double *seconds) {
  if (!plan || !pool || (!plan->need.empty() && (!buffers || !buffer_bytes))) return fail(SB_BAD_ARGUMENT, "run: a plan, a pool and the buffers with their sizes are expected");
  Pool &threads = pool_of(pool);
  // A plan that runs elsewhere keeps its words: only who holds it may write them.
  const Held mine(plan->running), turn(threads.taken);
  if (!mine.taken) return fail(SB_BUSY, "this plan is running");
  const auto failed = [&](int32_t status, const std::string &message) { return plan->error = message, status; };
  if (!turn.taken) return failed(SB_BUSY, "this pool is running another plan");
  if (plan->tier >= 0 && plan->tier != isa()) return failed(SB_BAD_ARGUMENT, "the instruction-set tier was changed after this plan's weights were packed");
  const int64_t need = sb_plan_scratch(plan, threads.threads());
  if (scratch_bytes < need || (need > 0 && !scratch)) return failed(SB_BAD_ARGUMENT, "scratch: " + std::to_string(need) + " bytes are expected, got " + std::to_string(scratch_bytes));
  if (const std::string problem = bad_buffers(*plan, buffers, buffer_bytes); !problem.empty()) return failed(SB_BAD_ARGUMENT, problem);
  for (auto &tensor : plan->tensors) tensor.data = buffers[tensor.buffer] ? static_cast<char *>(buffers[tensor.buffer]) + tensor.offset : nullptr;
  using clock = std::chrono::steady_clock;
  for (size_t i = 0; i < plan->nodes.size(); i++) {
    if (control) {
      __atomic_store_n(&control->node, static_cast<int32_t>(i), __ATOMIC_RELAXED);
      if (__atomic_load_n(&control->cancel, __ATOMIC_RELAXED)) return failed(SB_CANCELLED, "cancelled");
    }
    const auto start = seconds ? clock::now() : clock::time_point();
    try {
      kernels()[static_cast<size_t>(plan->nodes[i].kernel)].run(call_of(*plan, i, threads, scratch));
    } catch (const std::exception &error) {
      return failed(SB_INTERNAL, "node " + std::to_string(i) + " (" + sb_kernel_name(plan->nodes[i].kernel) + "): " + error.what());
    }
    if (seconds) seconds[i] = std::chrono::duration<double>(clock::now() - start).count();
  }
  return SB_OK;
}

}  // extern "C"
