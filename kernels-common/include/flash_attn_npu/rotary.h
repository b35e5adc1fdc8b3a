// SPDX-License-Identifier: BSD-3-Clause
// Rotary embedding: which features pair up and at which position a row stands. (x1, x2) at position p becomes
// (x1 cos[p] - x2 sin[p], x1 sin[p] + x2 cos[p]), computed in float32 and rounded once.
#pragma once

#include "flash_attn_npu/platform.h"

namespace flash_attn_npu {

struct Rotary {
    FA_GM const void* cos = nullptr;  // (seqlen_ro, dim / 2), dtype of q; null: no rotation
    FA_GM const void* sin = nullptr;
    int64_t stride_cos = 0;
    int64_t stride_sin = 0;
    int32_t seqlen = 0;                             // rows of the tables
    int32_t dim = 0;                                // features [0, dim) rotate, the rest stay
    bool interleaved = false;                       // pairs (0,1),(2,3),... else (m, m + dim / 2)
    bool q_per_row = false;                         // query row i stands at start + i; else every row at start
    FA_GM const int32_t* rotary_seqlens = nullptr;  // (batch,): start position; null: the old cache length

    FA_HOST_DEVICE bool enabled() const { return cos != nullptr; }
    FA_HOST_DEVICE int32_t first_of_pair(int32_t m) const { return interleaved ? 2 * m : m; }
    FA_HOST_DEVICE int32_t second_of_pair(int32_t m) const { return interleaved ? 2 * m + 1 : m + dim / 2; }
    // Held inside the tables: see KvView.
    FA_HOST_DEVICE int32_t q_position(int32_t start, int32_t i) const { return row(q_per_row ? start + i : start); }
    FA_HOST_DEVICE int32_t k_position(int32_t start, int32_t t) const { return row(start + t); }
    FA_HOST_DEVICE int32_t row(int32_t position) const { return clamp(position, 0, seqlen - 1); }
};

}  // namespace flash_attn_npu
