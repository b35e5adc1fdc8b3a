// Moves of fractals that the prefill kernel orders so that one instruction loads a whole L0 tile.
#pragma once
#include "tile/copy_attention_to_l1.h"

namespace flash_attn_npu::ascend::tile {

/// Zeros in L1, complete before later loads of the same pipe start.
template <class Element>
__aicore__ inline void ZeroL1(const AscendC::LocalTensor<Element>& dst, uint32_t elements) {
    static_assert(sizeof(Element) == sizeof(half), "zeros of any two-byte type are the same");
    AscendC::InitConstValueParams<half> params;
    params.repeatTimes = 1;
    params.blockNum = static_cast<uint16_t>(elements * sizeof(Element) / 32);
    params.dstGap = 0;
    params.initValue = static_cast<half>(0.0f);
    AscendC::InitConstValue(dst.template ReinterpretCast<half>(), params);
    AscendC::PipeBarrier<PIPE_MTE2>();
}

/// GM -> L1: packed query rows as strips of 16 rows (zZ): an L1 -> L0A copy then needs no reordering. Rows that fill the
/// last strip are zero.
template <class ArchTag, class Element, uint32_t COLS>
struct CopyQueryStrips {
    static constexpr int32_t STRIP = 16;

    /// src, strides, group, begin, end: as in CopyPackedRowsToL1.
    __aicore__ inline void operator()(const AscendC::LocalTensor<Element>& dst,
                                      const AscendC::GlobalTensor<Element>& src, int64_t strideRow, int64_t strideHead,
                                      int32_t group, int32_t begin, int32_t end) const {
        const int32_t tail = (end - begin) % STRIP;
        if (tail != 0) {
            ZeroL1<Element>(dst[(end - begin - tail) * COLS], STRIP * COLS);
        }
        for (int32_t row = begin; row < end; row += STRIP) {
            copyPackedRowsToL1_(dst[(row - begin) * COLS], layout::zN{STRIP}, src, strideRow, strideHead, group, row,
                                min_of(row + STRIP, end), COLS);
        }
    }

private:
    CopyPackedRowsToL1<ArchTag, Element> copyPackedRowsToL1_;
};

/// Fractals that lie in L1 as L0A or L0B wants them.
template <class Element>
__aicore__ inline void CopyFractals(const AscendC::LocalTensor<Element>& dst, const AscendC::LocalTensor<Element>& src,
                                    uint32_t fractals) {
    AscendC::LoadData2DParams params;
    params.startIndex = 0;
    params.repeatTimes = static_cast<uint8_t>(fractals);
    params.srcStride = 1;
    params.dstGap = 0;
    params.ifTranspose = false;
    AscendC::LoadData(dst, src, params);
}

}  // namespace flash_attn_npu::ascend::tile
