// SPDX-License-Identifier: BSD-3-Clause
// Where the two APIs differ in what the same arguments mean: one table each.
#pragma once

#include <limits>

#include "api/arguments.h"

namespace flash_attn_npu::api {

struct Rules {
    bool float8;                  // q may be float8_e4m3fn
    bool empty_batch;             // a batch of 0 sequences is a call
    bool own_head_dim_v;          // v_cache may have another head_dim than k_cache
    bool spare_sequences;         // k_cache may hold more sequences than the batch
    bool indexed_pages;           // cache_batch_idx and cache_leftpad may come with a page table
    int64_t page_multiple;        // what page sizes divide by
    bool rotary_covers_capacity;  // rotary_cos has a row for the whole cache also when it is not paged
    int64_t max_splits;
    // A left window is unlimited from the cache's capacity less this on.
    int64_t left_window_margin;
    // A right window is unlimited from max_seqlen_q - 1 on; else from the cache's capacity on.
    bool right_window_of_queries;
    // A single row of q sees all keys under `causal`, unless ALiBi needs positions.
    bool single_row_sees_all;
    // The unlimited right side of a one-sided window ends at the capacity: not the same when seqlen_q > seqlen_k.
    bool one_sided_window_ends_at_capacity;
    bool alibi_lse_offset;  // see ScoreOptions
    float lse_of_masked_row;
};

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// FlashAttention-2
constexpr Rules kV2{
    /*float8=*/false,
    /*empty_batch=*/false,
    /*own_head_dim_v=*/false,
    /*spare_sequences=*/true,
    /*indexed_pages=*/false,
    /*page_multiple=*/256,
    /*rotary_covers_capacity=*/true,
    /*max_splits=*/128,
    /*left_window_margin=*/0,
    /*right_window_of_queries=*/false,
    /*single_row_sees_all=*/true,
    /*one_sided_window_ends_at_capacity=*/true,
    /*alibi_lse_offset=*/true,
    /*lse_of_masked_row=*/kInfinity,
};

// FlashAttention-3
constexpr Rules kV3{
    /*float8=*/true,
    /*empty_batch=*/true,
    /*own_head_dim_v=*/true,
    /*spare_sequences=*/false,
    /*indexed_pages=*/true,
    /*page_multiple=*/1,
    /*rotary_covers_capacity=*/false,
    /*max_splits=*/256,
    /*left_window_margin=*/1,
    /*right_window_of_queries=*/true,
    /*single_row_sees_all=*/false,
    /*one_sided_window_ends_at_capacity=*/false,
    /*alibi_lse_offset=*/false,
    /*lse_of_masked_row=*/-kInfinity,
};

constexpr const Rules& rules_of(Version version) { return version == Version::kV2 ? kV2 : kV3; }

}  // namespace flash_attn_npu::api
