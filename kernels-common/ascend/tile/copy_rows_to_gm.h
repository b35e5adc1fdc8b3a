// SPDX-License-Identifier: BSD-3-Clause
// UB -> GM: rows in packed-row order to a tensor with a stride per position and a stride per head.
#pragma once
#include "arch/atlas_a2.h"
#include "flash_attn_npu/platform.h"
#include "tile/layout.h"

namespace flash_attn_npu::ascend::tile {

/// `cols` elements of each of the packed rows [begin, end); in UB rows are `pitch` elements apart (whole 32-byte
/// blocks).
template <class Element>
struct CopyPackedRowsToGm {
    /// dst: position 0, first head of the group.
    __aicore__ inline void operator()(const AscendC::GlobalTensor<Element>& dst, int64_t strideRow, int64_t strideHead,
                                      int32_t group, const AscendC::LocalTensor<Element>& src, uint32_t pitch,
                                      uint32_t cols, int32_t begin, int32_t end) const {
        const int32_t positions = (end - 1) / group - begin / group + 1;
        if (positions < group) {
            // Position by position: heads lie next to each other in UB.
            for (int32_t row = begin; row < end;) {
                const int32_t heads = min_of(group - row % group, end - row);
                Copy(dst[row / group * strideRow + row % group * strideHead], strideHead, src[(row - begin) * pitch],
                     pitch, cols, heads);
                row += heads;
            }
            return;
        }
        // Head by head: positions are `group` rows apart in UB.
        for (int32_t row = begin; row < min_of(begin + group, end); ++row) {
            Copy(dst[row / group * strideRow + row % group * strideHead], strideRow, src[(row - begin) * pitch],
                 pitch * group, cols, (end - 1 - row) / group + 1);
        }
    }

private:
    __aicore__ inline void Copy(const AscendC::GlobalTensor<Element>& dst, int64_t stride,
                                const AscendC::LocalTensor<Element>& src, uint32_t pitch, uint32_t cols,
                                int32_t rows) const {
        constexpr int64_t GAP_LIMIT = int64_t{1} << 32;
        constexpr uint32_t BLOCK = 32;
        const uint32_t bytes = cols * sizeof(Element);
        const int64_t gap = (stride - static_cast<int64_t>(cols)) * static_cast<int64_t>(sizeof(Element));
        const uint32_t gapInUb = (pitch * sizeof(Element) - RoundUp<BLOCK>(bytes)) / BLOCK;
        if (gap >= 0 && gap < GAP_LIMIT) {
            AscendC::DataCopyPad(
                dst, src,
                AscendC::DataCopyExtParams(static_cast<uint16_t>(rows), bytes, gapInUb, static_cast<uint32_t>(gap), 0));
            return;
        }
        for (int32_t row = 0; row < rows; ++row) {
            AscendC::DataCopyPad(dst[row * stride], src[row * pitch], AscendC::DataCopyExtParams(1, bytes, 0, 0, 0));
        }
    }
};

}  // namespace flash_attn_npu::ascend::tile
