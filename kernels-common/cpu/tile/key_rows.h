// SPDX-License-Identifier: BSD-3-Clause
// The addresses of a chunk's rows of K and V, whatever the cache's structure; packing works from these.
#pragma once

#include "cpu/isa.h"

namespace flash_attn_npu::cpu {
namespace {

// Null: a key outside the wanted range, to be packed as zeros.
template <int32_t kKeys>
struct KeyRows {
    static constexpr int32_t kPrefetchAhead = 16;
    const void* k[kKeys + kPrefetchAhead];
    const void* v[kKeys + kPrefetchAhead];
};

// Rows of the keys of [chunk, chunk + kKeys) that lie in `keys`.
template <int32_t kKeys>
FA_HOST_DEVICE void collect_key_rows(const Forward& p, const WorkItem& item, int32_t chunk, KeyRange keys,
                                     KeyRows<kKeys>& rows) {
    memset(&rows, 0, sizeof(rows));
    const KvView view = p.kv_view(item.n);
    const int32_t size = size_of(p.dtype);
    for (int32_t j = keys.begin; j < keys.end;) {
        const KvRun run = view.run(j, keys.end);
        const int64_t k = p.k_cache.offset(run.block, run.row, item.kv_head_begin);
        const int64_t v = p.v_cache.offset(run.block, run.row, item.kv_head_begin);
        for (int32_t i = 0; i < run.length; ++i, ++j) {
            rows.k[j - chunk] = static_cast<const char*>(p.k_cache.data) + (k + i * p.k_cache.stride_row) * size;
            rows.v[j - chunk] = static_cast<const char*>(p.v_cache.data) + (v + i * p.v_cache.stride_row) * size;
        }
    }
}

// Rows of one head lie kilobytes apart, where no hardware prefetcher follows: packing asks for them ahead of time.
FA_HOST_DEVICE void prefetch_row(const void* row, int32_t bytes) {
    for (int32_t i = 0; i < bytes; i += 64) __builtin_prefetch(static_cast<const char*>(row) + i);
}

}  // namespace
}  // namespace flash_attn_npu::cpu
