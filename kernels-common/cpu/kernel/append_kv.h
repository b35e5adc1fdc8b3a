// SPDX-License-Identifier: BSD-3-Clause
// Writes the call's new keys and values into the cache, keys rotated.
#pragma once

#include <cstring>

#include "cpu/kernel/query.h"

namespace flash_attn_npu::cpu {
namespace {

template <class S, DType kType>
void append_one(const Forward& p, const Sequence& s, int32_t t, int64_t block, int64_t row, int32_t head) {
    const auto* k = element<kType>(p.k_new.data, p.k_new.offset(s.n, s.new_row + t, head));
    const auto* v = element<kType>(p.v_new.data, p.v_new.offset(s.n, s.new_row + t, head));
    auto* k_cache = static_cast<Storage<kType>*>(p.k_cache.data) + p.k_cache.offset(block, row, head);
    auto* v_cache = static_cast<Storage<kType>*>(p.v_cache.data) + p.v_cache.offset(block, row, head);
    memcpy(v_cache, v, p.head_dim_v * sizeof(*v));
    // Features that do not rotate are copied, so that every bit of them survives.
    const int32_t rotated = p.rotary.enabled() ? p.rotary.dim : 0;
    memcpy(k_cache + rotated, k + rotated, (p.head_dim - rotated) * sizeof(*k));
    if (rotated == 0) return;
    float features[kMaxHeadDim];
    load_row<S, kType>(k, rotated, features);
    rotate<kType>(p.rotary, p.rotary.k_position(s.rotary_start, t), features);
    for (int32_t i = 0; i < rotated; ++i) k_cache[i] = from_float<kType>(features[i]);
}

// Sequences one after the other: when two of them share a page or a batch index, the later one wins, every time.
template <class S>
void append_kv(const Forward& p, int32_t kv_head_begin, int32_t kv_head_end) {
    with_dtype(p.dtype, [&](auto tag) {
        for (int32_t n = 0; n < p.batch; ++n) {
            const Sequence s = p.sequence(n);
            const KvView view = p.kv_view(n);
            for (int32_t t = 0; t < s.seqlen_new;) {
                const KvRun run = view.run(s.seqlen_old + t, s.seqlen_k);
                for (int32_t i = 0; i < run.length; ++i, ++t) {
                    for (int32_t head = kv_head_begin; head < kv_head_end; ++head) {
                        append_one<S, decltype(tag)::kDType>(p, s, t, run.block, run.row + i, head);
                    }
                }
            }
        }
    });
}

}  // namespace
}  // namespace flash_attn_npu::cpu
