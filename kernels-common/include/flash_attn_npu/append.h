// SPDX-License-Identifier: BSD-3-Clause
// New keys and values that a call writes to the cache before it attends, and the rotary embedding of keys and queries.
#pragma once

#include "flash_attn_npu/rotary.h"
#include "flash_attn_npu/tensors.h"

namespace flash_attn_npu {

struct Append {
    RowTensor k_new;  // data == nullptr: nothing is appended
    RowTensor v_new;
    Rotary rotary;
    int32_t seqlen_new = 0;                           // used when cu_seqlens_k_new is null
    int64_t total_new = 0;                            // rows of k_new when it is packed
    FA_GM const int32_t* cu_seqlens_k_new = nullptr;  // (batch + 1,): k_new, v_new are packed

    FA_HOST_DEVICE int32_t new_row(int32_t n) const { return cu_seqlens_k_new ? cu_seqlens_k_new[n] : 0; }
    FA_HOST_DEVICE int32_t new_keys(int32_t n) const {
        return cu_seqlens_k_new ? cu_seqlens_k_new[n + 1] - cu_seqlens_k_new[n] : seqlen_new;
    }
    // Position of the first new key of sequence n, whose cache holds `filled` rows.
    FA_HOST_DEVICE int32_t rotary_start(int32_t n, int32_t filled) const {
        return rotary.rotary_seqlens ? rotary.rotary_seqlens[n] : filled;
    }
};

}  // namespace flash_attn_npu
