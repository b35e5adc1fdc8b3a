// SPDX-License-Identifier: BSD-3-Clause
// What the host hands to every attention kernel of one call: passed by value, so that a launch copies nothing and can
// be captured in a graph.
#pragma once

#include "arch/atlas_a2.h"
#include "flash_attn_npu/plan.h"
#include "flash_attn_npu/request.h"

namespace flash_attn_npu::ascend {

struct AttentionArguments {
    // q, rotary: as the attention kernels see them, after `prepare` has rotated and converted the queries.
    // out_accum, lse_accum: where partial results go when plan.num_splits > 1, the caller's or the workspace's.
    Forward request;
    // From upper bounds; the lengths themselves are read on the device. plan.tile.rows is a multiple of plan.group
    // unless the group is larger than a tile.
    Plan plan;
    uint64_t ffts = 0;  // base address of the cross-core flags
    FA_GM uint8_t* core_workspace = nullptr;
    uint64_t core_workspace_bytes = 0;  // of one AI core: core c has [c * bytes, (c + 1) * bytes)
    // fp8: queries were multiplied by FoldedScale::q, for prefill.
    bool folded_scale = false;
    // One word per row tile and kv head: nonzero where a fast path gave up. Null: compute every task.
    FA_GM int32_t* redo = nullptr;
};

// fp8 K and V become halves of `kStagedFactor` times their values, on their way to the cube: see tile/fp8.h.
constexpr float kStagedFactor = 140.0f;
FA_HOST_DEVICE float staged_factor(const Forward& p) { return p.is_fp8() ? kStagedFactor : 1.0f; }

// The scale of fp8 scores, from cube to logit, as fp8 prefill cuts it: its scores travel as half, so that `q`, a power
// of two, goes into the queries and leaves scores near the logits. Above 2^-15 it loses no bit of a code.
struct FoldedScale {
    float q = 1.0f;
    float rest = 1.0f;  // scale / q
    bool ok = false;    // else such a head is not for half scores, and q is 1

    FA_HOST_DEVICE FoldedScale(const Forward& p, int32_t n, int32_t kv_head) {
        constexpr float kSmallest = 1.0f / 17179869184.0f, kLargest = 65536.0f;  // 2^-34
        constexpr float kExact = 1.0f / 32768, kLargestQ = 64.0f, kSmallestRest = 1.0f / 1024;
        rest = p.score.scale_of(n, kv_head) / staged_factor(p);
        ok = rest >= kSmallest && rest <= kLargest;
        if (!ok) return;
        const float scale = rest;
        while (q > scale && q > kExact) q *= 0.5f;
        while (2.0f * q <= scale && q < kLargestQ) q *= 2.0f;
        while (q * kSmallestRest > scale) q *= 0.5f;
        rest = scale / q;
    }
};

// Packed query rows of a row tile: what one pass of the cube covers. Whole positions, so that all heads of a group
// share the tile's causal boundary and queries are loaded with one strided copy.
FA_HOST_DEVICE constexpr int32_t row_tile_rows(int32_t group) {
    constexpr int32_t kCubeRows = arch::Chip::kCubeRows;
    return group > kCubeRows ? kCubeRows : kCubeRows / group * group;
}

}  // namespace flash_attn_npu::ascend
