// SPDX-License-Identifier: BSD-3-Clause
// Tiles of several kv heads at once, between global memory and the cube core's memories. In L1 and L0C every head is a
// tile of its own, one after another.
#pragma once
#include "flash_attn_npu/request.h"
#include "tile/copy_attention_to_l1.h"

namespace flash_attn_npu::ascend::decode {

/// Keys [keys.begin, keys.end) of `heads` neighbouring kv heads: to one zN tile of `rows` rows per head.
template <class ArchTag, class Element>
struct CopyHeadsOfKeysToL1 {
    static constexpr uint32_t kC0 = ArchTag::kBytesPerC0 / sizeof(Element);
    static constexpr int64_t kStrideLimit = tile::CopyGmToL1<ArchTag, Element>::kStrideLimit;

    __aicore__ inline void operator()(const AscendC::LocalTensor<Element>& dst, uint32_t rows, const KvTensor& cache,
                                      const KvView& view, int32_t head, uint32_t heads, KeyRange keys,
                                      uint32_t cols) const {
        AscendC::GlobalTensor<Element> gm;
        gm.SetGlobalBuffer(reinterpret_cast<__gm__ Element*>(cache.data));
        for (KvRuns run(cache, view, head, keys); run.Next();) {
            CopyRun(dst[(run.key() - keys.begin) * kC0], rows, gm[run.offset()], static_cast<uint32_t>(run.length()),
                    cache, heads, cols);
        }
    }

private:
    __aicore__ inline void CopyRun(const AscendC::LocalTensor<Element>& dst, uint32_t rows,
                                   const AscendC::GlobalTensor<Element>& src, uint32_t length, const KvTensor& cache,
                                   uint32_t heads, uint32_t cols) const {
        const layout::zN layout_dst{rows};
        const uint64_t stride = static_cast<uint64_t>(cache.stride_row);
        if (cache.stride_head == cols && cols % kC0 == 0) {
            // The heads of a key lie next to each other: one long row, whose panels fall into the heads' tiles.
            copy_gm_to_l1_(dst, src, layout_dst, layout::RowMajor{length, heads * cols, stride});
            return;
        }
        for (uint32_t head = 0; head < heads; ++head) {
            copy_gm_to_l1_(dst[head * rows * RoundUp<kC0>(cols)], src[head * cache.stride_head], layout_dst,
                           layout::RowMajor{length, cols, stride});
        }
    }

    tile::CopyGmToL1<ArchTag, Element> copy_gm_to_l1_;
};

/// The queries of one position or more: packed rows of `heads` kv heads to one zN tile of 16 rows per head.
template <class ArchTag, class Element>
struct CopyHeadsOfQueriesToL1 {
    static constexpr uint32_t kRows = ArchTag::kC0PerFractal;
    static constexpr uint32_t kC0 = ArchTag::kBytesPerC0 / sizeof(Element);

    /// src: first position, first query head.
    __aicore__ inline void operator()(const AscendC::LocalTensor<Element>& dst,
                                      const AscendC::GlobalTensor<Element>& src, const RowTensor& q, int32_t group,
                                      int32_t rows, uint32_t heads, uint32_t cols) const {
        const uint32_t tile = kRows * RoundUp<kC0>(cols);
        const int64_t stride_of_heads = group * q.stride_head;
        if (rows == group && q.stride_head >= cols && stride_of_heads < copy_rows_.kStrideLimit) {
            AscendC::Nd2NzParams params;
            params.ndNum = static_cast<uint16_t>(heads);
            params.nValue = static_cast<uint16_t>(rows);
            params.dValue = static_cast<uint16_t>(cols);
            params.srcNdMatrixStride = static_cast<uint16_t>(stride_of_heads);
            params.srcDValue = static_cast<uint16_t>(q.stride_head);
            params.dstNzC0Stride = kRows;
            params.dstNzNStride = 1;
            params.dstNzMatrixStride = static_cast<uint16_t>(tile);
            AscendC::DataCopy(dst, src, params);
            return;
        }
        for (uint32_t head = 0; head < heads; ++head) {
            copy_rows_(dst[head * tile], layout::zN{kRows}, src[head * stride_of_heads], q.stride_row, q.stride_head,
                       group, 0, rows, cols);
        }
    }

private:
    tile::CopyPackedRowsToL1<ArchTag, Element> copy_rows_;
};

/// P in the workspace, `rows` rows of each head one after another, `pitch` elements apart: to one zN tile of 16 rows
/// per head.
template <class ArchTag, class Element>
__aicore__ inline void CopyHeadsOfPToL1(const AscendC::LocalTensor<Element>& dst,
                                        const AscendC::GlobalTensor<Element>& src, uint32_t pitch, uint32_t heads,
                                        uint32_t rows, uint32_t cols) {
    constexpr uint32_t kRows = ArchTag::kC0PerFractal;
    AscendC::Nd2NzParams params;
    params.ndNum = static_cast<uint16_t>(heads);
    params.nValue = static_cast<uint16_t>(rows);
    params.dValue = static_cast<uint16_t>(cols);
    params.srcNdMatrixStride = static_cast<uint16_t>(rows * pitch);
    params.srcDValue = static_cast<uint16_t>(pitch);
    params.dstNzC0Stride = kRows;
    params.dstNzNStride = 1;
    params.dstNzMatrixStride = static_cast<uint16_t>(kRows * RoundUp<16>(cols));
    AscendC::DataCopy(dst, src, params);
}

/// Accumulators of 16 rows and `cols` columns per head: their first `rows` rows to the workspace, `pitch` elements
/// apart, head after head.
__aicore__ inline void CopyHeadsL0CToGm(const AscendC::GlobalTensor<float>& dst, const AscendC::LocalTensor<float>& src,
                                        uint32_t pitch, uint32_t heads, uint32_t rows, uint32_t cols) {
    AscendC::FixpipeParamsV220 params;
    params.nSize = static_cast<uint16_t>(cols);
    params.mSize = static_cast<uint16_t>(rows);
    params.srcStride = 16;
    params.dstStride = pitch;
    params.quantPre = QuantMode_t::NoQuant;
    params.ndNum = static_cast<uint16_t>(heads);
    params.srcNdStride = static_cast<uint16_t>(CeilDiv<16>(cols));
    params.dstNdStride = static_cast<uint16_t>(rows * pitch);
    AscendC::Fixpipe<float, float, AscendC::CFG_ROW_MAJOR>(dst, src, params);
}

}  // namespace flash_attn_npu::ascend::decode
