// SPDX-License-Identifier: BSD-3-Clause
// What the prefill kernel asks of the host: which calls it serves and its workspace. Plain C++, so that the host, which
// has no Ascend C, includes it too.
#pragma once

#include "contract/convert_kv.h"
#include "contract/fast_path.h"
#include "contract/instances.h"

namespace flash_attn_npu::ascend {

// Two row tiles share every key and value tile (K and V would otherwise be the largest stream after S and P), and steps
// are long because O leaves the cube core once per step.
constexpr int32_t kPrefillSubBlocks = 2;
constexpr int32_t kPrefillSlots = 3;  // steps under way: scores, softmax, output

// Keys of a step: as many as fit the vector cores' memory beside O.
FA_HOST_DEVICE constexpr int32_t prefill_step_keys(int32_t head_dim_v) { return head_dim_v > 128 ? 512 : 1024; }

// The memory through which the cube core and the vector cores of one AI core pass scores S (half), probabilities P and
// increments of the output O (float). A slot holds one step: both sub-blocks of 128 rows.
struct PrefillWorkspace {
    static constexpr int64_t kRows = 128;
    int64_t s_bytes, p_bytes, o_bytes;  // of a sub-block of a slot

    FA_HOST_DEVICE explicit constexpr PrefillWorkspace(int32_t head_dim_v)
        : s_bytes(kRows * prefill_step_keys(head_dim_v) * 2), p_bytes(s_bytes), o_bytes(kRows * head_dim_v * 4) {}

    FA_HOST_DEVICE constexpr int64_t s(int32_t slot, int32_t sub) const { return place(slot, sub) * s_bytes; }
    FA_HOST_DEVICE constexpr int64_t p(int32_t slot, int32_t sub) const {
        return s(kPrefillSlots, 0) + place(slot, sub) * p_bytes;
    }
    FA_HOST_DEVICE constexpr int64_t o(int32_t slot, int32_t sub) const {
        return p(kPrefillSlots, 0) + place(slot, sub) * o_bytes;
    }
    FA_HOST_DEVICE constexpr int64_t bytes() const { return o(kPrefillSlots, 0); }

private:
    FA_HOST_DEVICE static constexpr int64_t place(int32_t slot, int32_t sub) {
        return int64_t{slot} * kPrefillSubBlocks + sub;
    }
};

// Bytes of core_workspace for one AI core.
FA_HOST_DEVICE int64_t prefill_core_workspace_bytes(const Forward& p, const Plan&) {
    return PrefillWorkspace(p.head_dim_v).bytes();
}

// Whether flash_attn_prefill_* can serve the call. `plan` was made with attention_tile.
FA_HOST_DEVICE bool prefill_can_implement(const Forward& p, const Plan& plan) {
    // Masked scores of -65504 must vanish beside the smallest maximum that is not marked, -32752; and scale is a half.
    constexpr float kSmallestScale = 1.0f / 1024, kLargestScale = 1024.0f;
    // Strides of instructions' 16-bit fields.
    constexpr int64_t kStrideLimit = 65536;

    const bool fp8 = p.is_fp8();
    // With fp8, every core checks the scale of each head: FoldedScale.
    const bool scale = fp8 || (p.score.scale >= kSmallestScale && p.score.scale <= kLargestScale && !has_descale(p));
    const int64_t k_row = fp8 ? int64_t{p.num_heads_kv} * p.head_dim : p.k_cache.stride_row;
    const int64_t v_row = fp8 ? int64_t{p.num_heads_kv} * p.head_dim_v : p.v_cache.stride_row;
    const bool strides = k_row >= p.head_dim && k_row < kStrideLimit && v_row >= p.head_dim_v && v_row < kStrideLimit;
    const bool memory = !fp8 || converted_kv_bytes(p) <= kMostConvertedBytes;
    return fast_path_can_implement(p) && scale && strides && memory &&
           has_instance(Room::prefill, p.head_dim, p.head_dim_v) && plan.num_splits == 1 && p.mask.attention_chunk == 0;
}

// Whether it takes less time than the general kernel, which needs one launch less and may split keys. By upper bounds:
// the host does not know how long the sequences are.
FA_HOST_DEVICE bool prefill_pays(const Forward& p, const Plan& plan) {
    constexpr int64_t kRows = 128;             // of a kv head: few rows are bound by reading K and V either way
    constexpr int64_t kTiles = 16;             // of all sequences; fewer leave too many AI cores idle
    constexpr int64_t kScores = 8 << 20;       // make up for the second launch
    constexpr int64_t kWideScores = 16 << 20;  // with head dims at which the general kernel is less far behind
    const int64_t tiles = int64_t{p.batch} * p.num_heads_kv * plan.row_tiles;
    const int64_t scores = int64_t{p.batch} * p.num_heads_q * p.max_seqlen_q * p.max_seqlen_k;
    return int64_t{p.max_seqlen_q} * plan.group >= kRows && tiles >= kTiles &&
           scores >= (p.head_dim > 128 ? kWideScores : kScores);
}

}  // namespace flash_attn_npu::ascend
