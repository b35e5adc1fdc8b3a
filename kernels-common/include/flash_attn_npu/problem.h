// SPDX-License-Identifier: BSD-3-Clause
// One attention call of any API, normalised: what the backends work from. Plain data, the same on host and device.
#pragma once

#include "flash_attn_npu/dtype.h"
#include "flash_attn_npu/kv_view.h"
#include "flash_attn_npu/mask.h"
#include "flash_attn_npu/rotary.h"
#include "flash_attn_npu/score.h"
#include "flash_attn_npu/tensors.h"

namespace flash_attn_npu {

// Everything about one sequence that kernels ask for again and again.
struct Sequence {
    int32_t n;      // index in the batch
    int64_t q_row;  // first row of q, qv, out and softmax_lse (0 unless q is packed)
    int32_t seqlen_q;
    int64_t new_row;       // first row of the new k, v (0 unless they are packed)
    int32_t seqlen_old;    // valid keys in the cache before the call, left padding not counted
    int32_t seqlen_new;    // keys this call appends
    int32_t seqlen_k;      // seqlen_old + seqlen_new
    int32_t rotary_start;  // position of the first new key, left padding counted
};

struct Problem {
    DType dtype = DType::kFloat16;      // of q, k, v, caches, cos, sin
    DType out_dtype = DType::kFloat16;  // bfloat16 for fp8 inputs, else dtype

    int32_t batch = 0;
    int32_t num_heads_q = 0;
    int32_t num_heads_kv = 0;
    int32_t head_dim = 0;    // of q and k
    int32_t head_dim_v = 0;  // of v, qv and out

    // Upper bounds that are known without reading device memory.
    int32_t max_seqlen_q = 0;
    int32_t max_seqlen_k = 0;  // keys of one sequence, new ones included
    int64_t total_q = 0;       // rows of out over all sequences
    int64_t total_new = 0;     // rows of k_new when it is packed

    RowTensor q;
    RowTensor qv;  // data == nullptr: not used
    RowTensor out;
    KvTensor k_cache;
    KvTensor v_cache;
    RowTensor k_new;  // data == nullptr: nothing is appended
    RowTensor v_new;

    // softmax_lse[n, head, i] = lse[n * lse_stride_batch + head * lse_stride_head + q_row + i]
    FA_GM float* lse = nullptr;
    int64_t lse_stride_batch = 0;
    int64_t lse_stride_head = 0;
    float lse_of_masked_row = 0.0f;  // +inf in v2, -inf in v3

    FA_GM const int32_t* cu_seqlens_q = nullptr;      // (batch + 1,): q is packed
    FA_GM const int32_t* seqused_q = nullptr;         // (batch,)
    FA_GM const int32_t* cache_seqlens = nullptr;     // (batch,), left padding counted
    int32_t cache_seqlen = 0;                         // used when cache_seqlens is null
    FA_GM const int32_t* cu_seqlens_k_new = nullptr;  // (batch + 1,): k_new, v_new are packed
    int32_t seqlen_new = 0;                           // used when cu_seqlens_k_new is null

    KvIndex kv_index;
    Rotary rotary;
    MaskOptions mask;
    ScoreOptions score;

    int32_t num_splits = 0;  // 0: the backend decides
    // Partial results when the caller asked for num_splits > 1, else null and the backend uses its own memory:
    // out_accum (num_splits, batch, heads, max_seqlen_q, dv) or (num_splits, heads, total_q, dv) when q is packed.
    FA_GM float* out_accum = nullptr;
    FA_GM float* lse_accum = nullptr;

    FA_HOST_DEVICE int32_t heads_per_kv_head() const { return num_heads_q / num_heads_kv; }

    // cu_seqlens_q counts rows of q. Some callers slice both q and cu_seqlens_q and leave the offsets as they were: when
    // the last offset lies beyond q, offsets count from the first one.
    FA_HOST_DEVICE int32_t q_row_base() const {
        return cu_seqlens_q && cu_seqlens_q[batch] > total_q ? cu_seqlens_q[0] : 0;
    }

    FA_HOST_DEVICE Sequence sequence(int32_t n) const {
        Sequence s;
        s.n = n;
        s.q_row = cu_seqlens_q ? cu_seqlens_q[n] - q_row_base() : 0;
        s.seqlen_q = cu_seqlens_q ? cu_seqlens_q[n + 1] - cu_seqlens_q[n] : max_seqlen_q;
        if (seqused_q) s.seqlen_q = min_of(s.seqlen_q, seqused_q[n]);
        s.new_row = cu_seqlens_k_new ? cu_seqlens_k_new[n] : 0;
        s.seqlen_new = cu_seqlens_k_new ? cu_seqlens_k_new[n + 1] - cu_seqlens_k_new[n] : seqlen_new;
        const int32_t filled = cache_seqlens ? cache_seqlens[n] : cache_seqlen;
        s.seqlen_old = max_of(0, filled - kv_view(n).leftpad());
        s.seqlen_k = s.seqlen_old + s.seqlen_new;
        s.rotary_start = rotary.rotary_seqlens ? rotary.rotary_seqlens[n] : filled;
        return s;
    }

    // The same, with every value that comes from memory held inside the tensors: for devices, whose memory the host does
    // not read before a launch. Equal to sequence(n) whenever the arguments are right.
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

    FA_HOST_DEVICE KvView kv_view(int32_t n) const { return KvView{kv_index, n}; }
    FA_HOST_DEVICE Mask mask_of(const Sequence& s) const { return Mask{mask, s.seqlen_q, s.seqlen_k}; }
};

}  // namespace flash_attn_npu
