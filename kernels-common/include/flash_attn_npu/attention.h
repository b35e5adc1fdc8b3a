// SPDX-License-Identifier: BSD-3-Clause
// What the forward and the backward pass of one attention call share: sizes, queries, keys and values, lengths, mask
// and score. Plain data, the same on host and device.
#pragma once

#include "flash_attn_npu/dtype.h"
#include "flash_attn_npu/kv_view.h"
#include "flash_attn_npu/mask.h"
#include "flash_attn_npu/score.h"
#include "flash_attn_npu/tensors.h"

namespace flash_attn_npu {

// The most features that a row of q and k, and a row of v, may have.
constexpr int32_t kMaxHeadDim = 256;
constexpr int32_t kMaxHeadDimV = 512;

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

// Parts of a request are base classes. Each ends with a member of 8 bytes: what lies in the tail padding of a base
// class is for the compiler to choose, and host and device are compiled by two compilers.
struct Attention {
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

    RowTensor q;
    RowTensor qv;  // data == nullptr: not used
    // Where keys and values lie: a cache, or the tensors k and v of a call without one.
    KvTensor k_cache;
    KvTensor v_cache;
    KvIndex kv_index;

    MaskOptions mask;
    ScoreOptions score;

    int32_t cache_seqlen = 0;                      // used when cache_seqlens is null
    FA_GM const int32_t* cache_seqlens = nullptr;  // (batch,), left padding counted
    FA_GM const int32_t* cu_seqlens_q = nullptr;   // (batch + 1,): q is packed
    FA_GM const int32_t* seqused_q = nullptr;      // (batch,)

    FA_HOST_DEVICE bool is_fp8() const { return dtype == DType::kFloat8E4M3; }
    FA_HOST_DEVICE int32_t heads_per_kv_head() const { return num_heads_q / num_heads_kv; }

    // cu_seqlens_q counts rows of q. Some callers slice both q and cu_seqlens_q and leave the offsets as they were:
    // when the last offset lies beyond q, offsets count from the first one.
    FA_HOST_DEVICE int32_t q_row_base() const {
        return cu_seqlens_q && cu_seqlens_q[batch] > total_q ? cu_seqlens_q[0] : 0;
    }

    // Filled rows of the cache, left padding counted.
    FA_HOST_DEVICE int32_t filled(int32_t n) const { return cache_seqlens ? cache_seqlens[n] : cache_seqlen; }

    // Sequence n without the keys that the call appends.
    FA_HOST_DEVICE Sequence cached_sequence(int32_t n) const {
        Sequence s;
        s.n = n;
        s.q_row = cu_seqlens_q ? cu_seqlens_q[n] - q_row_base() : 0;
        s.seqlen_q = cu_seqlens_q ? cu_seqlens_q[n + 1] - cu_seqlens_q[n] : max_seqlen_q;
        if (seqused_q) s.seqlen_q = min_of(s.seqlen_q, seqused_q[n]);
        s.new_row = 0;
        s.seqlen_new = 0;
        s.seqlen_old = max_of(0, filled(n) - kv_view(n).leftpad());
        s.seqlen_k = s.seqlen_old;
        s.rotary_start = 0;
        return s;
    }

    FA_HOST_DEVICE KvView kv_view(int32_t n) const { return KvView{kv_index, n}; }
    FA_HOST_DEVICE Mask mask_of(const Sequence& s) const { return Mask{mask, s.seqlen_q, s.seqlen_k}; }
};

}  // namespace flash_attn_npu
