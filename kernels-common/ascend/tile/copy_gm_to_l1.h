// SPDX-License-Identifier: BSD-3-Clause
// GM row-major -> L1 zN, one ND->NZ instruction per tile.
#pragma once
#include "arch/resource.h"
#include "tile/layout.h"

namespace flash_attn_npu::ascend::tile {

/// Rows that fill the last fractal and columns that fill the last kC0 are not meaningful in the destination
/// (columns are zero, rows stale); the Mmad never reads them as data.
template <class ArchTag, class Element>
struct CopyGmToL1 {
    static constexpr uint32_t kC0 = ArchTag::kBytesPerC0 / sizeof(Element);
    static constexpr uint64_t kStrideLimit = 65536;

    __aicore__ inline void operator()(const AscendC::LocalTensor<Element>& dst,
                                      const AscendC::GlobalTensor<Element>& src, const layout::zN& layout_dst,
                                      const layout::RowMajor& layout_src) const {
        AscendC::Nd2NzParams params;
        params.ndNum = 1;
        params.dValue = layout_src.cols;
        params.srcNdMatrixStride = 0;
        params.dstNzC0Stride = layout_dst.rows;
        params.dstNzNStride = 1;
        params.dstNzMatrixStride = 0;
        if (layout_src.cols <= layout_src.stride && layout_src.stride < kStrideLimit) {
            params.nValue = layout_src.rows;
            params.srcDValue = layout_src.stride;
            AscendC::DataCopy(dst, src, params);
            return;
        }
        // The row stride does not fit its field, or rows overlap (expanded tensors): row by row.
        params.nValue = 1;
        params.srcDValue = layout_src.cols;
        for (uint32_t row = 0; row < layout_src.rows; ++row) {
            AscendC::DataCopy(dst[row * kC0], src[row * layout_src.stride], params);
        }
    }
};

}  // namespace flash_attn_npu::ascend::tile
