// SPDX-License-Identifier: BSD-3-Clause
#include "host/launch_plan.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>

#include "contract/decode.h"
#include "contract/general.h"
#include "contract/prefill.h"
#include "host/device.h"

namespace flash_attn_npu::ascend::host {

namespace {

// Two waves of tasks; a split has to be worth its partial result.
constexpr SplitPolicy kSplitPolicy{/*wanted_tiles=*/2 * arch::Chip::kCores, /*min_keys=*/512, /*max_splits=*/128};
// Only the splits the caller asked for.
constexpr SplitPolicy kNeverSplit{/*wanted_tiles=*/1, /*min_keys=*/1, /*max_splits=*/1};

// The kernel of `room` that serves the request's dtype and head dims, or null.
AttentionLauncher find_kernel(Room room, const Forward& request) {
#define KERNEL(ROOM, SYMBOL, DTYPE, HEAD_DIM, HEAD_DIM_V)                                                     \
    if (room == Room::ROOM && request.dtype == DType::DTYPE && serves_head_dim(HEAD_DIM, request.head_dim) && \
        serves_head_dim(HEAD_DIM_V, request.head_dim_v))                                                      \
        return launch_##SYMBOL;
#include "contract/instances.def"
#undef KERNEL
    return nullptr;
}

// Fast paths are taken where they pay, unless FLASH_ATTN_NPU_DEVICE_KERNELS says otherwise: "general" for nowhere, to
// compare or to rule them out, "fast" for wherever they can serve, to test them.
enum class FastPaths { kNone, kWhereTheyPay, kAll };
FastPaths fast_paths() {
    const char* kernels = std::getenv("FLASH_ATTN_NPU_DEVICE_KERNELS");
    if (kernels == nullptr || *kernels == '\0') return FastPaths::kWhereTheyPay;
    if (std::strcmp(kernels, "general") == 0) return FastPaths::kNone;
    if (std::strcmp(kernels, "fast") == 0) return FastPaths::kAll;
    throw std::runtime_error(std::string("FLASH_ATTN_NPU_DEVICE_KERNELS: got ") + kernels +
                             ", expected general or fast");
}

template <class T>
T* at(void* workspace, Region region) {
    return region.bytes > 0 ? reinterpret_cast<T*>(static_cast<uint8_t*>(workspace) + region.offset) : nullptr;
}

}  // namespace

LaunchPlan::LaunchPlan(const Forward& request, uint32_t cores) : request_(request), cores_(cores) {
    if (!choose_fast_path()) {
        plan_ = make_plan(request_, attention_tile(request_), kSplitPolicy);
        choose_general();
    }
    prepared_q_ = take(prepared_q_bytes(request_));
    if (plan_.num_splits > 1 && request_.out_accum == nullptr) {
        const uint64_t rows = plan_.accum_rows(request_);
        out_accum_ = take(rows * request_.head_dim_v * sizeof(float));
        lse_accum_ = take(rows * sizeof(float));
    }
    core_workspace_bytes_ = round_up(core_workspace_bytes_, kAlignment);
    core_workspace_ = take(core_workspace_bytes_ * blocks_);
}

bool LaunchPlan::choose_fast_path() {
    const FastPaths allowed = fast_paths();
    if (allowed == FastPaths::kNone) return false;
    plan_ = make_plan(request_, attention_tile(request_), kNeverSplit);
    return choose_decode() || choose_prefill(allowed == FastPaths::kAll);
}

bool LaunchPlan::choose_decode() {
    fast_ = decode_can_implement(request_, plan_) ? find_kernel(Room::decode, request_) : nullptr;
    if (fast_ == nullptr) return false;
    blocks_ = cores_;
    core_workspace_bytes_ = decode_core_workspace_bytes(request_, plan_);
    return true;
}

bool LaunchPlan::choose_prefill(bool even_if_slower) {
    const bool serves = prefill_can_implement(request_, plan_) && (even_if_slower || prefill_pays(request_, plan_));
    fast_ = serves ? find_kernel(Room::prefill, request_) : nullptr;
    if (fast_ == nullptr) return false;
    const uint64_t tasks = choose_general();
    redo_ = take(tasks * sizeof(int32_t));
    if (request_.is_fp8()) converted_kv_ = take(converted_kv_bytes(request_));
    core_workspace_bytes_ = std::max<uint64_t>(core_workspace_bytes_, prefill_core_workspace_bytes(request_, plan_));
    return true;
}

// By plan_; returns the upper bound of tasks.
uint64_t LaunchPlan::choose_general() {
    general_ = find_kernel(Room::general, request_);
    const int64_t tasks = int64_t{request_.batch} * request_.num_heads_kv * plan_.row_tiles * plan_.num_splits;
    blocks_ = static_cast<uint32_t>(std::clamp<int64_t>(tasks, 1, cores_));
    core_workspace_bytes_ = attention_core_workspace_bytes(request_, plan_);
    return static_cast<uint64_t>(tasks);
}

Region LaunchPlan::take(uint64_t bytes) {
    const Region region{workspace_bytes_, bytes};
    workspace_bytes_ = round_up(workspace_bytes_ + bytes, kAlignment);
    return region;
}

void LaunchPlan::launch(void* workspace, void* stream, uint64_t ffts) const {
    workspace = reinterpret_cast<void*>(round_up<uint64_t>(reinterpret_cast<uint64_t>(workspace), kAlignment));
    auto* const prepared_q = at<uint8_t>(workspace, prepared_q_);
    const bool convert_kv = converted_kv_.bytes > 0;
    if (needs_prepare(request_)) {
        launch_flash_attn_prepare(2 * cores_, stream, {request_, prepared_q, /*folded_scale=*/convert_kv});
    }

    AttentionArguments a;
    a.request = after_prepare(request_, prepared_q);
    a.plan = plan_;
    a.folded_scale = convert_kv;
    a.ffts = ffts;
    a.core_workspace = at<uint8_t>(workspace, core_workspace_);
    a.core_workspace_bytes = core_workspace_bytes_;
    a.redo = at<int32_t>(workspace, redo_);
    if (out_accum_.bytes > 0) {
        a.request.out_accum = at<float>(workspace, out_accum_);
        a.request.lse_accum = at<float>(workspace, lse_accum_);
    }
    if (a.redo != nullptr) set_zero(a.redo, redo_.bytes, stream);
    if (convert_kv) {
        auto* const memory = at<uint8_t>(workspace, converted_kv_);
        launch_flash_attn_convert_kv(2 * cores_, stream, {a.request, memory});
        AttentionArguments converted = a;
        converted.request = with_converted_kv(a.request, memory);
        fast_(blocks_, stream, converted);
    } else if (fast_ != nullptr) {
        fast_(blocks_, stream, a);
    }
    if (general_ != nullptr) general_(blocks_, stream, a);
    if (plan_.num_splits > 1) launch_flash_attn_combine(2 * cores_, stream, a);
}

}  // namespace flash_attn_npu::ascend::host
