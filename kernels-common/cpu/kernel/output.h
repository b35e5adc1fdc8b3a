// SPDX-License-Identifier: BSD-3-Clause
// The end of a row: normalise, round, store; as a partial result when the keys are split.
#pragma once

#include <cmath>

#include "cpu/isa.h"
#include "cpu/kernel/query.h"

namespace flash_attn_npu::cpu {
namespace {

template <class S, DType kType>
FA_HOST_DEVICE void store_row(Storage<kType>* dst, const float* src, int32_t n, float factor) {
    const typename S::F f = S::set1(factor);
    int32_t i = 0;
    for (; i + S::kWidth <= n; i += S::kWidth) S::template store_as<kType>(dst + i, S::mul(S::load(src + i), f));
    if (i < n) S::template store_as_n<kType>(dst + i, S::mul(S::load_n(src + i, n - i), f), n - i);
}

// out = o * factor, and the row's LSE (natural log; -inf: the row saw no key).
template <class S>
FA_HOST_DEVICE void write_final_row(const Forward& p, const Sequence& s, PackedRow row, const float* o, float factor,
                                    float lse) {
    const int64_t offset = p.out.offset(s.n, s.q_row + row.i, row.head_q);
    switch (p.out_dtype) {
        case DType::kFloat16:
            store_row<S, DType::kFloat16>(static_cast<uint16_t*>(p.out.data) + offset, o, p.head_dim_v, factor);
            break;
        case DType::kBFloat16:
            store_row<S, DType::kBFloat16>(static_cast<uint16_t*>(p.out.data) + offset, o, p.head_dim_v, factor);
            break;
        default: store_row<S, DType::kFloat32>(static_cast<float*>(p.out.data) + offset, o, p.head_dim_v, factor);
    }
    if (p.lse == nullptr) return;
    if (lse == -INFINITY) {
        lse = p.lse_of_masked_row;
    } else {
        const float slope = p.score.alibi_slopes.at(s.n, row.head_q, 0.0f);
        lse += p.score.lse_offset(slope, p.mask_of(s).position(row.i));
    }
    p.lse[s.n * p.lse_stride_batch + row.head_q * p.lse_stride_head + s.q_row + row.i] = lse;
}

// `o`: head_dim_v unnormalised sums of p * v; `m`: the reference maximum in log2 units; `l`: the sum of p.
template <class S>
FA_HOST_DEVICE void write_row(const Forward& p, const Plan& plan, const Partials& partials, const Sequence& s,
                              int32_t kv_head, int32_t split, int32_t r, float* o, float m, float l) {
    const PackedRow row = plan.packed_row(kv_head, r);
    const bool empty = l == 0.0f;
    // A row without keys may have accumulated nothing meaningful.
    if (empty) {
        for (int32_t i = 0; i < p.head_dim_v; ++i) o[i] = 0.0f;
    }
    const float factor = empty ? 0.0f : p.score.v_scale_of(s.n, kv_head) / l;
    const float lse = empty ? -INFINITY : m * kLn2 + ::logf(l);
    if (plan.num_splits == 1) return write_final_row<S>(p, s, row, o, factor, lse);
    const int64_t index = plan.accum_row(p, s, split, row);
    store_row<S, DType::kFloat32>(partials.out + index * p.head_dim_v, o, p.head_dim_v, factor);
    partials.lse[index] = lse;
}

}  // namespace
}  // namespace flash_attn_npu::cpu
