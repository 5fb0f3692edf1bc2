/** @file A plan: the nodes of a step, checked once, run by one call. */
#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "internal.h"

using namespace sb;

struct sb_plan {
  std::vector<sb_tensor> tensors;
  std::vector<sb_node> nodes;
  std::vector<double> params;
  std::vector<const sb_tensor *> operands;  // SB_MAX_OPERANDS * 2 a node, resolved once
  int32_t buffers = 0;
  std::string error;  // kept with the plan: the caller may ask from another thread
};

namespace {

Call call_of(const sb_plan &plan, size_t index, Pool &pool, void *scratch) {
  const sb_node &node = plan.nodes[index];
  const sb_tensor *const *at = plan.operands.data() + index * SB_MAX_OPERANDS * 2;
  return Call{at, at + node.inputs, node.inputs, node.outputs, plan.params.data() + node.first_param, node.params,
              static_cast<char *>(scratch), pool};
}

const char *bad_tensor(const sb_tensor &t) {
  if (t.rank < 0 || t.rank > SB_MAX_RANK) return "rank must be 0 to 4";
  int64_t count = 1;
  for (int d = 0; d < SB_MAX_RANK; d++) {
    if (t.shape[d] < 0 || (d >= t.rank && t.shape[d] != 1)) return "a dimension is negative, or an unused one is not 1";
    if (t.shape[d] > 0 && count > (int64_t{1} << 46) / t.shape[d]) return "too many elements";
    count *= t.shape[d];
  }
  if (t.offset < 0 || t.offset % 64 != 0) return "offset must be a multiple of 64";
  return nullptr;
}

std::string check_node(sb_plan &plan, size_t index) {
  const sb_node &node = plan.nodes[index];
  const std::string where = "node " + std::to_string(index) + " (" + sb_kernel_name(node.kernel) + "): ";
  if (node.kernel < 0 || node.kernel >= sb_kernel_count()) return where + "no such kernel";
  if (node.inputs < 0 || node.outputs < 0 || node.inputs > SB_MAX_OPERANDS || node.outputs > SB_MAX_OPERANDS) return where + "too many operands";
  if (node.params < 0 || node.first_param < 0 || node.first_param + node.params > static_cast<int64_t>(plan.params.size())) return where + "parameters out of range";
  const sb_tensor **at = plan.operands.data() + index * SB_MAX_OPERANDS * 2;
  for (int i = 0; i < node.inputs + node.outputs; i++) {
    const int32_t id = node.operand[i];
    if (id < -1 || id >= static_cast<int64_t>(plan.tensors.size())) return where + "operand out of range";
    at[i] = id < 0 ? nullptr : &plan.tensors[static_cast<size_t>(id)];
  }
  PaperPool paper(1);
  const char *reason = kernels()[static_cast<size_t>(node.kernel)].check(call_of(plan, index, paper, nullptr));
  return reason ? where + reason : "";
}

}  // namespace

extern "C" {

const char *sb_kernel_check(int32_t kernel, const sb_tensor *const *operands, int32_t inputs, int32_t outputs, const double *params, int32_t n_params) {
  if (kernel < 0 || kernel >= sb_kernel_count()) return "no such kernel";
  for (int i = 0; i < inputs + outputs; i++)
    if (operands[i]) {
      if (const char *reason = bad_tensor(*operands[i])) return reason;
    }
  PaperPool paper(1);
  return kernels()[static_cast<size_t>(kernel)].check(Call{operands, operands + inputs, inputs, outputs, params, n_params, nullptr, paper});
}

int64_t sb_kernel_scratch(int32_t kernel, const sb_tensor *const *operands, int32_t inputs, int32_t outputs, const double *params, int32_t n_params, int32_t threads) {
  if (kernel < 0 || kernel >= sb_kernel_count()) return fail(SB_BAD_ARGUMENT, "no such kernel");
  const auto scratch = kernels()[static_cast<size_t>(kernel)].scratch;
  PaperPool paper(threads);
  return scratch ? scratch(Call{operands, operands + inputs, inputs, outputs, params, n_params, nullptr, paper}) : 0;
}

sb_plan *sb_plan_create(const sb_tensor *tensors, int64_t n_tensors, const sb_node *nodes, int64_t n_nodes, const double *params, int64_t n_params, int32_t n_buffers) {
  try {
    auto plan = std::make_unique<sb_plan>();
    plan->tensors.assign(tensors, tensors + n_tensors);
    plan->nodes.assign(nodes, nodes + n_nodes);
    plan->params.assign(params, params + n_params);
    plan->operands.resize(static_cast<size_t>(n_nodes) * SB_MAX_OPERANDS * 2, nullptr);
    plan->buffers = n_buffers;
    for (size_t i = 0; i < plan->tensors.size(); i++) {
      const sb_tensor &t = plan->tensors[i];
      const char *reason = bad_tensor(t);
      if (!reason && (t.buffer < 0 || t.buffer >= n_buffers)) reason = "buffer out of range";
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

int32_t sb_plan_run(sb_plan *plan, sb_pool *pool, void *const *buffers, void *scratch, int64_t scratch_bytes, sb_control *control, double *seconds) {
  Pool &threads = pool_of(pool);
  const auto failed = [&](int32_t status, const std::string &message) { return plan->error = message, status; };
  const Turn turn(threads);
  if (!turn.taken) return failed(SB_BUSY, "this pool is running another plan");
  if (scratch_bytes < sb_plan_scratch(plan, threads.threads())) return failed(SB_BAD_ARGUMENT, "scratch is too small");
  for (auto &tensor : plan->tensors) {
    if (!buffers[tensor.buffer] && elements(tensor) > 0) return failed(SB_BAD_ARGUMENT, "buffer " + std::to_string(tensor.buffer) + " is missing");
    tensor.data = buffers[tensor.buffer] ? static_cast<char *>(buffers[tensor.buffer]) + tensor.offset : nullptr;
  }
  using clock = std::chrono::steady_clock;
  for (size_t i = 0; i < plan->nodes.size(); i++) {
    if (control) {
      control->node = static_cast<int32_t>(i);
      if (control->cancel) return failed(SB_CANCELLED, "cancelled");
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
