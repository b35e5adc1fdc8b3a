// SPDX-License-Identifier: BSD-3-Clause
#include "api/kvcache.h"

#include <algorithm>

#include "api/checks.h"
#include "api/kvcache_parts.h"

namespace flash_attn_npu::api {

namespace {

void read_hints(const KvCacheArguments& a, const Rules& rules, Forward& f) {
    if (a.num_splits > rules.max_splits) {
        bad_value("num_splits", text(a.num_splits), "at most " + text(rules.max_splits) + " (0: automatic)");
    }
    f.num_splits = static_cast<int32_t>(std::max<int64_t>(a.num_splits, 0));
    if (a.scheduler_metadata) {
        check_dtype(a.scheduler_metadata, DType::kInt32, "torch.int32");
        check_rank(a.scheduler_metadata, 1, "(n,): what get_scheduler_metadata returned");
        check_last_dim_contiguous(a.scheduler_metadata);
    }
}

}  // namespace

std::string TensorArgument::shape_text() const { return text(shape); }

Forward forward_from_arguments(const KvCacheArguments& a) {
    const Rules& rules = rules_of(a.version);
    Forward f;
    read_queries(a, rules, f);
    read_cache(a, rules, f);
    read_cache_index(a, rules, f);
    read_new_keys(a, f);
    read_query_value(a, f);
    read_rotary(a, rules, f);
    read_score(a, f);
    read_mask(a, rules, f);
    read_hints(a, rules, f);
    return f;
}

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
