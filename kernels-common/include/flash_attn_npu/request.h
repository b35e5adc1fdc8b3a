// SPDX-License-Identifier: BSD-3-Clause
// One call of any API, normalised: what the backends work from. Plain data, the same on host and device.
// fields.h lists the tensors of each request.
#pragma once

#include "flash_attn_npu/append.h"
#include "flash_attn_npu/attention.h"

namespace flash_attn_npu {

// What forward writes and backward reads.
struct Result {
    RowTensor out;
    // softmax_lse[n, head, i] = lse[n * lse_stride_batch + head * lse_stride_head + q_row + i]
    FA_GM float* lse = nullptr;
    int64_t lse_stride_batch = 0;
    int64_t lse_stride_head = 0;
};

struct Forward : Attention, Append, Result {
    float lse_of_masked_row = 0.0f;  // +inf in v2, -inf in v3
    int32_t num_splits = 0;          // 0: the backend decides
    // Partial results when the caller asked for num_splits > 1, else null and the backend uses its own memory:
    // out_accum (num_splits, batch, heads, max_seqlen_q, dv) or (num_splits, heads, total_q, dv) when q is packed.
    FA_GM float* out_accum = nullptr;
    FA_GM float* lse_accum = nullptr;

    FA_HOST_DEVICE Sequence sequence(int32_t n) const {
        Sequence s = cached_sequence(n);
        s.new_row = new_row(n);
        s.seqlen_new = new_keys(n);
        s.seqlen_k = s.seqlen_old + s.seqlen_new;
        s.rotary_start = rotary_start(n, filled(n));
        return s;
    }

    // The same, with every value that comes from memory held inside the tensors: for devices, whose memory the host
    // does not read before a launch. Equal to sequence(n) whenever the arguments are right.
    FA_HOST_DEVICE Sequence bounded_sequence(int32_t n) const {
        Sequence s = sequence(n);
        s.q_row = clamp<int64_t>(s.q_row, 0, cu_seqlens_q ? total_q : 0);
        const int64_t rows_left = cu_seqlens_q ? total_q - s.q_row : max_seqlen_q;
        s.seqlen_q = static_cast<int32_t>(clamp<int64_t>(s.seqlen_q, 0, min_of<int64_t>(rows_left, max_seqlen_q)));
        const int32_t room = kv_index.num_blocks > 0 ? max_of(0, kv_index.capacity - kv_view(n).leftpad()) : 0;
        s.seqlen_old = clamp(s.seqlen_old, 0, room);
        s.new_row = clamp<int64_t>(s.new_row, 0, total_new);
        const int64_t new_left = cu_seqlens_k_new ? total_new - s.new_row : seqlen_new;
        const int64_t most_new = min_of<int64_t>(new_left, room - s.seqlen_old);
        s.seqlen_new = static_cast<int32_t>(clamp<int64_t>(s.seqlen_new, 0, most_new));
        s.seqlen_k = s.seqlen_old + s.seqlen_new;
        s.rotary_start = clamp(s.rotary_start, 0, max_of(0, rotary.seqlen - 1));
        return s;
    }
};

// The gradients of one call. Keys and values are those that forward attended to; nothing is appended or rotated.
struct Backward : Attention, Result {
    RowTensor dout;  // as out
    RowTensor dq;    // as q
    KvTensor dk;     // as k_cache
    KvTensor dv;     // as v_cache
    // delta[n, head, i] = sum over features of dout * out, laid out like lse; written first and read by every product.
    FA_GM float* delta = nullptr;

    FA_HOST_DEVICE Sequence sequence(int32_t n) const { return cached_sequence(n); }
};

}  // namespace flash_attn_npu
