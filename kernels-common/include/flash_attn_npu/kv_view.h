// SPDX-License-Identifier: BSD-3-Clause
// Where key j of sequence n lives: the one definition, for dense, packed, paged, left-padded and batch-indexed caches.
#pragma once

#include "flash_attn_npu/platform.h"
#include "flash_attn_npu/tensors.h"

namespace flash_attn_npu {

// A run of keys that lie at a constant row stride in one block: rows [row, row + length) of `block`.
struct KvRun {
    int64_t block;
    int64_t row;
    int32_t length;
};

// The index structures of one call, shared by K and V. Null pointers mean "not used".
struct KvIndex {
    FA_GM const int32_t* leftpad = nullptr;       // (batch,): rows before the first valid key
    FA_GM const int32_t* batch_idx = nullptr;     // (batch,): block (dense) or page-table row (paged) of sequence n
    FA_GM const int32_t* page_table = nullptr;    // (rows, pages_per_sequence)
    FA_GM const int32_t* cu_seqlens_k = nullptr;  // (batch + 1,): packed keys
    int64_t page_table_stride = 0;
    int32_t page_size = 0;
    int32_t num_blocks = 0;  // sequences or pages that exist
    int32_t index_rows = 0;  // sequences, or rows of the page table: what batch_idx may name
    int32_t capacity = 0;    // rows one sequence can hold, left padding included
};

// The cache rows of sequence n. Indices read from memory are held inside the tensors: where nobody could check them
// before (a device reads them without the host), a wild index must not reach foreign memory.
struct KvView {
    KvIndex index;
    int32_t n;

    FA_HOST_DEVICE int32_t leftpad() const { return index.leftpad ? clamp(index.leftpad[n], 0, index.capacity) : 0; }
    FA_HOST_DEVICE int32_t row_of_sequence() const {
        return index.batch_idx ? clamp(index.batch_idx[n], 0, index.index_rows - 1) : n;
    }

    // The run that starts at key j and ends at the latest before key j_end. Never empty for j < j_end.
    FA_HOST_DEVICE KvRun run(int32_t j, int32_t j_end) const {
        const int64_t row = int64_t{leftpad()} + j;
        const int32_t wanted = j_end - j;
        if (index.page_table) {
            const int32_t page = static_cast<int32_t>(row / index.page_size);
            const int32_t row_in_page = static_cast<int32_t>(row - int64_t{page} * index.page_size);
            const int32_t block = index.page_table[row_of_sequence() * index.page_table_stride + page];
            return KvRun{clamp(block, 0, index.num_blocks - 1), row_in_page,
                         min_of(wanted, index.page_size - row_in_page)};
        }
        if (index.cu_seqlens_k) return KvRun{0, index.cu_seqlens_k[n] + row, wanted};
        return KvRun{row_of_sequence(), row, wanted};
    }
};

}  // namespace flash_attn_npu
