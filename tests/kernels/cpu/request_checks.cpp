// SPDX-License-Identifier: BSD-3-Clause
// The requests and their list of tensors: every tensor is named once, with the bytes that its accessors reach.
#include <cstdio>
#include <cstring>
#include <map>
#include <string>
#include <type_traits>

#include "flash_attn_npu/fields.h"

namespace {

using namespace flash_attn_npu;

static_assert(std::is_trivially_copyable<Forward>::value, "kernels take requests by value");
static_assert(std::is_trivially_copyable<Backward>::value, "kernels take requests by value");

int failures = 0;

void expect(bool ok, const char* what) {
    if (ok) return;
    ++failures;
    std::printf("wrong: %s\n", what);
}

struct Found {
    const void* data;
    Extents extents;
    Access access;
};

template <class Request>
std::map<std::string, Found> tensors(const Request& request) {
    std::map<std::string, Found> found;
    for_each_tensor(request, [&](const char* name, const void* data, const Extents& extents, Access access) {
        expect(found.emplace(name, Found{data, extents, access}).second, name);
    });
    return found;
}

// Every pointer of a request is filled with its own address, so that a tensor the list misses is noticed.
char memory[64];
int given = 0;
template <class T>
void give(T*& pointer) {
    pointer = reinterpret_cast<T*>(memory + given++);
}

constexpr int32_t kBatch = 2, kRows = 3, kHeads = 4, kHeadsKv = 2, kDim = 16, kDimV = 24, kCapacity = 32;

void fill_attention(Attention& a) {
    a.batch = kBatch;
    a.num_heads_q = kHeads;
    a.num_heads_kv = kHeadsKv;
    a.head_dim = kDim;
    a.head_dim_v = kDimV;
    a.max_seqlen_q = kRows;
    a.total_q = kBatch * kRows;
    a.q = {nullptr, kRows * kHeads * kDim, kHeads * kDim, kDim};
    a.qv = {nullptr, kRows * kHeads * kDimV, kHeads * kDimV, kDimV};
    a.k_cache = {nullptr, kCapacity * kHeadsKv * kDim, kHeadsKv * kDim, kDim};
    a.v_cache = {nullptr, kCapacity * kHeadsKv * kDimV, kHeadsKv * kDimV, kDimV};
    a.kv_index.num_blocks = a.kv_index.index_rows = kBatch;
    a.kv_index.capacity = kCapacity;
    a.kv_index.page_size = 8;
    a.kv_index.page_table_stride = 4;
    give(a.q.data), give(a.qv.data), give(a.k_cache.data), give(a.v_cache.data);
    give(a.kv_index.leftpad), give(a.kv_index.batch_idx), give(a.kv_index.page_table), give(a.kv_index.cu_seqlens_k);
    give(a.cache_seqlens), give(a.cu_seqlens_q), give(a.seqused_q);
    for (PerHead* t : {&a.score.alibi_slopes, &a.score.q_descale, &a.score.k_descale, &a.score.v_descale}) {
        *t = {nullptr, kHeads, 1};
        give(t->data);
    }
}

void fill_result(Result& r) {
    r.out = {nullptr, 0, kHeads * kDimV, kDimV};
    r.lse_stride_head = kBatch * kRows;
    give(r.out.data), give(r.lse);
}

template <class Request>
void check_pointers(const Request& request) {
    const auto found = tensors(request);
    expect(found.size() == static_cast<size_t>(given), "number of tensors");
    std::map<const void*, int> seen;
    for (const auto& [name, t] : found) {
        expect(seen[t.data]++ == 0, name.c_str());
        expect(!t.extents.empty(), name.c_str());
    }
}

void check_forward() {
    given = 0;
    Forward f;
    fill_attention(f);
    fill_result(f);
    f.k_new = f.v_new = {nullptr, 0, kHeadsKv * kDimV, kDimV};
    f.total_new = 5;
    f.rotary.dim = kDim;
    f.rotary.seqlen = kCapacity;
    f.rotary.stride_cos = f.rotary.stride_sin = kDim / 2;
    f.num_splits = 3;
    give(f.k_new.data), give(f.v_new.data), give(f.cu_seqlens_k_new);
    give(f.rotary.cos), give(f.rotary.sin), give(f.rotary.rotary_seqlens);
    give(f.out_accum), give(f.lse_accum);
    check_pointers(f);
    auto found = tensors(f);
    // q is packed: one batch of total_q rows.
    expect(found["q"].extents.span() == kBatch * kRows * kHeads * kDim * 2, "bytes of q");
    expect(found["k_cache"].extents.dims[1].count == 8, "rows of a page");
    expect(found["page_table"].extents.row_bytes == 16, "pages of a sequence");
    expect(found["k"].extents.dims[1].count == 5, "packed new keys");
    expect(found["softmax_lse"].extents.span() == kHeads * kBatch * kRows * 4, "bytes of softmax_lse");
    expect(found["out_accum"].extents.row_bytes == 3 * kHeads * kBatch * kRows * kDimV * 4, "bytes of out_accum");
    expect(found["k_cache"].access == Access::kReadWrite && found["out"].access == Access::kWrite, "access of forward");
    f.cu_seqlens_q = nullptr;
    f.q.data = nullptr;
    found = tensors(f);
    expect(found.count("q") == 0, "a tensor that is not given");
    expect(found["out"].extents.dims[0].count == kBatch && found["out"].extents.dims[1].count == kRows, "rows of out");
    f.batch = 0;
    expect(tensors(f).count("out") == 0, "a tensor without elements");
}

void check_backward() {
    given = 0;
    Backward b;
    fill_attention(b);
    fill_result(b);
    b.dout = b.out;
    b.dq = b.q;
    b.dk = b.k_cache;
    b.dv = b.v_cache;
    give(b.dout.data), give(b.dq.data), give(b.dk.data), give(b.dv.data), give(b.delta);
    check_pointers(b);
    auto found = tensors(b);
    expect(found["dq"].extents.span() == found["q"].extents.span(), "dq is as q");
    expect(found["dk"].extents.span() == found["k_cache"].extents.span(), "dk is as k");
    expect(found["dv"].extents.span() == found["v_cache"].extents.span(), "dv is as v");
    expect(found["dout"].extents.span() == found["out"].extents.span(), "dout is as out");
    expect(found["softmax_delta"].extents.span() == found["softmax_lse"].extents.span(), "delta is as lse");
    for (const char* name : {"q", "k_cache", "v_cache", "out", "softmax_lse", "dout"}) {
        expect(found[name].access == Access::kRead, name);
    }
    for (const char* name : {"dq", "dk", "dv"}) expect(found[name].access == Access::kWrite, name);
}

// Lengths with and without an append.
void check_sequence() {
    const int32_t filled[] = {7, 9}, leftpad[] = {2, 0};
    Forward f;
    f.batch = 2;
    f.max_seqlen_q = kRows;
    f.cache_seqlens = filled;
    f.kv_index.leftpad = leftpad;
    f.kv_index.capacity = kCapacity;
    f.kv_index.num_blocks = f.kv_index.index_rows = 2;
    f.seqlen_new = 4;
    const Sequence s = f.sequence(0);
    expect(s.seqlen_old == 5 && s.seqlen_new == 4 && s.seqlen_k == 9 && s.rotary_start == 7, "sequence");
    const Sequence bounded = f.bounded_sequence(0);
    expect(bounded.seqlen_k == 9 && bounded.seqlen_q == kRows, "bounded sequence");
    Backward b;
    static_cast<Attention&>(b) = f;
    expect(b.sequence(0).seqlen_k == 5 && b.sequence(0).seqlen_q == kRows, "sequence of backward");
}

}  // namespace

int main() {
    check_forward();
    check_backward();
    check_sequence();
    std::printf("%d failed\n", failures);
    return failures == 0 ? 0 : 1;
}
