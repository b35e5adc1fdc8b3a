// SPDX-License-Identifier: BSD-3-Clause
#include "twin_memory.h"

#include <algorithm>
#include <string>

#include "flash_attn_npu/fields.h"
#include "twin/c_api.h"

namespace flash_attn_npu::ascend::host {

namespace {

// A strided tensor of the call.
struct Tensor {
    const char* name;
    const void* data;
    Extents extents;
    Access access;

    uint64_t begin() const { return reinterpret_cast<uint64_t>(data); }
    uint64_t end() const { return begin() + extents.span(); }
    template <class Body>
    void for_each_row(Body body) const {
        const auto& [d0, d1, d2] = extents.dims;
        for (int64_t i = 0; i < d0.count; ++i) {
            for (int64_t j = 0; j < d1.count; ++j) {
                for (int64_t k = 0; k < d2.count; ++k) body(begin() + i * d0.stride + j * d1.stride + k * d2.stride);
            }
        }
    }
};

std::vector<Tensor> tensors_of(const Forward& request) {
    std::vector<Tensor> all;
    for_each_tensor(request, [&](const char* name, const void* data, const Extents& extents, Access access) {
        all.push_back({name, data, extents, access});
    });
    return all;
}

// Rows of one cache that hold keys before the call.
void add_valid_rows(const Forward& request, const KvTensor& t, int64_t features, std::vector<Tensor>& valid) {
    const int64_t size = size_of(request.dtype);
    for (int32_t n = 0; n < request.batch && request.kv_index.num_blocks > 0; ++n) {
        const KvView view = request.kv_view(n);
        const int32_t keys = request.bounded_sequence(n).seqlen_old;
        for (int32_t j = 0; j < keys;) {
            const KvRun run = view.run(j, keys);
            const char* first = static_cast<const char*>(t.data) + t.offset(run.block, run.row, 0) * size;
            const Extents rows{features * size,
                               {{}, {run.length, t.stride_row * size}, {request.num_heads_kv, t.stride_head * size}}};
            valid.push_back({"", first, rows, Access::kRead});
            j += run.length;
        }
    }
}

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

TwinMemory::TwinMemory(const Forward& request, void* workspace, uint64_t workspace_bytes, bool precise) {
    const std::vector<Tensor> tensors = tensors_of(request);
    for (const Stretch& s : merged(tensors)) {
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
        t.for_each_row([&](uint64_t row) { twin_initialise_gm(row, t.extents.row_bytes); });
    };
    std::vector<Tensor> valid;
    add_valid_rows(request, request.k_cache, request.head_dim, valid);
    add_valid_rows(request, request.v_cache, request.head_dim_v, valid);
    for (const Tensor& t : tensors) {
        if (t.access == Access::kRead) initialise(t);
    }
    for (const Tensor& t : valid) initialise(t);
}

TwinMemory::~TwinMemory() {
    for (const uint64_t begin : registered_) twin_unregister_gm(begin);
}

}  // namespace flash_attn_npu::ascend::host
