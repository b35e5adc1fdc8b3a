#include "host/call.h"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "host/kernels.h"
#include "kernel/attention_limits.h"

namespace flash_attn_npu::ascend::host {

namespace {

// Regions start at lines of the L2, which is also more than any instruction's alignment.
constexpr uint64_t kAlignment = 512;
// Two waves of tasks on 24 AI cores; a split has to be worth its partial result.
constexpr SplitPolicy kSplitPolicy{/*wanted_tiles=*/48, /*min_keys=*/512, /*max_splits=*/128};

template <class T>
T* at(void* workspace, Region region) {
    return reinterpret_cast<T*>(static_cast<uint8_t*>(workspace) + region.offset);
}

// `launch` is null when the library was linked without that kernel.
template <class Arguments>
void start(void (*launch)(uint32_t, void*, const Arguments&), const char* kernel, uint32_t blocks, void* stream,
           const Arguments& arguments) {
    if (launch == nullptr) throw std::runtime_error(std::string("this device library has no kernel ") + kernel);
    launch(blocks, stream, arguments);
}

#define START(KERNEL, BLOCKS, ARGUMENTS) start(launch_##KERNEL, #KERNEL, BLOCKS, stream, ARGUMENTS)

}  // namespace

Call::Call(const Problem& problem, uint32_t cores) : problem_(problem), cores_(cores) {
    plan_ = make_plan(problem_, kernel::attention_tile(problem_), kSplitPolicy);
    const int64_t tasks = int64_t{problem_.batch} * problem_.num_heads_kv * plan_.row_tiles * plan_.num_splits;
    blocks_ = static_cast<uint32_t>(std::clamp<int64_t>(tasks, 1, cores));

    prepared_q_ = take(kernel::prepared_q_bytes(problem_));
    if (plan_.num_splits > 1 && problem_.out_accum == nullptr) {
        const uint64_t rows = plan_.accum_rows(problem_);
        out_accum_ = take(rows * problem_.head_dim_v * sizeof(float));
        lse_accum_ = take(rows * sizeof(float));
    }
    core_workspace_bytes_ = round_up<uint64_t>(kernel::attention_core_workspace_bytes(problem_, plan_), kAlignment);
    core_workspace_ = take(core_workspace_bytes_ * blocks_);
}

Region Call::take(uint64_t bytes) {
    const Region region{workspace_bytes_, bytes};
    workspace_bytes_ = round_up(workspace_bytes_ + bytes, kAlignment);
    return region;
}

void Call::launch(void* workspace, void* stream, uint64_t ffts) const {
    uint8_t* const prepared_q = prepared_q_.bytes > 0 ? at<uint8_t>(workspace, prepared_q_) : nullptr;
    if (kernel::needs_prepare(problem_)) {
        START(flash_attn_prepare, 2 * cores_, (kernel::PrepareArguments{problem_, prepared_q}));
    }

    kernel::AttentionArguments a;
    a.problem = kernel::after_prepare(problem_, prepared_q);
    a.plan = plan_;
    a.ffts = ffts;
    a.core_workspace = at<uint8_t>(workspace, core_workspace_);
    a.core_workspace_bytes = core_workspace_bytes_;
    if (out_accum_.bytes > 0) {
        a.problem.out_accum = at<float>(workspace, out_accum_);
        a.problem.lse_accum = at<float>(workspace, lse_accum_);
    }
    switch (problem_.dtype) {
        case DType::kFloat16: START(flash_attn_attention_f16, blocks_, a); break;
        case DType::kBFloat16: START(flash_attn_attention_bf16, blocks_, a); break;
        default: START(flash_attn_attention_fp8, blocks_, a); break;
    }
    if (plan_.num_splits > 1) START(flash_attn_combine, 2 * cores_, a);
}

}  // namespace flash_attn_npu::ascend::host
