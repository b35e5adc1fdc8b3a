// SPDX-License-Identifier: BSD-3-Clause
// What the prepare kernel is told, and what the host must know about it. Plain C++, so that the host includes it too.
#pragma once

#include "contract/arguments.h"

namespace flash_attn_npu::ascend {

struct PrepareArguments {
    Forward request;
    // Where the queries go that attention reads instead of request.q: prepared_q_bytes of memory, 32-byte aligned, laid
    // out as prepared_q says. Null when prepares_q is false.
    FA_GM uint8_t* prepared_q = nullptr;
    bool folded_scale = false;  // AttentionArguments::folded_scale
};

// fp8 queries are converted to half (exactly), since the cube has no fp8; rotated ones are rotated.
FA_HOST_DEVICE bool prepares_q(const Forward& p) { return p.rotary.enabled() || p.is_fp8(); }

// Whether a call launches `prepare` before attention.
FA_HOST_DEVICE bool needs_prepare(const Forward& p) { return p.k_new.data != nullptr || prepares_q(p); }

// The prepared queries: rows of all sequences one after the other, 16-bit elements (half for fp8), every row of a head
// padded to whole 32-byte blocks.
FA_HOST_DEVICE RowTensor prepared_q(const Forward& p, FA_GM void* memory) {
    const int64_t head = round_up(p.head_dim, 16);
    const int64_t row = head * p.num_heads_q;
    return RowTensor{memory, p.cu_seqlens_q ? 0 : row * p.max_seqlen_q, row, head};
}

FA_HOST_DEVICE int64_t prepared_q_bytes(const Forward& p) {
    return prepares_q(p) ? p.total_q * p.num_heads_q * round_up(p.head_dim, 16) * 2 : 0;
}

// What the attention kernels are told once `prepare` has run: its queries, and nothing left to append or to rotate. The
// lengths still count the appended keys.
FA_HOST_DEVICE Forward after_prepare(Forward p, FA_GM void* memory) {
    if (prepares_q(p)) p.q = prepared_q(p, memory);
    p.rotary.cos = nullptr;
    p.rotary.sin = nullptr;
    return p;
}

}  // namespace flash_attn_npu::ascend
