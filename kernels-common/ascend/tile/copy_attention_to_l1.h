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
    static constexpr uint32_t kC0 = ArchTag::kBytesPerC0 / sizeof(Element);

    __aicore__ inline void operator()(const AscendC::LocalTensor<Element>& dst, const layout::zN& layout_dst,
                                      const KvTensor& cache, const KvView& view, int32_t kv_head, KeyRange keys,
                                      uint32_t col, uint32_t cols) const {
        AscendC::GlobalTensor<Element> gm;
        gm.SetGlobalBuffer(reinterpret_cast<__gm__ Element*>(cache.data));
        for (KvRuns run(cache, view, kv_head, keys); run.Next();) {
            const layout::RowMajor layout_src{static_cast<uint32_t>(run.length()), cols,
                                              static_cast<uint64_t>(cache.stride_row)};
            copy_gm_to_l1_(dst[(run.key() - keys.begin) * kC0], gm[run.offset() + col], layout_dst, layout_src);
        }
    }

private:
    CopyGmToL1<ArchTag, Element> copy_gm_to_l1_;
};

/// Packed rows [begin, end) of one kv head: row r is position r / group of query head r % group of the group.
template <class ArchTag, class Element>
struct CopyPackedRowsToL1 {
    static constexpr uint32_t kC0 = ArchTag::kBytesPerC0 / sizeof(Element);
    static constexpr int64_t kStrideLimit = CopyGmToL1<ArchTag, Element>::kStrideLimit;

    /// src: position 0, first head of the group. stride_row, stride_head: of position and head, in elements.
    __aicore__ inline void operator()(const AscendC::LocalTensor<Element>& dst, const layout::zN& layout_dst,
                                      const AscendC::GlobalTensor<Element>& src, int64_t stride_row,
                                      int64_t stride_head, int32_t group, int32_t begin, int32_t end,
                                      uint32_t cols) const {
        const uint32_t rows = static_cast<uint32_t>(end - begin);
        if (group == 1) {
            copy_gm_to_l1_(dst, src[begin * stride_row], layout_dst,
                           layout::RowMajor{rows, cols, static_cast<uint64_t>(stride_row)});
            return;
        }
        const bool whole_positions = begin % group == 0 && end % group == 0;
        const bool fits =
            stride_row < kStrideLimit && stride_head < kStrideLimit && static_cast<int64_t>(cols) <= stride_head;
        if (whole_positions && fits) {
            AscendC::Nd2NzParams params;
            params.ndNum = static_cast<uint16_t>(rows / group);
            params.nValue = static_cast<uint16_t>(group);
            params.dValue = static_cast<uint16_t>(cols);
            params.srcNdMatrixStride = static_cast<uint16_t>(stride_row);
            params.srcDValue = static_cast<uint16_t>(stride_head);
            params.dstNzC0Stride = static_cast<uint16_t>(layout_dst.rows);
            params.dstNzNStride = 1;
            params.dstNzMatrixStride = static_cast<uint16_t>(group * kC0);
            AscendC::DataCopy(dst, src[begin / group * stride_row], params);
            return;
        }
        for (int32_t row = begin; row < end;) {
            const int32_t position = row / group, head = row % group;
            const int32_t heads = min_of(group - head, end - row);
            copy_gm_to_l1_(dst[(row - begin) * kC0], src[position * stride_row + head * stride_head], layout_dst,
                           layout::RowMajor{static_cast<uint32_t>(heads), cols, static_cast<uint64_t>(stride_head)});
            row += heads;
        }
    }

private:
    CopyGmToL1<ArchTag, Element> copy_gm_to_l1_;
};

}  // namespace flash_attn_npu::ascend::tile
