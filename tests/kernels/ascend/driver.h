// SPDX-License-Identifier: BSD-3-Clause
// Host side of the kernel tests: a flat description of one call -> AttentionArguments -> a launch on the twin.
//
// A test's source is three lines (driver.py writes them): include the kernel's .cpp and <room>_driver.h, and
// <ROOM>_DRIVER(kernel).
#pragma once
#include "contract/arguments.h"
#include "contract/convert_kv.h"
#include "contract/prepare.h"

namespace twin_test {

// The fields and their order are repeated in driver.py. Strides count elements: batch or block, row, head.
struct FlatTensor {
    void* data;
    int64_t strides[3];
};

struct FlatPerHead {
    float* data;
    int64_t strides[2];
};

struct Call {
    FlatTensor q, qv, out, k_cache, v_cache, k_new, v_new, prepared_q;
    float* lse;
    float* out_accum;
    float* lse_accum;
    int32_t* cu_seqlens_q;
    int32_t* seqused_q;
    int32_t* cache_seqlens;
    int32_t* cu_seqlens_k_new;
    int32_t* leftpad;
    int32_t* batch_idx;
    int32_t* page_table;
    int32_t* cu_seqlens_k;
    void* cos;
    void* sin;
    int32_t* rotary_seqlens;
    uint8_t* core_workspace;
    int32_t* redo;
    FlatPerHead alibi_slopes, q_descale, k_descale, v_descale;
    int64_t lse_strides[2];
    int64_t total_q, total_new, page_table_stride, cos_stride, sin_stride, core_workspace_bytes;
    int32_t dtype, out_dtype, batch, num_heads_q, num_heads_kv, head_dim, head_dim_v, max_seqlen_q, max_seqlen_k;
    int32_t cache_seqlen, seqlen_new, page_size, num_blocks, index_rows, capacity;
    int32_t rotary_seqlen, rotary_dim, rotary_interleaved, rotary_q_per_row;
    int32_t window_left, window_right, attention_chunk, alibi_lse_offset;
    int32_t num_splits, tile_rows, tile_keys, folded_scale;
    float scale, softcap, lse_of_masked_row;
};

inline flash_attn_npu::RowTensor row_tensor(const FlatTensor& t) {
    return flash_attn_npu::RowTensor{t.data, t.strides[0], t.strides[1], t.strides[2]};
}
inline flash_attn_npu::KvTensor kv_tensor(const FlatTensor& t) {
    return flash_attn_npu::KvTensor{t.data, t.strides[0], t.strides[1], t.strides[2]};
}
inline flash_attn_npu::PerHead per_head(const FlatPerHead& t) {
    return flash_attn_npu::PerHead{t.data, t.strides[0], t.strides[1]};
}

inline flash_attn_npu::Forward request_of(const Call& c) {
    flash_attn_npu::Forward p;
    p.dtype = static_cast<flash_attn_npu::DType>(c.dtype);
    p.out_dtype = static_cast<flash_attn_npu::DType>(c.out_dtype);
    p.batch = c.batch;
    p.num_heads_q = c.num_heads_q;
    p.num_heads_kv = c.num_heads_kv;
    p.head_dim = c.head_dim;
    p.head_dim_v = c.head_dim_v;
    p.max_seqlen_q = c.max_seqlen_q;
    p.max_seqlen_k = c.max_seqlen_k;
    p.total_q = c.total_q;
    p.total_new = c.total_new;
    p.q = row_tensor(c.q);
    p.qv = row_tensor(c.qv);
    p.out = row_tensor(c.out);
    p.k_cache = kv_tensor(c.k_cache);
    p.v_cache = kv_tensor(c.v_cache);
    p.k_new = row_tensor(c.k_new);
    p.v_new = row_tensor(c.v_new);
    p.lse = c.lse;
    p.lse_stride_batch = c.lse_strides[0];
    p.lse_stride_head = c.lse_strides[1];
    p.lse_of_masked_row = c.lse_of_masked_row;
    p.cu_seqlens_q = c.cu_seqlens_q;
    p.seqused_q = c.seqused_q;
    p.cache_seqlens = c.cache_seqlens;
    p.cache_seqlen = c.cache_seqlen;
    p.cu_seqlens_k_new = c.cu_seqlens_k_new;
    p.seqlen_new = c.seqlen_new;
    p.kv_index.leftpad = c.leftpad;
    p.kv_index.batch_idx = c.batch_idx;
    p.kv_index.page_table = c.page_table;
    p.kv_index.cu_seqlens_k = c.cu_seqlens_k;
    p.kv_index.page_table_stride = c.page_table_stride;
    p.kv_index.page_size = c.page_size;
    p.kv_index.num_blocks = c.num_blocks;
    p.kv_index.index_rows = c.index_rows;
    p.kv_index.capacity = c.capacity;
    p.rotary.cos = c.cos;
    p.rotary.sin = c.sin;
    p.rotary.stride_cos = c.cos_stride;
    p.rotary.stride_sin = c.sin_stride;
    p.rotary.seqlen = c.rotary_seqlen;
    p.rotary.dim = c.rotary_dim;
    p.rotary.interleaved = c.rotary_interleaved != 0;
    p.rotary.q_per_row = c.rotary_q_per_row != 0;
    p.rotary.rotary_seqlens = c.rotary_seqlens;
    p.mask.window_left = c.window_left;
    p.mask.window_right = c.window_right;
    p.mask.attention_chunk = c.attention_chunk;
    p.score.scale = c.scale;
    p.score.softcap = c.softcap;
    p.score.alibi_slopes = per_head(c.alibi_slopes);
    p.score.q_descale = per_head(c.q_descale);
    p.score.k_descale = per_head(c.k_descale);
    p.score.v_descale = per_head(c.v_descale);
    p.score.alibi_lse_offset = c.alibi_lse_offset != 0;
    p.num_splits = c.num_splits;
    p.out_accum = c.out_accum;
    p.lse_accum = c.lse_accum;
    return p;
}

// What attention kernels and combine are launched with.
inline void arguments_of(const Call& c, flash_attn_npu::ascend::AttentionArguments& a) {
    a = flash_attn_npu::ascend::AttentionArguments{};
    a.request = request_of(c);
    const flash_attn_npu::SplitPolicy never{0, 1, 1};
    a.plan = flash_attn_npu::make_plan(a.request, flash_attn_npu::TileShape{c.tile_rows, c.tile_keys}, never);
    a.core_workspace = c.core_workspace;
    a.core_workspace_bytes = static_cast<uint64_t>(c.core_workspace_bytes);
    a.redo = c.redo;
    a.folded_scale = c.folded_scale != 0;
}

// What prepare is launched with.
inline void arguments_of(const Call& c, flash_attn_npu::ascend::PrepareArguments& a) {
    a = flash_attn_npu::ascend::PrepareArguments{};
    a.request = request_of(c);
    a.prepared_q = static_cast<uint8_t*>(c.prepared_q.data);
    a.folded_scale = c.folded_scale != 0;
}

// What convert_kv is launched with; the converted caches go where other kernels have their workspace.
inline void arguments_of(const Call& c, flash_attn_npu::ascend::ConvertKvArguments& a) {
    a.request = request_of(c);
    a.memory = c.core_workspace;
}

}  // namespace twin_test

/// Bytes of Call, so that driver.py can tell whether it has the same one.
extern "C" __attribute__((visibility("default"), used)) inline uint64_t twin_call_bytes() {
    return sizeof(twin_test::Call);
}

/// extern "C" void run_<kernel>(const Call*, uint32_t blocks)
#define TWIN_DRIVER(KERNEL, Arguments)                                                               \
    extern "C" __attribute__((visibility("default"))) void run_##KERNEL(const twin_test::Call* call, \
                                                                        uint32_t blocks) {           \
        flash_attn_npu::ascend::Arguments arguments;                                                 \
        twin_test::arguments_of(*call, arguments);                                                   \
        launch_##KERNEL(blocks, nullptr, arguments);                                                 \
    }
