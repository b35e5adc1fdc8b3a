// Which sequence a row of a packed tensor belongs to, and how rows are dealt to cores.
#pragma once

#include "flash_attn_npu/platform.h"

namespace flash_attn_npu::ascend::kernel {

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

}  // namespace flash_attn_npu::ascend::kernel
