// SPDX-License-Identifier: BSD-3-Clause
// One call of flash_attn_with_kvcache as the device sees it: which kernels run, with which plan, and where the
// workspace of each lies. Plain data once made, so that a stream can keep it until its turn comes.
#pragma once

#include "host/kernels.h"

namespace flash_attn_npu::ascend::host {

// A part of the workspace.
struct Region {
    uint64_t offset = 0;
    uint64_t bytes = 0;
};

class LaunchPlan {
public:
    // `cores`: AI cores of the device.
    LaunchPlan(const Forward& request, uint32_t cores);

    const Forward& request() const { return request_; }
    const Plan& plan() const { return plan_; }
    // With room to start at an aligned address, wherever the caller's memory begins.
    uint64_t workspace_bytes() const { return workspace_bytes_ > 0 ? workspace_bytes_ + kAlignment : 0; }

    // Launches the kernels in order. `workspace` has workspace_bytes(); `ffts`: base address of the cross-core flags.
    void launch(void* workspace, void* stream, uint64_t ffts) const;

private:
    // Regions start at lines of the L2, which is also more than any instruction's alignment.
    static constexpr uint64_t kAlignment = 512;

    // Both fast paths, by a plan_ without splits of ours, then each by plan_.
    bool choose_fast_path();
    bool choose_decode();
    bool choose_prefill(bool even_if_slower);
    uint64_t choose_general();
    Region take(uint64_t bytes);

    Forward request_;
    Plan plan_;
    uint32_t cores_;
    uint32_t blocks_ = 1;                  // AI cores that can have attention to compute
    AttentionLauncher fast_ = nullptr;     // the fast path, if one serves the call
    AttentionLauncher general_ = nullptr;  // the general kernel; after a fast path, for the row tiles it gave up
    uint64_t core_workspace_bytes_ = 0;    // of one AI core
    Region prepared_q_;
    Region out_accum_;
    Region lse_accum_;
    Region redo_;
    Region converted_kv_;  // fp8 caches as prefill reads them
    Region core_workspace_;
    uint64_t workspace_bytes_ = 0;
};

}  // namespace flash_attn_npu::ascend::host
