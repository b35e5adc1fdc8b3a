// SPDX-License-Identifier: BSD-3-Clause
// UB -> GM: rows in packed-row order to a tensor with a stride per position and a stride per head.
#pragma once
#include "arch/resource.h"
#include "flash_attn_npu/platform.h"
#include "tile/strided_rows.h"

namespace flash_attn_npu::ascend::tile {

/// `cols` elements of each of the packed rows [begin, end); in UB rows are `pitch` elements apart (whole 32-byte
/// blocks).
template <class Element>
struct CopyPackedRowsToGm {
    /// dst: position 0, first head of the group.
    __aicore__ inline void operator()(const AscendC::GlobalTensor<Element>& dst, int64_t stride_row,
                                      int64_t stride_head, int32_t group, const AscendC::LocalTensor<Element>& src,
                                      uint32_t pitch, uint32_t cols, int32_t begin, int32_t end) const {
        const int32_t positions = (end - 1) / group - begin / group + 1;
        if (positions < group) {
            // Position by position: heads lie next to each other in UB.
            for (int32_t row = begin; row < end;) {
                const int32_t heads = min_of(group - row % group, end - row);
                StoreRows(dst[row / group * stride_row + row % group * stride_head], src[(row - begin) * pitch],
                          RowsShape{static_cast<uint32_t>(heads), cols, stride_head, pitch});
                row += heads;
            }
            return;
        }
        // Head by head: positions are `group` rows apart in UB.
        for (int32_t row = begin; row < min_of(begin + group, end); ++row) {
            const uint32_t rows = static_cast<uint32_t>((end - 1 - row) / group + 1);
            StoreRows(dst[row / group * stride_row + row % group * stride_head], src[(row - begin) * pitch],
                      RowsShape{rows, cols, stride_row, pitch * static_cast<uint32_t>(group)});
        }
    }
};

}  // namespace flash_attn_npu::ascend::tile
