// SPDX-License-Identifier: BSD-3-Clause
// One call on the cpu: append, cut the work into items, run them on the threads, combine the splits.
#include "cpu/backend.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

#include "cpu/dispatch.h"
#include "cpu/isa.h"
#include "cpu/threads.h"

namespace flash_attn_npu::cpu {

namespace {

// Row tiles of one item share the packing of K and V; more than this gains nothing and costs L2.
constexpr int32_t kMaxRowTilesPerItem = 8;
// Enough items that the last ones to finish do not matter.
constexpr int64_t kItemsPerThread = 6;
// Splits: the cpu needs parallelism for at most a few hundred cores, and each split should stream for a while.
constexpr SplitPolicy kSplitPolicy{/*wanted_tiles=*/64, /*min_keys=*/512, /*max_splits=*/128};
// Below this a call is over before a second thread has woken up. In multiply-adds.
constexpr double kSerialWork = 2e5;

// Memory of one thread that outlives the call: fresh pages for every call would cost more than small calls do.
class Arena {
public:
    void* get(size_t bytes) {
        if (bytes > size_) {
            memory_.reset();
            size_ = round_up(bytes, size_t{4096});
            memory_.reset(std::aligned_alloc(64, size_));
            if (!memory_) {
                size_ = 0;
                throw std::bad_alloc();
            }
        }
        return memory_.get();
    }

    // What one unusual call needed is given back after it.
    void trim() {
        constexpr size_t kKeep = size_t{32} << 20;
        if (size_ <= kKeep) return;
        memory_.reset();
        size_ = 0;
    }

private:
    struct Free {
        void operator()(void* p) const { std::free(p); }
    };
    std::unique_ptr<void, Free> memory_;
    size_t size_ = 0;
};

thread_local Arena scratch_arena;
thread_local Arena partials_arena;

// An item, the plan and kernel it belongs to, and its cost in multiply-adds.
struct Job {
    WorkItem item;
    bool few_rows;
    double cost;
};

class Call {
public:
    Call(const Forward& p, int32_t threads, const IsaKernels& isa)
        : p_(p), isa_(isa), tile_kernel_(isa.tile_kernel(p)), row_kernel_(isa.row_kernel(p)) {
        threads_ = std::max(1, threads);
        // Whole cache rows in one item pay when the heads of a key are neighbours.
        const bool neighbours = p.k_cache.stride_head < 2 * p.head_dim && p.v_cache.stride_head < 2 * p.head_dim_v;
        heads_per_row_item_ = neighbours ? p.num_heads_kv : 1;
        plan();
    }

    void run() {
        if (p_.total_q == 0 || p_.batch == 0) return;
        append();
        make_jobs();
        attend();
        combine();
    }

private:
    bool few_rows(int64_t rows) const { return rows <= kRowKernelRows; }

    // Both kernels share the number of splits, because they share the layout of the partial results.
    void plan() {
        const bool all_few = few_rows(int64_t{p_.max_seqlen_q} * p_.heads_per_kv_head());
        row_plan_ = make_plan(p_, row_kernel_.tile, kSplitPolicy, heads_per_row_item_);
        tile_plan_ = make_plan(p_, tile_kernel_.tile, kSplitPolicy);
        const int32_t splits = (all_few ? row_plan_ : tile_plan_).num_splits;
        row_plan_.num_splits = tile_plan_.num_splits = splits;
        if (splits == 1) return;
        const size_t rows = tile_plan_.accum_rows(p_);
        partials_ = Partials{p_.out_accum, p_.lse_accum};
        if (partials_.out) return;
        auto* memory = static_cast<float*>(partials_arena.get(rows * (p_.head_dim_v + 1) * sizeof(float)));
        partials_ = Partials{memory, memory + rows * p_.head_dim_v};
    }

    void append() {
        if (p_.k_new.data == nullptr) return;
        double elements = 0;
        for (int32_t n = 0; n < p_.batch; ++n) {
            elements += double(p_.sequence(n).seqlen_new) * p_.num_heads_kv * (p_.head_dim + p_.head_dim_v);
        }
        // Threads share the heads, never the sequences: see append_kv.
        for_each(p_.num_heads_kv, elements,
                 [&](int64_t head) { isa_.append(p_, static_cast<int32_t>(head), static_cast<int32_t>(head) + 1); });
    }

    void make_jobs() {
        int64_t tiles = 0;
        for (int32_t n = 0; n < p_.batch; ++n) {
            tiles += ceil_div(tile_plan_.packed_rows(p_.sequence(n)), tile_plan_.tile.rows);
        }
        tiles *= int64_t{p_.num_heads_kv} * tile_plan_.num_splits;
        const int64_t tiles_per_item =
            std::clamp<int64_t>(tiles / (kItemsPerThread * threads_), 1, kMaxRowTilesPerItem);
        rows_per_item_ = static_cast<int32_t>(tiles_per_item) * tile_plan_.tile.rows;
        for (int32_t n = 0; n < p_.batch; ++n) {
            const Sequence s = p_.sequence(n);
            const int32_t rows = tile_plan_.packed_rows(s);
            const bool few = few_rows(rows);
            const int32_t rows_per_item = few ? rows : rows_per_item_;
            const int32_t heads_per_item = few ? heads_per_row_item_ : 1;
            for (int32_t head = 0; head < p_.num_heads_kv; head += heads_per_item) {
                for (int32_t row = 0; row < rows; row += rows_per_item) {
                    add_jobs(s, few,
                             WorkItem{n, head, min_of(head + heads_per_item, p_.num_heads_kv), row,
                                      min_of(row + rows_per_item, rows), 0});
                }
            }
        }
        // Heaviest first, so that no thread starts a long item when the others are done.
        std::stable_sort(jobs_.begin(), jobs_.end(), [](const Job& a, const Job& b) { return a.cost > b.cost; });
    }

    void add_jobs(const Sequence& s, bool few, WorkItem item) {
        const Plan& plan = few ? row_plan_ : tile_plan_;
        const Mask mask = p_.mask_of(s);
        const int32_t i_begin = item.row_begin / plan.group;
        const int32_t i_end = (item.row_end - 1) / plan.group + 1;
        const KeyRange visible = mask.visible_to_any(i_begin, i_end);
        const double rows = double(item.row_end - item.row_begin) * (item.kv_head_end - item.kv_head_begin);
        for (item.split = 0; item.split < plan.num_splits; ++item.split) {
            const double keys = plan.split_range(visible, item.split).size();
            jobs_.push_back(Job{item, few, rows * keys * (p_.head_dim + p_.head_dim_v)});
            work_ += jobs_.back().cost;
        }
    }

    void attend() {
        const size_t bytes =
            std::max(tile_kernel_.scratch_bytes(p_, rows_per_item_), row_kernel_.scratch_bytes(p_, kRowKernelRows));
        for_each(static_cast<int64_t>(jobs_.size()), work_, [&](int64_t i) {
            const Job& job = jobs_[i];
            const Kernel& kernel = job.few_rows ? row_kernel_ : tile_kernel_;
            kernel.attend(p_, job.few_rows ? row_plan_ : tile_plan_, partials_, job.item, scratch_arena.get(bytes));
        });
    }

    void combine() {
        if (tile_plan_.num_splits == 1) return;
        const double work = double(tile_plan_.accum_rows(p_)) * p_.head_dim_v;
        for_each(int64_t{p_.batch} * p_.num_heads_kv, work, [&](int64_t i) {
            const int32_t n = static_cast<int32_t>(i / p_.num_heads_kv);
            const int32_t head = static_cast<int32_t>(i % p_.num_heads_kv);
            isa_.combine(p_, tile_plan_, partials_, n, head, 0, tile_plan_.packed_rows(p_.sequence(n)));
        });
    }

    // Runs body(0 .. count - 1) on the threads, first come first served.
    template <class Body>
    void for_each(int64_t count, double work, Body body) {
        struct Loop {
            Body& body;
            const int64_t count;
            std::atomic<int64_t> next{0};
            std::atomic<bool> out_of_memory{false};
        } loop{body, count};
        const int32_t threads = work < kSerialWork ? 1 : static_cast<int32_t>(std::min<int64_t>(threads_, count));
        parallel_run(
            threads,
            [](void* context, int32_t) {
                auto& l = *static_cast<Loop*>(context);
                try {
                    for (int64_t i; (i = l.next.fetch_add(1, std::memory_order_relaxed)) < l.count;) l.body(i);
                } catch (const std::bad_alloc&) {
                    l.out_of_memory = true;  // an exception must not leave a worker
                }
                scratch_arena.trim();
            },
            &loop);
        if (loop.out_of_memory) throw std::bad_alloc();
    }

    const Forward& p_;
    const IsaKernels& isa_;
    const Kernel tile_kernel_;
    const Kernel row_kernel_;
    int32_t threads_ = 1;
    int32_t heads_per_row_item_ = 1;
    int32_t rows_per_item_ = 0;
    Plan row_plan_;
    Plan tile_plan_;
    Partials partials_{};
    std::vector<Job> jobs_;
    double work_ = 0;
};

void fail(BackendStatus* status, const char* message) {
    status->code = BackendStatus::kRuntimeError;
    std::snprintf(status->message, sizeof(status->message), "%s", message);
}

uint64_t workspace_bytes(const Forward*, BackendStatus*) { return 0; }

void check(const Forward*, BackendStatus*) {}

void forward(const Forward* request, const Execution* execution, BackendStatus* status) {
    try {
        std::string error;
        const IsaKernels* isa = selected_isa(error);
        if (isa == nullptr) return fail(status, error.c_str());
        Call(*request, execution->threads, *isa).run();
        partials_arena.trim();
    } catch (const std::exception& e) {
        fail(status, e.what());
    }
}

const char* describe() {
    std::string error;
    const IsaKernels* isa = selected_isa(error);
    return isa ? isa->name : "unavailable";
}

}  // namespace

const Backend& backend() {
    static const Backend cpu{
        kBackendAbiVersion, "cpu", /*host_memory=*/true, workspace_bytes, check, forward, describe};
    return cpu;
}

}  // namespace flash_attn_npu::cpu
