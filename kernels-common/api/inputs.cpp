// SPDX-License-Identifier: BSD-3-Clause
// The tensors of a call: what is given, its shape, dtype and strides.
#include <algorithm>

#include "api/checks.h"
#include "api/kvcache_parts.h"

namespace flash_attn_npu::api {

namespace {

constexpr int64_t kRotaryMultiple = 16;

std::string cache_name(const KvCacheArguments& a) { return a.page_table ? a.page_table.name : "k_cache"; }

}  // namespace

void read_queries(const KvCacheArguments& a, const Rules& rules, Forward& f) {
    const TensorArgument& q = a.q;
    check_given(q);
    const bool known = q.dtype == DType::kFloat16 || q.dtype == DType::kBFloat16 || q.dtype == DType::kFloat32 ||
                       (q.dtype == DType::kFloat8E4M3 && rules.float8);
    if (!known) {
        throw ArgumentError(ErrorKind::kType, q.name, "dtype " + q.dtype_name,
                            rules.float8 ? "torch.float16, torch.bfloat16, torch.float32 or torch.float8_e4m3fn"
                                         : "torch.float16, torch.bfloat16 or torch.float32");
    }
    f.dtype = q.dtype;
    f.out_dtype = f.is_fp8() ? DType::kBFloat16 : q.dtype;
    const bool packed_q = static_cast<bool>(a.cu_seqlens_q);
    if (packed_q) {
        check_rank(q, 3, "(total_q, num_heads_q, head_dim) when cu_seqlens_q is given");
        check_dtype(a.cu_seqlens_q, DType::kInt32, "torch.int32");
        check_rank(a.cu_seqlens_q, 1, "(batch + 1,)");
        if (a.cu_seqlens_q.size(0) < 1) bad_value(a.cu_seqlens_q.name, "shape (0,)", "shape (batch + 1,)");
        check_index_vector(a.cu_seqlens_q, a.cu_seqlens_q.size(0), "(batch + 1,)");
        if (!a.max_seqlen_q) bad_value("max_seqlen_q", "None", "an int when cu_seqlens_q is given");
        if (*a.max_seqlen_q < 0) bad_value("max_seqlen_q", text(*a.max_seqlen_q), "at least 0");
        f.batch = static_cast<int32_t>(a.cu_seqlens_q.size(0) - 1);
        f.total_q = q.size(0);
        // Callers pass bounds that are far too large; no sequence is longer than all of them together.
        f.max_seqlen_q = static_cast<int32_t>(std::min(*a.max_seqlen_q, f.total_q));
        f.cu_seqlens_q = int32_data(a.cu_seqlens_q);
    } else {
        check_rank(q, 4, "(batch, seqlen_q, num_heads_q, head_dim)");
        check_fits_int32(q, 0);
        check_fits_int32(q, 1);
        f.batch = static_cast<int32_t>(q.size(0));
        f.max_seqlen_q = static_cast<int32_t>(q.size(1));
        f.total_q = int64_t{f.batch} * f.max_seqlen_q;
    }
    if (!rules.empty_batch && f.batch == 0) bad_value(q.name, "shape " + q.shape_text(), "a batch size of at least 1");
    if (q.size(-2) < 1) bad_value(q.name, "shape " + q.shape_text(), "at least one head");
    if (q.size(-1) < 1 || q.size(-1) > kMaxHeadDim) {
        bad_value(q.name, "head_dim " + text(q.size(-1)), "1 to " + text(kMaxHeadDim));
    }
    check_last_dim_contiguous(q);
    f.num_heads_q = static_cast<int32_t>(q.size(-2));
    f.head_dim = static_cast<int32_t>(q.size(-1));
    f.q = row_tensor(q, packed_q);
}

void read_cache(const KvCacheArguments& a, const Rules& rules, Forward& f) {
    const TensorArgument& k = a.k_cache;
    const TensorArgument& v = a.v_cache;
    const char* dimensions = a.page_table ? "(num_blocks, page_size, num_heads_kv, head_dim)"
                                          : "(batch_cache, seqlen_cache, num_heads_kv, head_dim)";
    check_given(k);
    check_given(v);
    check_rank(k, 4, dimensions);
    check_rank(v, 4, dimensions);
    check_dtype_of_q(k, a.q);
    check_dtype_of_q(v, a.q);
    check_last_dim_contiguous(k);
    check_last_dim_contiguous(v);
    check_fits_int32(k, 0);
    check_fits_int32(k, 1);
    if (k.size(3) != f.head_dim) {
        bad_value(k.name, "head_dim " + text(k.size(3)), text(f.head_dim) + " (that of q)");
    }
    const int64_t heads = k.size(2);
    if (heads < 1 || f.num_heads_q % heads != 0) {
        bad_value(k.name, text(heads) + " heads",
                  "a divisor of the number of heads of q (" + text(f.num_heads_q) + ")");
    }
    if (v.size(0) != k.size(0) || v.size(1) != k.size(1) || v.size(2) != heads) {
        bad_value(
            v.name, "shape " + v.shape_text(),
            "the shape of k_cache " + k.shape_text() + (rules.own_head_dim_v ? " in all dimensions but the last" : ""));
    }
    if (!rules.own_head_dim_v && v.size(3) != k.size(3)) {
        bad_value(v.name, "head_dim " + text(v.size(3)), text(k.size(3)) + " (that of k_cache)");
    }
    if (v.size(3) < 1 || v.size(3) > kMaxHeadDimV) {
        bad_value(v.name, "head_dim " + text(v.size(3)), "1 to " + text(kMaxHeadDimV));
    }
    f.num_heads_kv = static_cast<int32_t>(heads);
    f.head_dim_v = static_cast<int32_t>(v.size(3));
    f.k_cache = kv_tensor(k);
    f.v_cache = kv_tensor(v);
}

void read_cache_index(const KvCacheArguments& a, const Rules& rules, Forward& f) {
    KvIndex& index = f.kv_index;
    const TensorArgument& table = a.page_table;
    const TensorArgument& k = a.k_cache;
    index.num_blocks = static_cast<int32_t>(k.size(0));
    if (table) {
        if (!rules.indexed_pages && a.cache_batch_idx)
            bad_value(a.cache_batch_idx.name, "a tensor", "None with block_table");
        if (!rules.indexed_pages && a.cache_leftpad)
            bad_value(a.cache_leftpad.name, "a tensor", "None with block_table");
        check_dtype(table, DType::kInt32, "torch.int32");
        check_rank(table, 2, "(batch, max_num_blocks_per_sequence)");
        if (!a.cache_batch_idx && table.size(0) != f.batch) {
            bad_value(table.name, "shape " + table.shape_text(), text(f.batch) + " rows (the batch size)");
        }
        check_last_dim_contiguous(table);
        const int64_t page_size = k.size(1);
        if (page_size == 0 || page_size % rules.page_multiple != 0) {
            bad_value(k.name, "page size " + text(page_size),
                      rules.page_multiple > 1 ? "a multiple of " + text(rules.page_multiple) : "at least 1");
        }
        if (table.size(1) * page_size > kMaxInt32) {
            bad_value(table.name, "shape " + table.shape_text() + " with pages of " + text(page_size),
                      "fewer than 2^31 keys per sequence");
        }
        index.page_table = int32_data(table);
        index.page_table_stride = table.stride(0);
        index.page_size = static_cast<int32_t>(page_size);
        index.index_rows = static_cast<int32_t>(table.size(0));
        index.capacity = static_cast<int32_t>(table.size(1) * page_size);
    } else {
        const bool enough = a.cache_batch_idx || (rules.spare_sequences ? k.size(0) >= f.batch : k.size(0) == f.batch);
        if (!enough) {
            bad_value(k.name, "shape " + k.shape_text(),
                      (rules.spare_sequences ? "at least " : "") + text(f.batch) + " sequences (the batch size)");
        }
        index.index_rows = index.num_blocks;
        index.capacity = static_cast<int32_t>(k.size(1));
    }
    if (a.cache_batch_idx) check_index_vector(a.cache_batch_idx, f.batch, "(batch,)");
    if (a.cache_leftpad) check_index_vector(a.cache_leftpad, f.batch, "(batch,)");
    if (a.cache_seqlens) check_index_vector(a.cache_seqlens, f.batch, "(batch,)");
    index.batch_idx = int32_data(a.cache_batch_idx);
    index.leftpad = int32_data(a.cache_leftpad);
    f.cache_seqlens = int32_data(a.cache_seqlens);
    const int64_t filled = a.cache_seqlens_int.value_or(index.capacity);
    if (filled < 0 || filled > index.capacity) {
        bad_value("cache_seqlens", text(filled), "0 to " + text(index.capacity) + " (the capacity of the cache)");
    }
    f.cache_seqlen = static_cast<int32_t>(filled);
    f.max_seqlen_k = index.capacity;
}

void read_new_keys(const KvCacheArguments& a, Forward& f) {
    const TensorArgument& k = a.k;
    const TensorArgument& v = a.v;
    if (!k) {
        if (v) bad_value("k", "None", "a tensor when v is given");
        return;
    }
    if (!v) bad_value("v", "None", "a tensor when k is given");
    if (!a.cache_seqlens && !a.cache_seqlens_int) {
        bad_value("cache_seqlens", "None", "an int or a tensor when k is given: where to append");
    }
    check_dtype_of_q(k, a.q);
    check_dtype_of_q(v, a.q);
    // Without k the offsets are ignored: sglang passes them always.
    const bool packed = static_cast<bool>(a.cu_seqlens_k_new);
    if (packed) {
        check_index_vector(a.cu_seqlens_k_new, int64_t{f.batch} + 1, "(batch + 1,)");
        check_rank(k, 3, "(total_k_new, num_heads_kv, head_dim) when cu_seqlens_k_new is given");
        check_fits_int32(k, 0);
        check_shape(k, {k.size(0), f.num_heads_kv, f.head_dim}, "(total_k_new, num_heads_kv, head_dim)");
        check_shape(v, {k.size(0), f.num_heads_kv, f.head_dim_v}, "(total_k_new, num_heads_kv, head_dim_v)");
        f.cu_seqlens_k_new = int32_data(a.cu_seqlens_k_new);
        f.total_new = k.size(0);
    } else {
        check_rank(k, 4, "(batch, seqlen_new, num_heads_kv, head_dim)");
        check_fits_int32(k, 1);
        check_shape(k, {f.batch, k.size(1), f.num_heads_kv, f.head_dim}, "(batch, seqlen_new, num_heads_kv, head_dim)");
        check_shape(v, {f.batch, k.size(1), f.num_heads_kv, f.head_dim_v},
                    "(batch, seqlen_new, num_heads_kv, head_dim_v)");
        f.seqlen_new = static_cast<int32_t>(k.size(1));
    }
    check_last_dim_contiguous(k);
    check_last_dim_contiguous(v);
    if (f.max_seqlen_q > f.kv_index.capacity) {
        bad_value(a.q.name, "seqlen_q " + text(f.max_seqlen_q),
                  "at most " + text(f.kv_index.capacity) + " (the capacity of the cache) when k is given");
    }
    if (!a.cache_seqlens && int64_t{f.cache_seqlen} + f.seqlen_new > f.kv_index.capacity) {
        bad_value("cache_seqlens", text(f.cache_seqlen) + " plus " + text(f.seqlen_new) + " new keys",
                  "at most " + text(f.kv_index.capacity) + ", the capacity of " + cache_name(a));
    }
    f.k_new = row_tensor(k, packed);
    f.v_new = row_tensor(v, packed);
}

void read_query_value(const KvCacheArguments& a, Forward& f) {
    const TensorArgument& qv = a.qv;
    if (!qv) return;
    if (f.is_fp8()) bad_value(qv.name, "a tensor", "None with torch.float8_e4m3fn");
    check_dtype_of_q(qv, a.q);
    std::vector<int64_t> shape = a.q.shape;
    shape.back() = f.head_dim_v;
    check_shape(qv, shape,
                a.cu_seqlens_q ? "(total_q, num_heads_q, head_dim_v)" : "(batch, seqlen_q, num_heads_q, head_dim_v)");
    check_last_dim_contiguous(qv);
    f.qv = row_tensor(qv, static_cast<bool>(a.cu_seqlens_q));
}

void read_rotary(const KvCacheArguments& a, const Rules& rules, Forward& f) {
    const TensorArgument& cos = a.rotary_cos;
    const TensorArgument& sin = a.rotary_sin;
    if (!cos && !sin) {
        if (a.rotary_seqlens) bad_value(a.rotary_seqlens.name, "a tensor", "None without rotary_cos");
        return;
    }
    if (!sin) bad_value("rotary_sin", "None", "a tensor when rotary_cos is given");
    if (!cos) bad_value("rotary_cos", "None", "a tensor when rotary_sin is given");
    if (!a.k) bad_value("rotary_cos", "a tensor", "None without new k and v: only they and q are rotated");
    check_dtype_of_q(cos, a.q);
    check_dtype_of_q(sin, a.q);
    check_rank(cos, 2, "(seqlen_rotary, rotary_dim / 2)");
    check_shape(sin, cos.shape, "the shape of rotary_cos");
    check_last_dim_contiguous(cos);
    check_last_dim_contiguous(sin);
    const int64_t dim = 2 * cos.size(1);
    if (dim > f.head_dim || dim % kRotaryMultiple != 0) {
        bad_value(cos.name, "rotary_dim " + text(dim) + " (twice the last dimension)",
                  "a multiple of " + text(kRotaryMultiple) + ", at most head_dim " + text(f.head_dim));
    }
    // FlashAttention-3 checks this for paged caches only; there check_contents bounds the positions used.
    if ((rules.rotary_covers_capacity || a.page_table) && cos.size(0) < f.kv_index.capacity) {
        bad_value(cos.name, text(cos.size(0)) + " rows",
                  "at least " + text(f.kv_index.capacity) + " (the capacity of the cache)");
    }
    if (a.rotary_seqlens) check_index_vector(a.rotary_seqlens, f.batch, "(batch,)");
    Rotary& r = f.rotary;
    r.cos = cos.data;
    r.sin = sin.data;
    r.stride_cos = cos.stride(0);
    r.stride_sin = sin.stride(0);
    r.seqlen = static_cast<int32_t>(std::min(cos.size(0), kMaxInt32));
    r.dim = static_cast<int32_t>(dim);
    r.interleaved = a.rotary_interleaved;
    r.rotary_seqlens = int32_data(a.rotary_seqlens);
}

}  // namespace flash_attn_npu::api
