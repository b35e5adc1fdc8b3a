// SPDX-License-Identifier: BSD-3-Clause
// One packed query row as float32: rotated where the call asks for it, followed by its row of qv.
#pragma once

#include "cpu/tile/numeric.h"
#include "flash_attn_npu/plan.h"
#include "flash_attn_npu/request.h"

namespace flash_attn_npu::cpu {
namespace {

template <DType kType>
struct DTypeTag {
    static constexpr DType kDType = kType;
};

// Calls fn(DTypeTag<dtype>) for the storage types that kernels know.
template <class Fn>
FA_HOST_DEVICE void with_dtype(DType dtype, Fn fn) {
    switch (dtype) {
        case DType::kFloat16: return fn(DTypeTag<DType::kFloat16>{});
        case DType::kBFloat16: return fn(DTypeTag<DType::kBFloat16>{});
        case DType::kFloat8E4M3: return fn(DTypeTag<DType::kFloat8E4M3>{});
        default: return fn(DTypeTag<DType::kFloat32>{});
    }
}

template <DType kType>
FA_HOST_DEVICE const Storage<kType>* element(const void* data, int64_t offset) {
    return static_cast<const Storage<kType>*>(data) + offset;
}

template <class S, DType kType>
FA_HOST_DEVICE void load_row(const Storage<kType>* src, int32_t n, float* dst) {
    int32_t i = 0;
    for (; i + S::kWidth <= n; i += S::kWidth) S::store(dst + i, S::template load_as_f32<kType>(src + i));
    if (i < n) S::store_n(dst + i, S::template load_as_f32_n<kType>(src + i, n - i), n - i);
}

// Rotates the first rotary.dim features of `row` as those of a token at `position`.
template <DType kType>
FA_HOST_DEVICE void rotate(const Rotary& rotary, int32_t position, float* row) {
    const Storage<kType>* cos = element<kType>(rotary.cos, position * rotary.stride_cos);
    const Storage<kType>* sin = element<kType>(rotary.sin, position * rotary.stride_sin);
    for (int32_t m = 0; m < rotary.dim / 2; ++m) {
        const float c = to_float<kType>(cos[m]);
        const float s = to_float<kType>(sin[m]);
        float& first = row[rotary.first_of_pair(m)];
        float& second = row[rotary.second_of_pair(m)];
        const float x1 = first;
        const float x2 = second;
        first = x1 * c - x2 * s;
        second = x1 * s + x2 * c;
    }
}

// Features of a query row: head_dim, and head_dim_v more with qv.
FA_HOST_DEVICE int32_t query_features(const Forward& p) { return p.head_dim + (p.qv.data ? p.head_dim_v : 0); }

template <class S>
FA_HOST_DEVICE void load_query_row(const Forward& p, const Sequence& s, PackedRow row, float* dst) {
    with_dtype(p.dtype, [&](auto tag) {
        constexpr DType kType = decltype(tag)::kDType;
        load_row<S, kType>(element<kType>(p.q.data, p.q.offset(s.n, s.q_row + row.i, row.head_q)), p.head_dim, dst);
        if (p.rotary.enabled()) rotate<kType>(p.rotary, p.rotary.q_position(s.rotary_start, row.i), dst);
        if (p.qv.data) {
            const int64_t offset = p.qv.offset(s.n, s.q_row + row.i, row.head_q);
            load_row<S, kType>(element<kType>(p.qv.data, offset), p.head_dim_v, dst + p.head_dim);
        }
    });
}

}  // namespace
}  // namespace flash_attn_npu::cpu
