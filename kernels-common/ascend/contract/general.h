// SPDX-License-Identifier: BSD-3-Clause
// What the general attention kernel asks of the host: tile shape, workspace, and which calls it serves. Plain C++, so
// that the host, which has no Ascend C, includes it too.
#pragma once

#include "contract/arguments.h"

namespace flash_attn_npu::ascend {

// O of a row tile stays in the vector cores' memory: up to 128 rows of 256 features, or 64 of 512.
FA_HOST_DEVICE TileShape attention_tile(const Forward& p) {
    constexpr int32_t kStepKeys = 512;
    constexpr int32_t kWideRows = 64;
    const int32_t group = p.heads_per_kv_head();
    if (p.head_dim_v <= 256) return TileShape{row_tile_rows(group), kStepKeys};
    return TileShape{group > kWideRows ? kWideRows : kWideRows / group * group, kStepKeys};
}

// The memory through which the cube core and the vector cores of one AI core pass S, P and O: `kSlots` steps are under
// way at a time. fp8 caches: also K and V as half, one slot more, because they are converted ahead of the cube.
struct AttentionWorkspace {
    static constexpr int32_t kSlots = 3;
    static constexpr int32_t kStagedSlots = 4;

    int64_t s_bytes, p_bytes, o_bytes;  // of a slot
    int64_t k_bytes, v_bytes;           // of a staged slot
    int32_t keys;                       // elements from row to row of S and of P
    int32_t o_stride, k_stride, v_stride;

    FA_HOST_DEVICE AttentionWorkspace(const Forward& p, const Plan& plan) {
        const int64_t rows =
            round_up(min_of<int64_t>(plan.tile.rows, int64_t{p.max_seqlen_q} * plan.group), int64_t{16});
        const bool staged = p.is_fp8();
        keys = plan.tile.keys;
        o_stride = v_stride = round_up(p.head_dim_v, 16);
        k_stride = round_up(p.head_dim, 16);
        s_bytes = rows * keys * 4;
        p_bytes = rows * keys * 2;
        o_bytes = rows * o_stride * 4;
        k_bytes = staged ? int64_t{keys} * k_stride * 2 : 0;
        v_bytes = staged ? int64_t{keys} * v_stride * 2 : 0;
    }

    FA_HOST_DEVICE int64_t s(int32_t slot) const { return slot * s_bytes; }
    FA_HOST_DEVICE int64_t p(int32_t slot) const { return s(kSlots) + slot * p_bytes; }
    FA_HOST_DEVICE int64_t o(int32_t slot) const { return p(kSlots) + slot * o_bytes; }
    FA_HOST_DEVICE int64_t k(int32_t slot) const { return o(kSlots) + slot * k_bytes; }
    FA_HOST_DEVICE int64_t v(int32_t slot) const { return k(kStagedSlots) + slot * v_bytes; }
    FA_HOST_DEVICE int64_t bytes() const { return round_up(v(kStagedSlots), int64_t{512}); }
};

// Bytes of core_workspace for one AI core.
FA_HOST_DEVICE int64_t attention_core_workspace_bytes(const Forward& p, const Plan& plan) {
    return AttentionWorkspace(p, plan).bytes();
}

}  // namespace flash_attn_npu::ascend
