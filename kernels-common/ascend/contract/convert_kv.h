// SPDX-License-Identifier: BSD-3-Clause
// fp8 prefill: K and V of all sequences become half once, in workspace, before attention. Plain C++, so that the host
// includes it too.
#pragma once

#include "contract/arguments.h"

namespace flash_attn_npu::ascend {

struct ConvertKvArguments {
    Forward request;  // after prepare
    FA_GM uint8_t* memory = nullptr;
};

// More is not worth it: attention then converts what a row tile needs, again for each.
constexpr int64_t kMostConvertedBytes = int64_t{1} << 30;

FA_HOST_DEVICE int64_t converted_k_elements(const Forward& p) {
    return int64_t{p.batch} * p.kv_index.capacity * p.num_heads_kv * p.head_dim;
}
// From upper bounds: every sequence has as many rows as it can hold.
FA_HOST_DEVICE int64_t converted_kv_bytes(const Forward& p) {
    return int64_t{p.batch} * p.kv_index.capacity * p.num_heads_kv * (p.head_dim + p.head_dim_v) * 2;
}

// The Forward with the converted caches: dense, sequence n in block n, left padding as it was.
FA_HOST_DEVICE Forward with_converted_kv(Forward p, FA_GM uint8_t* memory) {
    const int64_t k_row = int64_t{p.num_heads_kv} * p.head_dim, v_row = int64_t{p.num_heads_kv} * p.head_dim_v;
    p.k_cache = KvTensor{memory, k_row * p.kv_index.capacity, k_row, p.head_dim};
    p.v_cache = KvTensor{memory + converted_k_elements(p) * 2, v_row * p.kv_index.capacity, v_row, p.head_dim_v};
    p.kv_index.page_table = nullptr;
    p.kv_index.batch_idx = nullptr;
    p.kv_index.cu_seqlens_k = nullptr;
    p.kv_index.num_blocks = p.batch;
    p.kv_index.index_rows = p.batch;
    return p;
}

}  // namespace flash_attn_npu::ascend
