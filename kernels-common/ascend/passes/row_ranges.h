// SPDX-License-Identifier: BSD-3-Clause
// Which sequence a row of a packed tensor belongs to, and how rows are dealt to cores.
#pragma once

#include "flash_attn_npu/request.h"

namespace flash_attn_npu::ascend::passes {

struct RowRange {
    int64_t begin;
    int64_t end;
};

// The share of `core` when rows [0, rows) are cut into `cores` runs of neighbours that differ by at most one.
FA_HOST_DEVICE constexpr RowRange share_of_core(int64_t rows, int64_t core, int64_t cores) {
    return RowRange{rows * core / cores, rows * (core + 1) / cores};
}

// The last sequence that starts at or before `row`; cu_seqlens (batch + 1,) counts from `base`. 0 if there is none.
FA_HOST_DEVICE int32_t sequence_of_row(FA_GM const int32_t* cu_seqlens, int32_t batch, int64_t base, int64_t row) {
    int32_t first = 0;
    int32_t last = batch;  // the answer is in [first, last)
    while (last - first > 1) {
        const int32_t middle = first + (last - first) / 2;
        if (cu_seqlens[middle] - base <= row) {
            first = middle;
        } else {
            last = middle;
        }
    }
    return first;
}

// Where to go on after `row`, which belongs to no sequence though sequence n starts before it: where n + 1 starts, or
// at `end`. Always forwards, whatever the offsets say.
FA_HOST_DEVICE int64_t row_after_gap(FA_GM const int32_t* cu_seqlens, int32_t batch, int64_t base, int32_t n,
                                     int64_t row, int64_t end) {
    const int64_t next = n + 1 < batch ? cu_seqlens[n + 1] - base : end;
    return max_of(row + 1, min_of(next, end));
}

// Rows [i, i + rows) of sequence s.
struct SequenceRows {
    Sequence s;
    int32_t i;
    int32_t rows;
};

// Walks a range of rows of a tensor sequence by sequence: queries (Sequence::q_row, seqlen_q) or new keys (new_row,
// seqlen_new). Packed: cu_seqlens counts from `base`; else every sequence has `rows_each` rows, used or not.
template <int64_t Sequence::* kFirst, int32_t Sequence::* kLength>
class SequenceWalk {
public:
    FA_HOST_DEVICE SequenceWalk(const Forward& request, FA_GM const int32_t* cu_seqlens, int64_t base,
                                int64_t rows_each, RowRange range)
        : p_(request), cu_seqlens_(cu_seqlens), base_(base), rows_each_(rows_each), at_(range.begin), end_(range.end) {}

    // False at the end. Rows that belong to no sequence are left out.
    FA_HOST_DEVICE bool Next(SequenceRows& next) {
        while (at_ < end_) {
            const int32_t n = cu_seqlens_ ? sequence_of_row(cu_seqlens_, p_.batch, base_, at_)
                                          : static_cast<int32_t>(at_ / rows_each_);
            next.s = p_.bounded_sequence(n);
            const int64_t first = cu_seqlens_ ? next.s.*kFirst : n * rows_each_;
            const int64_t i = at_ - first;
            if (i >= 0 && i < next.s.*kLength) {
                next.i = static_cast<int32_t>(i);
                next.rows = static_cast<int32_t>(min_of<int64_t>(next.s.*kLength - i, end_ - at_));
                at_ += next.rows;
                return true;
            }
            at_ = cu_seqlens_ ? row_after_gap(cu_seqlens_, p_.batch, base_, n, at_, end_) : first + rows_each_;
        }
        return false;
    }

private:
    const Forward& p_;
    FA_GM const int32_t* cu_seqlens_;
    int64_t base_;
    int64_t rows_each_;
    int64_t at_;
    int64_t end_;
};

}  // namespace flash_attn_npu::ascend::passes
