// SPDX-License-Identifier: BSD-3-Clause
// GM row-major -> L1 zN, one ND->NZ instruction per tile.
#pragma once
#include "arch/atlas_a2.h"
#include "tile/layout.h"

namespace flash_attn_npu::ascend::tile {

/// Rows that fill the last fractal and columns that fill the last C0 are not meaningful in the destination
/// (columns are zero, rows stale); the Mmad never reads them as data.
template <class ArchTag, class Element>
struct CopyGmToL1 {
    static constexpr uint32_t C0 = ArchTag::BYTE_PER_C0 / sizeof(Element);
    static constexpr uint64_t STRIDE_LIMIT = 65536;

    __aicore__ inline void operator()(const AscendC::LocalTensor<Element>& dst,
                                      const AscendC::GlobalTensor<Element>& src, const layout::zN& layoutDst,
                                      const layout::RowMajor& layoutSrc) const {
        AscendC::Nd2NzParams params;
        params.ndNum = 1;
        params.dValue = layoutSrc.cols;
        params.srcNdMatrixStride = 0;
        params.dstNzC0Stride = layoutDst.rows;
        params.dstNzNStride = 1;
        params.dstNzMatrixStride = 0;
        if (layoutSrc.cols <= layoutSrc.stride && layoutSrc.stride < STRIDE_LIMIT) {
            params.nValue = layoutSrc.rows;
            params.srcDValue = layoutSrc.stride;
            AscendC::DataCopy(dst, src, params);
            return;
        }
        // The row stride does not fit its field, or rows overlap (expanded tensors): row by row.
        params.nValue = 1;
        params.srcDValue = layoutSrc.cols;
        for (uint32_t row = 0; row < layoutSrc.rows; ++row) {
            AscendC::DataCopy(dst[row * C0], src[row * layoutSrc.stride], params);
        }
    }
};

}  // namespace flash_attn_npu::ascend::tile
