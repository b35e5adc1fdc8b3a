// SPDX-License-Identifier: BSD-3-Clause
#include "api/kvcache.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "api/error.h"

namespace flash_attn_npu::api {

namespace {

constexpr int64_t kMaxHeadDim = 256;
constexpr int64_t kMaxHeadDimV = 512;
constexpr int64_t kPageMultipleV2 = 256;
constexpr int64_t kRotaryMultiple = 16;
constexpr int64_t kMaxInt32 = std::numeric_limits<int32_t>::max();

std::string text(int64_t value) { return std::to_string(value); }

std::string text(const std::vector<int64_t>& shape) {
    std::string s = "(";
    for (size_t i = 0; i < shape.size(); ++i) s += (i ? ", " : "") + text(shape[i]);
    return s + (shape.size() == 1 ? ",)" : ")");
}

void check_given(const TensorArgument& t) {
    if (!t) throw ArgumentError(ErrorKind::kType, t.name, "None", "a torch.Tensor");
}

void check_rank(const TensorArgument& t, int rank, const char* dimensions) {
    if (t.rank() != rank) bad_value(t.name, "shape " + t.shape_text(), std::string("shape ") + dimensions);
}

void check_shape(const TensorArgument& t, const std::vector<int64_t>& shape, const char* dimensions) {
    if (t.shape != shape) {
        bad_value(t.name, "shape " + t.shape_text(), "shape " + text(shape) + " = " + dimensions);
    }
}

void check_dtype_of_q(const TensorArgument& t, const TensorArgument& q) {
    if (t.dtype != q.dtype) {
        throw ArgumentError(ErrorKind::kType, t.name, "dtype " + t.dtype_name, q.dtype_name + " (the dtype of q)");
    }
}

void check_dtype(const TensorArgument& t, DType dtype, const char* name) {
    if (t.dtype != dtype) throw ArgumentError(ErrorKind::kType, t.name, "dtype " + t.dtype_name, name);
}

void check_last_dim_contiguous(const TensorArgument& t) {
    // A dimension of one element, or a tensor without elements, may carry any stride.
    if (t.size(-1) <= 1) return;
    for (int64_t n : t.shape) {
        if (n == 0) return;
    }
    if (t.stride(-1) != 1) {
        bad_value(t.name, "stride " + text(t.stride(-1)) + " in the last dimension",
                  "1: the last dimension must be contiguous");
    }
}

// cache_seqlens, cu_seqlens_*, cache_batch_idx ...: int32 vectors.
void check_index_vector(const TensorArgument& t, int64_t size, const char* dimensions) {
    check_dtype(t, DType::kInt32, "torch.int32");
    check_shape(t, {size}, dimensions);
    if (size > 1 && t.stride(0) != 1) bad_value(t.name, "stride " + text(t.stride(0)), "a contiguous tensor");
}

const int32_t* int32_data(const TensorArgument& t) { return t ? static_cast<const int32_t*>(t.data) : nullptr; }

RowTensor row_tensor(const TensorArgument& t, bool packed) {
    RowTensor r;
    if (!t) return r;
    r.data = t.data;
    r.stride_batch = packed ? 0 : t.stride(0);
    r.stride_row = t.stride(-3);
    r.stride_head = t.stride(-2);
    return r;
}

KvTensor kv_tensor(const TensorArgument& t) { return KvTensor{t.data, t.stride(0), t.stride(1), t.stride(2)}; }

// One pass over the arguments, in the order in which a reader of the signature meets them.
class Builder {
public:
    explicit Builder(const KvCacheArguments& arguments) : a_(arguments), v2_(arguments.version == Version::kV2) {}

    Forward build() {
        queries();
        cache();
        cache_index();
        new_keys();
        query_value();
        rotary_tables();
        score();
        mask_and_rotary_rows();
        hints();
        return p_;
    }

private:
    bool is_fp8() const { return p_.dtype == DType::kFloat8E4M3; }

    void queries() {
        const TensorArgument& q = a_.q;
        check_given(q);
        const bool known = q.dtype == DType::kFloat16 || q.dtype == DType::kBFloat16 || q.dtype == DType::kFloat32 ||
                           (q.dtype == DType::kFloat8E4M3 && !v2_);
        if (!known) {
            throw ArgumentError(ErrorKind::kType, q.name, "dtype " + q.dtype_name,
                                v2_ ? "torch.float16, torch.bfloat16 or torch.float32"
                                    : "torch.float16, torch.bfloat16, torch.float32 or torch.float8_e4m3fn");
        }
        p_.dtype = q.dtype;
        p_.out_dtype = is_fp8() ? DType::kBFloat16 : q.dtype;
        packed_q_ = static_cast<bool>(a_.cu_seqlens_q);
        if (packed_q_) {
            check_rank(q, 3, "(total_q, num_heads_q, head_dim) when cu_seqlens_q is given");
            check_dtype(a_.cu_seqlens_q, DType::kInt32, "torch.int32");
            check_rank(a_.cu_seqlens_q, 1, "(batch + 1,)");
            if (a_.cu_seqlens_q.size(0) < 1) bad_value(a_.cu_seqlens_q.name, "shape (0,)", "shape (batch + 1,)");
            check_index_vector(a_.cu_seqlens_q, a_.cu_seqlens_q.size(0), "(batch + 1,)");
            if (!a_.max_seqlen_q) bad_value("max_seqlen_q", "None", "an int when cu_seqlens_q is given");
            if (*a_.max_seqlen_q < 0) bad_value("max_seqlen_q", text(*a_.max_seqlen_q), "at least 0");
            p_.batch = static_cast<int32_t>(a_.cu_seqlens_q.size(0) - 1);
            p_.total_q = q.size(0);
            // Callers pass bounds that are far too large; no sequence is longer than all of them together.
            p_.max_seqlen_q = static_cast<int32_t>(std::min(*a_.max_seqlen_q, p_.total_q));
            p_.cu_seqlens_q = int32_data(a_.cu_seqlens_q);
        } else {
            check_rank(q, 4, "(batch, seqlen_q, num_heads_q, head_dim)");
            check_fits_int32(q, 0);
            check_fits_int32(q, 1);
            p_.batch = static_cast<int32_t>(q.size(0));
            p_.max_seqlen_q = static_cast<int32_t>(q.size(1));
            p_.total_q = int64_t{p_.batch} * p_.max_seqlen_q;
        }
        if (v2_ && p_.batch == 0) bad_value(q.name, "shape " + q.shape_text(), "a batch size of at least 1");
        if (q.size(-2) < 1) bad_value(q.name, "shape " + q.shape_text(), "at least one head");
        if (q.size(-1) < 1 || q.size(-1) > kMaxHeadDim) {
            bad_value(q.name, "head_dim " + text(q.size(-1)), "1 to " + text(kMaxHeadDim));
        }
        check_last_dim_contiguous(q);
        p_.num_heads_q = static_cast<int32_t>(q.size(-2));
        p_.head_dim = static_cast<int32_t>(q.size(-1));
        p_.q = row_tensor(q, packed_q_);
    }

    void cache() {
        const TensorArgument& k = a_.k_cache;
        const TensorArgument& v = a_.v_cache;
        const char* dimensions = a_.page_table ? "(num_blocks, page_size, num_heads_kv, head_dim)"
                                               : "(batch_cache, seqlen_cache, num_heads_kv, head_dim)";
        check_given(k);
        check_given(v);
        check_rank(k, 4, dimensions);
        check_rank(v, 4, dimensions);
        check_dtype_of_q(k, a_.q);
        check_dtype_of_q(v, a_.q);
        check_last_dim_contiguous(k);
        check_last_dim_contiguous(v);
        check_fits_int32(k, 0);
        check_fits_int32(k, 1);
        if (k.size(3) != p_.head_dim) {
            bad_value(k.name, "head_dim " + text(k.size(3)), text(p_.head_dim) + " (that of q)");
        }
        const int64_t heads = k.size(2);
        if (heads < 1 || p_.num_heads_q % heads != 0) {
            bad_value(k.name, text(heads) + " heads",
                      "a divisor of the number of heads of q (" + text(p_.num_heads_q) + ")");
        }
        if (v.size(0) != k.size(0) || v.size(1) != k.size(1) || v.size(2) != heads) {
            bad_value(v.name, "shape " + v.shape_text(),
                      "the shape of k_cache " + k.shape_text() + (v2_ ? "" : " in all dimensions but the last"));
        }
        if (v2_ && v.size(3) != k.size(3)) {
            bad_value(v.name, "head_dim " + text(v.size(3)), text(k.size(3)) + " (that of k_cache)");
        }
        if (v.size(3) < 1 || v.size(3) > kMaxHeadDimV) {
            bad_value(v.name, "head_dim " + text(v.size(3)), "1 to " + text(kMaxHeadDimV));
        }
        p_.num_heads_kv = static_cast<int32_t>(heads);
        p_.head_dim_v = static_cast<int32_t>(v.size(3));
        p_.k_cache = kv_tensor(k);
        p_.v_cache = kv_tensor(v);
    }

    void cache_index() {
        KvIndex& index = p_.kv_index;
        const TensorArgument& table = a_.page_table;
        const TensorArgument& k = a_.k_cache;
        index.num_blocks = static_cast<int32_t>(k.size(0));
        if (table) {
            if (v2_ && a_.cache_batch_idx) bad_value(a_.cache_batch_idx.name, "a tensor", "None with block_table");
            if (v2_ && a_.cache_leftpad) bad_value(a_.cache_leftpad.name, "a tensor", "None with block_table");
            check_dtype(table, DType::kInt32, "torch.int32");
            check_rank(table, 2, "(batch, max_num_blocks_per_sequence)");
            if (!a_.cache_batch_idx && table.size(0) != p_.batch) {
                bad_value(table.name, "shape " + table.shape_text(), text(p_.batch) + " rows (the batch size)");
            }
            check_last_dim_contiguous(table);
            const int64_t page_size = k.size(1);
            if (v2_ ? page_size == 0 || page_size % kPageMultipleV2 != 0 : page_size == 0) {
                bad_value(k.name, "page size " + text(page_size),
                          v2_ ? "a multiple of " + text(kPageMultipleV2) : "at least 1");
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
            const bool enough = a_.cache_batch_idx || (v2_ ? k.size(0) >= p_.batch : k.size(0) == p_.batch);
            if (!enough) {
                bad_value(k.name, "shape " + k.shape_text(),
                          (v2_ ? "at least " : "") + text(p_.batch) + " sequences (the batch size)");
            }
            index.index_rows = index.num_blocks;
            index.capacity = static_cast<int32_t>(k.size(1));
        }
        if (a_.cache_batch_idx) check_index_vector(a_.cache_batch_idx, p_.batch, "(batch,)");
        if (a_.cache_leftpad) check_index_vector(a_.cache_leftpad, p_.batch, "(batch,)");
        if (a_.cache_seqlens) check_index_vector(a_.cache_seqlens, p_.batch, "(batch,)");
        index.batch_idx = int32_data(a_.cache_batch_idx);
        index.leftpad = int32_data(a_.cache_leftpad);
        p_.cache_seqlens = int32_data(a_.cache_seqlens);
        const int64_t filled = a_.cache_seqlens_int.value_or(index.capacity);
        if (filled < 0 || filled > index.capacity) {
            bad_value("cache_seqlens", text(filled), "0 to " + text(index.capacity) + " (the capacity of the cache)");
        }
        p_.cache_seqlen = static_cast<int32_t>(filled);
        p_.max_seqlen_k = index.capacity;
    }

    void new_keys() {
        const TensorArgument& k = a_.k;
        const TensorArgument& v = a_.v;
        if (!k) {
            if (v) bad_value("k", "None", "a tensor when v is given");
            return;
        }
        if (!v) bad_value("v", "None", "a tensor when k is given");
        if (!a_.cache_seqlens && !a_.cache_seqlens_int) {
            bad_value("cache_seqlens", "None", "an int or a tensor when k is given: where to append");
        }
        check_dtype_of_q(k, a_.q);
        check_dtype_of_q(v, a_.q);
        // Without k the offsets are ignored: sglang passes them always.
        const bool packed = static_cast<bool>(a_.cu_seqlens_k_new);
        if (packed) {
            check_index_vector(a_.cu_seqlens_k_new, int64_t{p_.batch} + 1, "(batch + 1,)");
            check_rank(k, 3, "(total_k_new, num_heads_kv, head_dim) when cu_seqlens_k_new is given");
            check_fits_int32(k, 0);
            check_shape(k, {k.size(0), p_.num_heads_kv, p_.head_dim}, "(total_k_new, num_heads_kv, head_dim)");
            check_shape(v, {k.size(0), p_.num_heads_kv, p_.head_dim_v}, "(total_k_new, num_heads_kv, head_dim_v)");
            p_.cu_seqlens_k_new = int32_data(a_.cu_seqlens_k_new);
            p_.total_new = k.size(0);
        } else {
            check_rank(k, 4, "(batch, seqlen_new, num_heads_kv, head_dim)");
            check_fits_int32(k, 1);
            check_shape(k, {p_.batch, k.size(1), p_.num_heads_kv, p_.head_dim},
                        "(batch, seqlen_new, num_heads_kv, head_dim)");
            check_shape(v, {p_.batch, k.size(1), p_.num_heads_kv, p_.head_dim_v},
                        "(batch, seqlen_new, num_heads_kv, head_dim_v)");
            p_.seqlen_new = static_cast<int32_t>(k.size(1));
        }
        check_last_dim_contiguous(k);
        check_last_dim_contiguous(v);
        if (p_.max_seqlen_q > p_.kv_index.capacity) {
            bad_value(a_.q.name, "seqlen_q " + text(p_.max_seqlen_q),
                      "at most " + text(p_.kv_index.capacity) + " (the capacity of the cache) when k is given");
        }
        if (!a_.cache_seqlens && int64_t{p_.cache_seqlen} + p_.seqlen_new > p_.kv_index.capacity) {
            bad_value("cache_seqlens", text(p_.cache_seqlen) + " plus " + text(p_.seqlen_new) + " new keys",
                      "at most " + text(p_.kv_index.capacity) + ", the capacity of " + cache_name());
        }
        p_.k_new = row_tensor(k, packed);
        p_.v_new = row_tensor(v, packed);
    }

    void query_value() {
        const TensorArgument& qv = a_.qv;
        if (!qv) return;
        if (is_fp8()) bad_value(qv.name, "a tensor", "None with torch.float8_e4m3fn");
        check_dtype_of_q(qv, a_.q);
        std::vector<int64_t> shape = a_.q.shape;
        shape.back() = p_.head_dim_v;
        check_shape(qv, shape,
                    packed_q_ ? "(total_q, num_heads_q, head_dim_v)" : "(batch, seqlen_q, num_heads_q, head_dim_v)");
        check_last_dim_contiguous(qv);
        p_.qv = row_tensor(qv, packed_q_);
    }

    void rotary_tables() {
        const TensorArgument& cos = a_.rotary_cos;
        const TensorArgument& sin = a_.rotary_sin;
        if (!cos && !sin) {
            if (a_.rotary_seqlens) bad_value(a_.rotary_seqlens.name, "a tensor", "None without rotary_cos");
            return;
        }
        if (!sin) bad_value("rotary_sin", "None", "a tensor when rotary_cos is given");
        if (!cos) bad_value("rotary_cos", "None", "a tensor when rotary_sin is given");
        if (!a_.k) bad_value("rotary_cos", "a tensor", "None without new k and v: only they and q are rotated");
        check_dtype_of_q(cos, a_.q);
        check_dtype_of_q(sin, a_.q);
        check_rank(cos, 2, "(seqlen_rotary, rotary_dim / 2)");
        check_shape(sin, cos.shape, "the shape of rotary_cos");
        check_last_dim_contiguous(cos);
        check_last_dim_contiguous(sin);
        const int64_t dim = 2 * cos.size(1);
        if (dim > p_.head_dim || dim % kRotaryMultiple != 0) {
            bad_value(cos.name, "rotary_dim " + text(dim) + " (twice the last dimension)",
                      "a multiple of " + text(kRotaryMultiple) + ", at most head_dim " + text(p_.head_dim));
        }
        // FlashAttention-3 checks this for paged caches only; there check_contents bounds the positions used.
        if ((v2_ || a_.page_table) && cos.size(0) < p_.kv_index.capacity) {
            bad_value(cos.name, text(cos.size(0)) + " rows",
                      "at least " + text(p_.kv_index.capacity) + " (the capacity of the cache)");
        }
        if (a_.rotary_seqlens) check_index_vector(a_.rotary_seqlens, p_.batch, "(batch,)");
        Rotary& r = p_.rotary;
        r.cos = cos.data;
        r.sin = sin.data;
        r.stride_cos = cos.stride(0);
        r.stride_sin = sin.stride(0);
        r.seqlen = static_cast<int32_t>(std::min(cos.size(0), kMaxInt32));
        r.dim = static_cast<int32_t>(dim);
        r.interleaved = a_.rotary_interleaved;
        r.rotary_seqlens = int32_data(a_.rotary_seqlens);
    }

    void score() {
        ScoreOptions& s = p_.score;
        // FlashAttention-3 counts the features of qv into the default scale.
        const double features = p_.head_dim + (a_.qv ? p_.head_dim_v : 0);
        const double scale = a_.softmax_scale.value_or(1.0 / std::sqrt(features));
        if (!std::isfinite(scale)) bad_value("softmax_scale", std::to_string(scale), "a finite number");
        if (!std::isfinite(a_.softcap)) bad_value("softcap", std::to_string(a_.softcap), "a finite number");
        s.scale = static_cast<float>(scale);
        s.softcap = static_cast<float>(std::max(0.0, a_.softcap));
        if (a_.alibi_slopes) {
            const TensorArgument& slopes = a_.alibi_slopes;
            check_dtype(slopes, DType::kFloat32, "torch.float32");
            if (slopes.rank() == 1) {
                check_shape(slopes, {p_.num_heads_q}, "(num_heads_q,)");
            } else {
                check_rank(slopes, 2, "(num_heads_q,) or (batch, num_heads_q)");
                check_shape(slopes, {p_.batch, p_.num_heads_q}, "(batch, num_heads_q)");
            }
            check_last_dim_contiguous(slopes);
            s.alibi_slopes =
                PerHead{static_cast<const float*>(slopes.data), slopes.rank() == 2 ? slopes.stride(0) : 0, 1};
        }
        // Descales belong to fp8; other dtypes ignore them, as upstream.
        if (is_fp8()) {
            s.q_descale = descale(a_.q_descale);
            s.k_descale = descale(a_.k_descale);
            s.v_descale = descale(a_.v_descale);
        }
    }

    PerHead descale(const TensorArgument& t) const {
        if (!t) return PerHead{};
        check_dtype(t, DType::kFloat32, "torch.float32");
        check_shape(t, {p_.batch, p_.num_heads_kv}, "(batch, num_heads_kv)");
        return PerHead{static_cast<const float*>(t.data), t.stride(0), t.stride(1)};
    }

    // The two APIs differ in when a window counts as unlimited, which also decides whether the rows of q are rotated by
    // their own position.
    void mask_and_rotary_rows() {
        if (a_.attention_chunk < 0) bad_value("attention_chunk", text(a_.attention_chunk), "at least 0 (0: off)");
        int64_t left = a_.window_left;
        int64_t right = a_.window_right;
        const int64_t max_k = p_.kv_index.capacity;
        // The caller's bound, not the clamped one: it decides whether a window is unlimited, as upstream.
        const int64_t max_q = packed_q_ ? *a_.max_seqlen_q : p_.max_seqlen_q;
        bool causal = a_.causal;
        bool chunked = a_.attention_chunk > 0;
        if (v2_) {
            if (left >= max_k) left = -1;
            if (right >= max_k) right = -1;
            if (max_q == 1 && !a_.alibi_slopes) causal = false;  // a single row sees all keys
        } else {
            if (left >= max_k - 1) left = -1;
            if (right >= max_q - 1) right = -1;
        }
        if (causal) right = 0;
        left = std::max<int64_t>(left, -1);
        right = std::max<int64_t>(right, -1);
        const bool is_causal = left < 0 && right == 0 && !chunked;
        const bool is_local = (left >= 0 || right >= 0 || chunked) && !is_causal;
        // FlashAttention-2 turns the unlimited side of a one-sided window into the capacity, which is not the same as
        // unlimited when seqlen_q > seqlen_k.
        if (v2_ && left >= 0 && right < 0) right = max_k;
        p_.mask.window_left = static_cast<int32_t>(std::min(left, kMaxInt32));
        p_.mask.window_right = static_cast<int32_t>(std::min(right, kMaxInt32));
        p_.mask.attention_chunk = static_cast<int32_t>(std::min(a_.attention_chunk, kMaxInt32));
        p_.rotary.q_per_row = is_causal || is_local;
        p_.score.alibi_lse_offset = v2_ && is_causal;
        const float inf = std::numeric_limits<float>::infinity();
        // FlashAttention-3 returns -inf for a row without keys, but +inf when the whole call has none.
        const bool no_keys = max_k == 0 && !(p_.k_new.data && a_.k.size(packed_new() ? 0 : 1) > 0);
        p_.lse_of_masked_row = v2_ || no_keys ? inf : -inf;
    }

    void hints() {
        const int64_t most = v2_ ? 128 : 256;
        if (a_.num_splits > most) {
            bad_value("num_splits", text(a_.num_splits), "at most " + text(most) + " (0: automatic)");
        }
        p_.num_splits = static_cast<int32_t>(std::max<int64_t>(a_.num_splits, 0));
        if (a_.scheduler_metadata) {
            check_dtype(a_.scheduler_metadata, DType::kInt32, "torch.int32");
            check_rank(a_.scheduler_metadata, 1, "(n,): what get_scheduler_metadata returned");
            check_last_dim_contiguous(a_.scheduler_metadata);
        }
    }

    bool packed_new() const { return static_cast<bool>(a_.cu_seqlens_k_new); }
    std::string cache_name() const { return a_.page_table ? a_.page_table.name : "k_cache"; }

    static void check_fits_int32(const TensorArgument& t, int dim) {
        if (t.size(dim) > kMaxInt32) bad_value(t.name, "shape " + t.shape_text(), "sizes below 2^31");
    }

    const KvCacheArguments& a_;
    const bool v2_;
    bool packed_q_ = false;
    Forward p_;
};

}  // namespace

std::string TensorArgument::shape_text() const { return text(shape); }

Forward forward_from_arguments(const KvCacheArguments& arguments) { return Builder(arguments).build(); }

std::vector<int64_t> out_shape(const Forward& p) {
    if (p.cu_seqlens_q) return {p.total_q, p.num_heads_q, p.head_dim_v};
    return {p.batch, p.max_seqlen_q, p.num_heads_q, p.head_dim_v};
}

std::vector<int64_t> softmax_lse_shape(const Forward& p) {
    if (p.cu_seqlens_q) return {p.num_heads_q, p.total_q};
    return {p.batch, p.num_heads_q, p.max_seqlen_q};
}

std::vector<int64_t> lse_accum_shape(const Forward& p) {
    std::vector<int64_t> shape = softmax_lse_shape(p);
    shape.insert(shape.begin(), p.num_splits);
    return shape;
}

std::vector<int64_t> out_accum_shape(const Forward& p) {
    std::vector<int64_t> shape = lse_accum_shape(p);
    shape.push_back(p.head_dim_v);
    return shape;
}

void set_outputs(Forward& p, void* out, float* softmax_lse) {
    const int64_t row = int64_t{p.num_heads_q} * p.head_dim_v;
    p.out = RowTensor{out, p.cu_seqlens_q ? 0 : p.max_seqlen_q * row, row, p.head_dim_v};
    p.lse = softmax_lse;
    p.lse_stride_head = p.cu_seqlens_q ? p.total_q : p.max_seqlen_q;
    p.lse_stride_batch = p.cu_seqlens_q ? 0 : p.num_heads_q * p.lse_stride_head;
}

}  // namespace flash_attn_npu::api
