// SPDX-License-Identifier: BSD-3-Clause
// Merges the partial results of KV splits: lse = logsumexp_s(lse_s), out = sum_s exp(lse_s - lse) * out_s.
#pragma once

#include "cpu/kernel/output.h"

namespace flash_attn_npu::cpu {
namespace {

template <class S>
void combine(const Forward& p, const Plan& plan, const Partials& partials, int32_t n, int32_t kv_head,
             int32_t row_begin, int32_t row_end) {
    alignas(64) float o[kMaxHeadDimV];
    const Sequence s = p.sequence(n);
    for (int32_t r = row_begin; r < row_end; ++r) {
        const PackedRow row = plan.packed_row(kv_head, r);
        float max = -INFINITY;
        for (int32_t split = 0; split < plan.num_splits; ++split) {
            max = max_of(max, partials.lse[plan.accum_row(p, s, split, row)]);
        }
        for (int32_t i = 0; i < p.head_dim_v; ++i) o[i] = 0.0f;
        float sum = 0.0f;
        // In the order of the splits, whatever thread computed them: the sum's rounding is part of the result.
        for (int32_t split = 0; split < plan.num_splits; ++split) {
            const int64_t index = plan.accum_row(p, s, split, row);
            if (partials.lse[index] == -INFINITY) continue;  // nothing there
            const float weight = ::expf(partials.lse[index] - max);
            sum += weight;
            const float* part = partials.out + index * p.head_dim_v;
            const typename S::F w = S::set1(weight);
            int32_t i = 0;
            for (; i + S::kWidth <= p.head_dim_v; i += S::kWidth) {
                S::store(o + i, S::fma(w, S::load(part + i), S::load(o + i)));
            }
            for (; i < p.head_dim_v; ++i) o[i] += weight * part[i];
        }
        const bool empty = max == -INFINITY;
        write_final_row<S>(p, s, row, o, empty ? 0.0f : 1.0f / sum, empty ? -INFINITY : max + ::logf(sum));
    }
}

}  // namespace
}  // namespace flash_attn_npu::cpu
