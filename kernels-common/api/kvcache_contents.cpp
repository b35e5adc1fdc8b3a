// SPDX-License-Identifier: BSD-3-Clause
// Checks of flash_attn_with_kvcache that read tensor contents.
#include <cmath>

#include "api/error.h"
#include "api/kvcache.h"
#include "api/scheduler_metadata.h"

namespace flash_attn_npu::api {

namespace {

std::string element(const std::string& name, int64_t i) { return name + "[" + std::to_string(i) + "]"; }

void check_between(const std::string& argument, int64_t value, int64_t low, int64_t high, const std::string& why) {
    if (value < low || value > high) {
        bad_value(argument, std::to_string(value), std::to_string(low) + " to " + std::to_string(high) + why);
    }
}

// Offsets must not decrease and must stay inside the packed tensor; for q they may count from the first offset instead
// (Forward::q_row_base).
void check_offsets(const TensorArgument& offsets, int64_t count, int64_t total, const char* packed, bool rebased) {
    const auto* cu = static_cast<const int32_t*>(offsets.data);
    if (cu[0] < 0) bad_value(element(offsets.name, 0), std::to_string(cu[0]), "at least 0");
    for (int64_t n = 0; n < count; ++n) {
        if (cu[n + 1] < cu[n]) {
            bad_value(element(offsets.name, n + 1), std::to_string(cu[n + 1]),
                      "at least " + std::to_string(cu[n]) + ": offsets must not decrease");
        }
    }
    if (cu[count] - (rebased ? cu[0] : 0) > total) {
        bad_value(element(offsets.name, count), std::to_string(cu[count]),
                  "at most " + std::to_string(total) + " (the rows of " + packed + ")");
    }
}

void check_queries(const KvCacheArguments& a, const Forward& p) {
    if (!p.cu_seqlens_q) return;
    check_offsets(a.cu_seqlens_q, p.batch, p.total_q, "q", true);
    for (int32_t n = 0; n < p.batch; ++n) {
        const int32_t length = p.cu_seqlens_q[n + 1] - p.cu_seqlens_q[n];
        if (length > p.max_seqlen_q) {
            bad_value("max_seqlen_q", std::to_string(*a.max_seqlen_q),
                      "at least " + std::to_string(length) + " (the length of sequence " + std::to_string(n) + ")");
        }
    }
}

void check_cache_rows(const KvCacheArguments& a, const Forward& p) {
    const KvIndex& index = p.kv_index;
    const bool paged = index.page_table != nullptr;
    const int64_t rows = paged ? a.page_table.size(0) : index.num_blocks;
    const std::string full = " (the capacity of " + std::string(paged ? a.page_table.name : "k_cache") +
                             (p.k_new.data ? ", new keys included)" : ")");
    for (int32_t n = 0; n < p.batch; ++n) {
        if (index.batch_idx) {
            check_between(element("cache_batch_idx", n), index.batch_idx[n], 0, rows - 1,
                          paged ? " (rows of the page table)" : " (sequences of k_cache)");
        }
        const int32_t filled = p.cache_seqlens ? p.cache_seqlens[n] : p.cache_seqlen;
        const int32_t appended = p.k_new.data ? p.sequence(n).seqlen_new : 0;
        check_between(element("cache_seqlens", n), filled, 0, int64_t{index.capacity} - appended, full);
        if (index.leftpad) {
            check_between(element("cache_leftpad", n), index.leftpad[n], 0, filled, " (cache_seqlens)");
        }
    }
}

void check_pages(const KvCacheArguments& a, const Forward& p) {
    if (!p.kv_index.page_table) return;
    for (int32_t n = 0; n < p.batch; ++n) {
        const KvView view = p.kv_view(n);
        const int64_t row = view.row_of_sequence();
        const int32_t* pages = p.kv_index.page_table + row * p.kv_index.page_table_stride;
        const int32_t size = p.kv_index.page_size;
        const int32_t first = view.leftpad() / size;
        const int32_t last = ceil_div(view.leftpad() + p.sequence(n).seqlen_k, size);
        for (int32_t i = first; i < last; ++i) {
            if (pages[i] < 0 || pages[i] >= p.kv_index.num_blocks) {
                bad_value(std::string(a.page_table.name) + "[" + std::to_string(row) + ", " + std::to_string(i) + "]",
                          std::to_string(pages[i]),
                          "0 to " + std::to_string(p.kv_index.num_blocks - 1) + " (the pages of k_cache)");
            }
        }
    }
}

void check_rotary(const Forward& p) {
    if (!p.rotary.enabled()) return;
    for (int32_t n = 0; n < p.batch; ++n) {
        const Sequence s = p.sequence(n);
        const char* name = p.rotary.rotary_seqlens ? "rotary_seqlens" : "cache_seqlens";
        const int32_t rows = max_of(s.seqlen_new, p.rotary.q_per_row ? s.seqlen_q : min_of(s.seqlen_q, 1));
        check_between(element(name, n), s.rotary_start, 0, int64_t{p.rotary.seqlen} - rows,
                      " (positions must lie within the " + std::to_string(p.rotary.seqlen) + " rows of rotary_cos)");
    }
}

void check_descale(const TensorArgument& t, const PerHead& descale, const Forward& p) {
    if (!descale.data) return;
    for (int32_t n = 0; n < p.batch; ++n) {
        for (int32_t head = 0; head < p.num_heads_kv; ++head) {
            const float value = descale.at(n, head, 1.0f);
            if (!std::isfinite(value)) {
                bad_value(std::string(t.name) + "[" + std::to_string(n) + ", " + std::to_string(head) + "]",
                          std::to_string(value), "a finite number");
            }
        }
    }
}

}  // namespace

void check_contents(const KvCacheArguments& a, const Forward& p) {
    if (a.scheduler_metadata) check_scheduler_metadata(a.scheduler_metadata, p);
    check_queries(a, p);
    if (p.cu_seqlens_k_new) check_offsets(a.cu_seqlens_k_new, p.batch, a.k.size(0), "k", false);
    check_cache_rows(a, p);
    check_pages(a, p);
    check_rotary(p);
    check_descale(a.q_descale, p.score.q_descale, p);
    check_descale(a.k_descale, p.score.k_descale, p);
    check_descale(a.v_descale, p.score.v_descale, p);
}

}  // namespace flash_attn_npu::api
