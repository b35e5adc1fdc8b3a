// SPDX-License-Identifier: BSD-3-Clause
#include "twin_memory.h"

#include <algorithm>
#include <array>
#include <string>

#include "twin/c_api.h"

namespace flash_attn_npu::ascend::host {

namespace {

enum class Access { kRead, kWrite, kReadWrite };

// A strided tensor: rows of `row_bytes` contiguous bytes.
struct Tensor {
    const char* name;
    const void* data;
    uint64_t row_bytes;
    // Count and stride in bytes of each dimension but the last.
    std::array<std::pair<int64_t, int64_t>, 3> dims;
    Access access;

    bool empty() const {
        return data == nullptr || row_bytes == 0 ||
               std::any_of(dims.begin(), dims.end(), [](const auto& d) { return d.first == 0; });
    }
    uint64_t begin() const { return reinterpret_cast<uint64_t>(data); }
    uint64_t end() const {
        uint64_t last = begin() + row_bytes;
        for (const auto& [count, stride] : dims) last += (count - 1) * stride;
        return last;
    }
    template <class Body>
    void for_each_row(Body body) const {
        for (int64_t i = 0; i < dims[0].first; ++i) {
            for (int64_t j = 0; j < dims[1].first; ++j) {
                for (int64_t k = 0; k < dims[2].first; ++k) {
                    body(begin() + i * dims[0].second + j * dims[1].second + k * dims[2].second);
                }
            }
        }
    }
};

// Every tensor a Problem names.
class Tensors {
public:
    explicit Tensors(const Problem& p) : p_(p) {
        const int64_t size = size_of(p.dtype);
        const int64_t out_size = size_of(p.out_dtype);
        const int64_t q_batch = p.cu_seqlens_q ? 1 : p.batch;
        const int64_t q_rows = p.cu_seqlens_q ? p.total_q : p.max_seqlen_q;
        rows("q", p.q, q_batch, q_rows, p.num_heads_q, p.head_dim, size, Access::kRead);
        rows("qv", p.qv, q_batch, q_rows, p.num_heads_q, p.head_dim_v, size, Access::kRead);
        rows("out", p.out, q_batch, q_rows, p.num_heads_q, p.head_dim_v, out_size, Access::kWrite);
        const int64_t new_batch = p.cu_seqlens_k_new ? 1 : p.batch;
        const int64_t new_rows = p.cu_seqlens_k_new ? p.total_new : p.seqlen_new;
        rows("k", p.k_new, new_batch, new_rows, p.num_heads_kv, p.head_dim, size, Access::kRead);
        rows("v", p.v_new, new_batch, new_rows, p.num_heads_kv, p.head_dim_v, size, Access::kRead);
        cache("k_cache", p.k_cache, p.head_dim, size);
        cache("v_cache", p.v_cache, p.head_dim_v, size);
        add("softmax_lse", p.lse, q_rows * 4,
            {{{q_batch, p.lse_stride_batch * 4}, {p.num_heads_q, p.lse_stride_head * 4}, {1, 0}}}, Access::kWrite);
        const int64_t partial_rows = int64_t{p.num_splits} * p.num_heads_q * q_batch * q_rows;
        flat("out_accum", p.out_accum, partial_rows * p.head_dim_v * 4, Access::kWrite);
        flat("softmax_lse_accum", p.lse_accum, partial_rows * 4, Access::kWrite);
        flat("cu_seqlens_q", p.cu_seqlens_q, (int64_t{p.batch} + 1) * 4);
        flat("seqused_q", p.seqused_q, int64_t{p.batch} * 4);
        flat("cache_seqlens", p.cache_seqlens, int64_t{p.batch} * 4);
        flat("cu_seqlens_k_new", p.cu_seqlens_k_new, (int64_t{p.batch} + 1) * 4);
        flat("cache_leftpad", p.kv_index.leftpad, int64_t{p.batch} * 4);
        flat("cache_batch_idx", p.kv_index.batch_idx, int64_t{p.batch} * 4);
        if (p.kv_index.page_table) {
            add("page_table", p.kv_index.page_table, int64_t{p.kv_index.capacity} / p.kv_index.page_size * 4,
                {{{1, 0}, {1, 0}, {p.kv_index.index_rows, p.kv_index.page_table_stride * 4}}}, Access::kRead);
        }
        const Rotary& r = p.rotary;
        add("rotary_cos", r.cos, r.dim / 2 * size, {{{1, 0}, {1, 0}, {r.seqlen, r.stride_cos * size}}}, Access::kRead);
        add("rotary_sin", r.sin, r.dim / 2 * size, {{{1, 0}, {1, 0}, {r.seqlen, r.stride_sin * size}}}, Access::kRead);
        flat("rotary_seqlens", r.rotary_seqlens, int64_t{p.batch} * 4);
        per_head("alibi_slopes", p.score.alibi_slopes, p.num_heads_q);
        per_head("q_descale", p.score.q_descale, p.num_heads_kv);
        per_head("k_descale", p.score.k_descale, p.num_heads_kv);
        per_head("v_descale", p.score.v_descale, p.num_heads_kv);
    }

    const std::vector<Tensor>& all() const { return all_; }
    // Rows of the caches that hold keys before the call.
    const std::vector<Tensor>& valid_cache_rows() const { return valid_; }

private:
    using Dims = std::array<std::pair<int64_t, int64_t>, 3>;

    void add(const char* name, const void* data, int64_t row_bytes, Dims dims, Access access) {
        const Tensor t{name, data, static_cast<uint64_t>(row_bytes), dims, access};
        if (!t.empty()) all_.push_back(t);
    }
    void flat(const char* name, const void* data, int64_t bytes, Access access = Access::kRead) {
        add(name, data, bytes, {{{1, 0}, {1, 0}, {1, 0}}}, access);
    }
    void per_head(const char* name, const PerHead& t, int64_t heads) {
        add(name, t.data, 4,
            {{{1, 0}, {t.stride_batch ? p_.batch : 1, t.stride_batch * 4}, {heads, t.stride_head * 4}}}, Access::kRead);
    }
    void rows(const char* name, const RowTensor& t, int64_t batch, int64_t count, int64_t heads, int64_t dim,
              int64_t size, Access access) {
        add(name, t.data, dim * size,
            {{{batch, t.stride_batch * size}, {count, t.stride_row * size}, {heads, t.stride_head * size}}}, access);
    }
    void cache(const char* name, const KvTensor& t, int64_t dim, int64_t size) {
        const KvIndex& index = p_.kv_index;
        const int64_t block_rows = index.page_table ? index.page_size : index.capacity;
        add(name, t.data, dim * size,
            {{{index.num_blocks, t.stride_block * size},
              {block_rows, t.stride_row * size},
              {p_.num_heads_kv, t.stride_head * size}}},
            Access::kReadWrite);
        for (int32_t n = 0; n < p_.batch && index.num_blocks > 0; ++n) {
            const KvView view = p_.kv_view(n);
            const int32_t keys = p_.bounded_sequence(n).seqlen_old;
            for (int32_t j = 0; j < keys;) {
                const KvRun run = view.run(j, keys);
                const char* first = static_cast<const char*>(t.data) + t.offset(run.block, run.row, 0) * size;
                valid_.push_back(
                    {name,
                     first,
                     static_cast<uint64_t>(dim * size),
                     {{{1, 0}, {run.length, t.stride_row * size}, {p_.num_heads_kv, t.stride_head * size}}},
                     Access::kRead});
                j += run.length;
            }
        }
    }

    const Problem& p_;
    std::vector<Tensor> all_;
    std::vector<Tensor> valid_;
};

// One stretch of memory that overlapping tensors share (q, k and v of one projection, k and v of a fused cache).
struct Stretch {
    uint64_t begin;
    uint64_t end;
    std::string name;
    bool written;
};

std::vector<Stretch> merged(const std::vector<Tensor>& tensors) {
    std::vector<Stretch> all;
    for (const Tensor& t : tensors) all.push_back({t.begin(), t.end(), t.name, t.access != Access::kRead});
    std::sort(all.begin(), all.end(), [](const Stretch& a, const Stretch& b) { return a.begin < b.begin; });
    std::vector<Stretch> merged;
    for (const Stretch& s : all) {
        if (merged.empty() || s.begin >= merged.back().end) {
            merged.push_back(s);
            continue;
        }
        Stretch& last = merged.back();
        last.end = std::max(last.end, s.end);
        last.name += "+" + s.name;
        last.written |= s.written;
    }
    return merged;
}

}  // namespace

TwinMemory::TwinMemory(const Problem& problem, void* workspace, uint64_t workspace_bytes, bool precise) {
    const Tensors tensors(problem);
    for (const Stretch& s : merged(tensors.all())) {
        twin_register_gm(s.begin, s.end - s.begin, s.name.c_str(), !precise, !s.written);
        registered_.push_back(s.begin);
    }
    if (workspace_bytes > 0) {
        const uint64_t begin = reinterpret_cast<uint64_t>(workspace);
        twin_register_gm(begin, workspace_bytes, "workspace", 0, 0);
        registered_.push_back(begin);
    }
    if (!precise) return;
    const auto initialise = [](const Tensor& t) {
        t.for_each_row([&](uint64_t row) { twin_initialise_gm(row, t.row_bytes); });
    };
    for (const Tensor& t : tensors.all()) {
        if (t.access == Access::kRead) initialise(t);
    }
    for (const Tensor& t : tensors.valid_cache_rows()) initialise(t);
}

TwinMemory::~TwinMemory() {
    for (const uint64_t begin : registered_) twin_unregister_gm(begin);
}

}  // namespace flash_attn_npu::ascend::host
