// SPDX-License-Identifier: BSD-3-Clause
// The tensors of a request: the one list, with names, extents in memory and access. For the host: memory checks, copies
// for debugging, tests.
#pragma once

#include "flash_attn_npu/request.h"

namespace flash_attn_npu {

enum class Access : int32_t { kRead, kWrite, kReadWrite };

// `row_bytes` contiguous bytes at every index of three outer dimensions, the strides in bytes.
struct Extents {
    struct Dimension {
        int64_t count = 1;
        int64_t stride = 0;
    };
    int64_t row_bytes = 0;
    Dimension dims[3];

    bool empty() const { return row_bytes == 0 || dims[0].count == 0 || dims[1].count == 0 || dims[2].count == 0; }
    // Bytes from the first one to the end of the last.
    int64_t span() const {
        int64_t last = row_bytes;
        for (const Dimension& d : dims) last += (d.count - 1) * d.stride;
        return last;
    }
};

namespace fields {

constexpr int64_t kBytesOfFloat = sizeof(float);
constexpr int64_t kBytesOfIndex = sizeof(int32_t);

inline Extents flat(int64_t bytes) { return Extents{bytes, {}}; }

inline Extents indices(int64_t count) { return flat(count * kBytesOfIndex); }

// Rows of q's shape with `features` features.
inline Extents query_rows(const Attention& a, const RowTensor& t, int64_t features, DType dtype) {
    const int64_t size = size_of(dtype);
    const int64_t batch = a.cu_seqlens_q ? 1 : a.batch;
    const int64_t rows = a.cu_seqlens_q ? a.total_q : a.max_seqlen_q;
    return Extents{
        features * size,
        {{batch, t.stride_batch * size}, {rows, t.stride_row * size}, {a.num_heads_q, t.stride_head * size}}};
}

inline Extents new_rows(const Attention& a, const Append& append, const RowTensor& t, int64_t features) {
    const int64_t size = size_of(a.dtype);
    const int64_t batch = append.cu_seqlens_k_new ? 1 : a.batch;
    const int64_t rows = append.cu_seqlens_k_new ? append.total_new : append.seqlen_new;
    return Extents{
        features * size,
        {{batch, t.stride_batch * size}, {rows, t.stride_row * size}, {a.num_heads_kv, t.stride_head * size}}};
}

inline Extents cache(const Attention& a, const KvTensor& t, int64_t features) {
    const int64_t size = size_of(a.dtype);
    const KvIndex& index = a.kv_index;
    return Extents{features * size,
                   {{index.num_blocks, t.stride_block * size},
                    {index.page_table ? index.page_size : index.capacity, t.stride_row * size},
                    {a.num_heads_kv, t.stride_head * size}}};
}

inline Extents lse(const Attention& a, const Result& r) {
    const int64_t batch = a.cu_seqlens_q ? 1 : a.batch;
    const int64_t rows = a.cu_seqlens_q ? a.total_q : a.max_seqlen_q;
    return Extents{
        rows * kBytesOfFloat,
        {{batch, r.lse_stride_batch * kBytesOfFloat}, {a.num_heads_q, r.lse_stride_head * kBytesOfFloat}, {}}};
}

inline Extents per_head(const Attention& a, const PerHead& t, int64_t heads) {
    return Extents{
        kBytesOfFloat,
        {{}, {t.stride_batch ? a.batch : 1, t.stride_batch * kBytesOfFloat}, {heads, t.stride_head * kBytesOfFloat}}};
}

inline Extents page_table(const KvIndex& index) {
    return Extents{index.page_size ? int64_t{index.capacity} / index.page_size * kBytesOfIndex : 0,
                   {{}, {}, {index.index_rows, index.page_table_stride * kBytesOfIndex}}};
}

inline Extents rotary_table(const Rotary& r, int64_t stride, DType dtype) {
    const int64_t size = size_of(dtype);
    return Extents{r.dim / 2 * size, {{}, {}, {r.seqlen, stride * size}}};
}

// visit(name, data, extents, access) for every tensor that the call has.
template <class Visit>
void visit_given(Visit& visit, const char* name, const void* data, const Extents& extents, Access access) {
    if (data != nullptr && !extents.empty()) visit(name, data, extents, access);
}

template <class Visit>
void visit_attention(const Attention& a, Access caches, Visit& visit) {
    const auto tensor = [&](const char* name, const void* data, const Extents& extents, Access access) {
        visit_given(visit, name, data, extents, access);
    };
    tensor("q", a.q.data, query_rows(a, a.q, a.head_dim, a.dtype), Access::kRead);
    tensor("qv", a.qv.data, query_rows(a, a.qv, a.head_dim_v, a.dtype), Access::kRead);
    tensor("k_cache", a.k_cache.data, cache(a, a.k_cache, a.head_dim), caches);
    tensor("v_cache", a.v_cache.data, cache(a, a.v_cache, a.head_dim_v), caches);
    tensor("cu_seqlens_q", a.cu_seqlens_q, indices(int64_t{a.batch} + 1), Access::kRead);
    tensor("seqused_q", a.seqused_q, indices(a.batch), Access::kRead);
    tensor("cache_seqlens", a.cache_seqlens, indices(a.batch), Access::kRead);
    tensor("cache_leftpad", a.kv_index.leftpad, indices(a.batch), Access::kRead);
    tensor("cache_batch_idx", a.kv_index.batch_idx, indices(a.batch), Access::kRead);
    tensor("cu_seqlens_k", a.kv_index.cu_seqlens_k, indices(int64_t{a.batch} + 1), Access::kRead);
    tensor("page_table", a.kv_index.page_table, page_table(a.kv_index), Access::kRead);
    tensor("alibi_slopes", a.score.alibi_slopes.data, per_head(a, a.score.alibi_slopes, a.num_heads_q), Access::kRead);
    tensor("q_descale", a.score.q_descale.data, per_head(a, a.score.q_descale, a.num_heads_kv), Access::kRead);
    tensor("k_descale", a.score.k_descale.data, per_head(a, a.score.k_descale, a.num_heads_kv), Access::kRead);
    tensor("v_descale", a.score.v_descale.data, per_head(a, a.score.v_descale, a.num_heads_kv), Access::kRead);
}

template <class Visit>
void visit_append(const Attention& a, const Append& append, Visit& visit) {
    const auto tensor = [&](const char* name, const void* data, const Extents& extents) {
        visit_given(visit, name, data, extents, Access::kRead);
    };
    tensor("k", append.k_new.data, new_rows(a, append, append.k_new, a.head_dim));
    tensor("v", append.v_new.data, new_rows(a, append, append.v_new, a.head_dim_v));
    tensor("cu_seqlens_k_new", append.cu_seqlens_k_new, indices(int64_t{a.batch} + 1));
    const Rotary& r = append.rotary;
    tensor("rotary_cos", r.cos, rotary_table(r, r.stride_cos, a.dtype));
    tensor("rotary_sin", r.sin, rotary_table(r, r.stride_sin, a.dtype));
    tensor("rotary_seqlens", r.rotary_seqlens, indices(a.batch));
}

template <class Visit>
void visit_result(const Attention& a, const Result& r, Access access, Visit& visit) {
    visit_given(visit, "out", r.out.data, query_rows(a, r.out, a.head_dim_v, a.out_dtype), access);
    visit_given(visit, "softmax_lse", r.lse, lse(a, r), access);
}

}  // namespace fields

// Calls visit(const char* name, const void* data, const Extents&, Access) for every tensor of the call, in a fixed
// order. Tensors that are not given or have no elements are left out.
template <class Visit>
void for_each_tensor(const Forward& f, Visit visit) {
    fields::visit_attention(f, Access::kReadWrite, visit);
    fields::visit_append(f, f, visit);
    fields::visit_result(f, f, Access::kWrite, visit);
    const int64_t rows =
        int64_t{f.num_splits} * f.num_heads_q * (f.cu_seqlens_q ? f.total_q : int64_t{f.batch} * f.max_seqlen_q);
    fields::visit_given(visit, "out_accum", f.out_accum, fields::flat(rows * f.head_dim_v * fields::kBytesOfFloat),
                        Access::kWrite);
    fields::visit_given(visit, "softmax_lse_accum", f.lse_accum, fields::flat(rows * fields::kBytesOfFloat),
                        Access::kWrite);
}

template <class Visit>
void for_each_tensor(const Backward& b, Visit visit) {
    fields::visit_attention(b, Access::kRead, visit);
    fields::visit_result(b, b, Access::kRead, visit);
    fields::visit_given(visit, "dout", b.dout.data, fields::query_rows(b, b.dout, b.head_dim_v, b.out_dtype),
                        Access::kRead);
    fields::visit_given(visit, "dq", b.dq.data, fields::query_rows(b, b.dq, b.head_dim, b.dtype), Access::kWrite);
    fields::visit_given(visit, "dk", b.dk.data, fields::cache(b, b.dk, b.head_dim), Access::kWrite);
    fields::visit_given(visit, "dv", b.dv.data, fields::cache(b, b.dv, b.head_dim_v), Access::kWrite);
    fields::visit_given(visit, "softmax_delta", b.delta, fields::lse(b, b), Access::kReadWrite);
}

}  // namespace flash_attn_npu
