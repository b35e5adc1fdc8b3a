// SPDX-License-Identifier: BSD-3-Clause
// The operands of attention on their way from GM to L1: keys and values through KvView, queries in packed-row order.
#pragma once
#include "flash_attn_npu/kv_runs.h"
#include "flash_attn_npu/plan.h"
#include "flash_attn_npu/request.h"
#include "tile/copy_gm_to_l1.h"

namespace flash_attn_npu::ascend::tile {

/// Rows of keys [keys.begin, keys.end) and columns [col, col + cols) of one head, run by run, to consecutive rows of a
/// zN tile.
template <class ArchTag, class Element>
struct CopyKeysToL1 {
    static constexpr uint32_t C0 = ArchTag::BYTE_PER_C0 / sizeof(Element);

    __aicore__ inline void operator()(const AscendC::LocalTensor<Element>& dst, const layout::zN& layoutDst,
                                      const KvTensor& cache, const KvView& view, int32_t kvHead, KeyRange keys,
                                      uint32_t col, uint32_t cols) const {
        AscendC::GlobalTensor<Element> gm;
        gm.SetGlobalBuffer(reinterpret_cast<__gm__ Element*>(cache.data));
        for (KvRuns run(cache, view, kvHead, keys); run.Next();) {
            const layout::RowMajor layoutSrc{static_cast<uint32_t>(run.length()), cols,
                                             static_cast<uint64_t>(cache.stride_row)};
            copyGmToL1_(dst[(run.key() - keys.begin) * C0], gm[run.offset() + col], layoutDst, layoutSrc);
        }
    }

private:
    CopyGmToL1<ArchTag, Element> copyGmToL1_;
};

/// Packed rows [begin, end) of one kv head: row r is position r / group of query head r % group of the group.
template <class ArchTag, class Element>
struct CopyPackedRowsToL1 {
    static constexpr uint32_t C0 = ArchTag::BYTE_PER_C0 / sizeof(Element);
    static constexpr int64_t STRIDE_LIMIT = CopyGmToL1<ArchTag, Element>::STRIDE_LIMIT;

    /// src: position 0, first head of the group. strideRow, strideHead: of position and head, in elements.
    __aicore__ inline void operator()(const AscendC::LocalTensor<Element>& dst, const layout::zN& layoutDst,
                                      const AscendC::GlobalTensor<Element>& src, int64_t strideRow, int64_t strideHead,
                                      int32_t group, int32_t begin, int32_t end, uint32_t cols) const {
        const uint32_t rows = static_cast<uint32_t>(end - begin);
        if (group == 1) {
            copyGmToL1_(dst, src[begin * strideRow], layoutDst,
                        layout::RowMajor{rows, cols, static_cast<uint64_t>(strideRow)});
            return;
        }
        const bool wholePositions = begin % group == 0 && end % group == 0;
        const bool fits =
            strideRow < STRIDE_LIMIT && strideHead < STRIDE_LIMIT && static_cast<int64_t>(cols) <= strideHead;
        if (wholePositions && fits) {
            AscendC::Nd2NzParams params;
            params.ndNum = static_cast<uint16_t>(rows / group);
            params.nValue = static_cast<uint16_t>(group);
            params.dValue = static_cast<uint16_t>(cols);
            params.srcNdMatrixStride = static_cast<uint16_t>(strideRow);
            params.srcDValue = static_cast<uint16_t>(strideHead);
            params.dstNzC0Stride = static_cast<uint16_t>(layoutDst.rows);
            params.dstNzNStride = 1;
            params.dstNzMatrixStride = static_cast<uint16_t>(group * C0);
            AscendC::DataCopy(dst, src[begin / group * strideRow], params);
            return;
        }
        for (int32_t row = begin; row < end;) {
            const int32_t position = row / group, head = row % group;
            const int32_t heads = min_of(group - head, end - row);
            copyGmToL1_(dst[(row - begin) * C0], src[position * strideRow + head * strideHead], layoutDst,
                        layout::RowMajor{static_cast<uint32_t>(heads), cols, static_cast<uint64_t>(strideHead)});
            row += heads;
        }
    }

private:
    CopyGmToL1<ArchTag, Element> copyGmToL1_;
};

}  // namespace flash_attn_npu::ascend::tile
